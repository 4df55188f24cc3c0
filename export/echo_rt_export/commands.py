"""`echo-rt export`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


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
    _add_tensorrt(kinds)
    _add_triton(kinds)
    given = parser.parse_args(arguments)
    if "run" in given:
        given.run(given)
        return
    from echo_rt_export.onnx_file import export_onnx, export_weights

    weights = given.weights / "weights.safetensors" if given.weights.is_dir() else given.weights
    if given.kind == "weights":
        export_weights(weights, given.out)
        print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")
        return
    spec = export_onnx(weights, given.out, given.figures, given.calibration)
    print(f"{given.out}: {spec.name} {spec.version}, {spec.precision}, input {spec.height}x{spec.width}")


def _add_tensorrt(kinds: Any) -> None:
    parser = kinds.add_parser("tensorrt", help="a TensorRT engine for the GPU of this machine; needs neither torch nor onnx")
    parser.add_argument("model", type=Path, help="the .onnx file")
    parser.add_argument("-o", "--out", type=Path, help="the engine file, its record beside it; without it they stay in the cache")
    parser.add_argument("--workspace", type=int, default=1024, metavar="MIB", help="GPU memory for scratch (default: %(default)s)")
    parser.add_argument("--hardware-compatible", action="store_true", help="runs on other GPUs from Ampere on; slower")
    parser.add_argument("--version-compatible", action="store_true", help="runs in later TensorRT releases; slower")
    parser.set_defaults(run=_tensorrt)


def _tensorrt(given: argparse.Namespace) -> None:
    from echo_rt.engine.tensorrt_build import BuildOptions
    from echo_rt_export.tensorrt_engine import export_tensorrt

    engine = export_tensorrt(given.model, given.out, BuildOptions(given.workspace, given.hardware_compatible, given.version_compatible))
    wanted = engine.record.wanted
    made = f"built in {engine.record.build_s:.0f} s" if engine.built else f"from the cache, built {engine.record.built_at}"
    print(f"{engine.path}: {wanted.precision}, TensorRT {wanted.tensorrt}, {wanted.gpu}, {len(engine.data) / 1e6:.1f} MB, {made}")


def _add_triton(kinds: Any) -> None:
    parser = kinds.add_parser("triton", help="a model repository for NVIDIA's Triton Inference Server")
    parser.add_argument("model", type=Path, help="the .onnx file")
    parser.add_argument("repository", type=Path, help="the folder; made where it is missing")
    parser.add_argument(
        "--engine", type=Path, help="an engine of the model from `echo-rt export tensorrt -o`, for the TensorRT back end too"
    )
    parser.add_argument("--instances", type=int, default=1, help="frames in the network at once, on each GPU (default: %(default)s)")
    parser.add_argument("--model-version", type=int, default=1, help="Triton's version folder (default: %(default)s)")
    parser.add_argument("--cpu", action="store_true", help="the ONNX Runtime back end on the processor")
    parser.set_defaults(run=_triton)


def _triton(given: argparse.Namespace) -> None:
    from echo_rt_export.triton import export_triton

    for folder in export_triton(given.model, given.repository, given.engine, given.instances, given.model_version, gpu=not given.cpu):
        print(folder)
    if given.engine is None:
        print(
            "for the TensorRT back end too: echo-rt export tensorrt MODEL.onnx -o ENGINE, on Triton's GPU and release, then --engine ENGINE"
        )
