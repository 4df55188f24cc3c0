"""`echo-rt export`."""

from __future__ import annotations

import argparse
from pathlib import Path


def export(arguments: list[str]) -> None:
    """Turn weights into what a device runs."""
    parser = argparse.ArgumentParser(prog="echo-rt export", description=export.__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    onnx = kinds.add_parser("onnx", help="one ONNX file with its contract inside")
    onnx.add_argument("weights", type=Path, help="weights.safetensors of `echo-rt train`, or the folder of the run")
    onnx.add_argument("-o", "--out", type=Path, required=True, help="the .onnx file")
    onnx.add_argument("--figures", type=Path, help="what `echo-rt evaluate --json` printed for these weights, to be kept in the file")
    onnx.add_argument(
        "--calibration", type=Path, help="what `echo-rt evaluate --split train --fit-calibration --json` printed; its EF line is kept"
    )
    begin = kinds.add_parser("weights", help="weights of 16 bits, to begin another training with")
    begin.add_argument("weights", type=Path, help="as above")
    begin.add_argument("-o", "--out", type=Path, required=True, help="the .safetensors file")
    given = parser.parse_args(arguments)
    from echo_rt_export.onnx_file import export_onnx, export_weights

    weights = given.weights / "weights.safetensors" if given.weights.is_dir() else given.weights
    if given.kind == "weights":
        export_weights(weights, given.out)
        print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")
        return
    spec = export_onnx(weights, given.out, given.figures, given.calibration)
    print(f"{given.out}: {spec.name} {spec.version}, {spec.precision}, input {spec.height}x{spec.width}")
