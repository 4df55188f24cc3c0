"""`echo-rt export`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echo_rt_export.parity import Parity


def export(arguments: list[str]) -> None:
    """Turn weights into what a device runs."""
    parser = argparse.ArgumentParser(prog="echo-rt export", description=export.__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for add in (_add_onnx, _add_check, _add_weights, _add_tensorrt, _add_triton):
        add(kinds)
    given = parser.parse_args(arguments)
    given.run(given)


def _add_onnx(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser("onnx", help="one ONNX file with its contract inside; fp16 and int8 pass the parity gate")
    parser.add_argument(
        "source", help="weights.safetensors of `echo-rt train`, the run's folder, an fp32 .onnx, a shipped model's name"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .onnx file")
    parser.add_argument("--precision", default="fp32", help="fp32, fp16 or int8")
    parser.add_argument(
        "--frames", type=Path, help="folder of recordings to calibrate int8 on and to judge by, beside the usual ones"
    )
    parser.add_argument(
        "--symmetric",
        action="store_true",
        help="int8 as TensorRT reads it; slower on a processor, and further from fp32",
    )
    parser.add_argument(
        "--figures", type=Path, help="what `echo-rt evaluate --json` printed for these weights, to be kept in the file"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        help="what `echo-rt evaluate --split train --fit-calibration --json` printed; its EF line is kept",
    )
    _add_offsets(parser)
    parser.set_defaults(run=_onnx)


def _add_offsets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--offsets",
        type=Path,
        help="what `echo-rt evaluate --hold-out K/N --fit-offsets --json` printed; added to the classes' logits",
    )


def _onnx(given: argparse.Namespace) -> None:
    from echo_rt_export.conversion import export as convert

    spec, parity = convert(
        given.source, given.out, given.precision, frames=given.frames, figures=given.figures, calibration=given.calibration,
        offsets=given.offsets, symmetric=given.symmetric,
    )  # fmt: skip
    size_mb = given.out.stat().st_size / 1e6
    print(
        f"{given.out}: {spec.name} {spec.version}, {spec.precision}, input {spec.height}x{spec.width}, {size_mb:.1f} MB"
    )
    if parity is not None:
        if kept := spec.parity["kept_in_fp32"]:
            print(f"kept in FP32: {', '.join(kept)}")
        _print_parity(parity)


def _add_check(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser("check", help="the parity gate: do two model files say the same of the same frames?")
    parser.add_argument("reference", help="an .onnx file or a shipped model's name")
    parser.add_argument("candidate", help="what is judged; as above")
    parser.add_argument("--device", default="cpu", help="where the candidate runs; the reference runs on cpu")
    parser.add_argument("--frames", type=Path, help="folder of recordings to judge by, beside the usual ones")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=_check)


def _check(given: argparse.Namespace) -> None:
    from echo_rt.engine import open_engine
    from echo_rt.errors import ModelError
    from echo_rt_export.parity import compare, gate_recordings

    with open_engine(given.reference, "cpu") as reference, open_engine(given.candidate, given.device) as candidate:
        parity = compare(reference, candidate, gate_recordings(given.frames))
    if given.json:
        print(json.dumps(parity.to_dict(), indent=2))
    else:
        _print_parity(parity)
    if not parity.ok:
        raise ModelError(
            f"{given.candidate}: expected it to agree with {given.reference}, found {'; '.join(parity.failures)}"
        )


def _add_weights(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser("weights", help="weights of 16 bits, to begin another training with")
    parser.add_argument("weights", type=Path, help="weights.safetensors of `echo-rt train`, or the folder of the run")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the .safetensors file")
    _add_offsets(parser)
    parser.set_defaults(run=_weights)


def _weights(given: argparse.Namespace) -> None:
    from echo_rt_export.weights import export_weights
    from echo_rt_network.run_folder import weights_in

    export_weights(weights_in(given.weights), given.out, given.offsets)
    print(f"{given.out}: {given.out.stat().st_size / 1e6:.1f} MB")


def _print_parity(parity: Parity) -> None:
    from rich.console import Console
    from rich.table import Table

    def number(found: float | None, digits: int) -> str:
        return "-" if found is None else f"{found:.{digits}f}"

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "found", "limit"):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    for name, dice in parity.dice.items():
        table.add_row(f"Dice {name}", f"{dice:.4f}", f">= {parity.limits.min_dice}")
    table.add_row("EF, points apart", number(parity.ef_points, 2), f"<= {parity.limits.max_ef_points}")
    table.add_row("volume, % apart, at most", number(parity.volume_percent, 2), "")
    table.add_row("area, % apart, at most", number(parity.area_percent, 2), "")
    table.add_row("probability apart, at most", f"{parity.probability_max:.4f}", "")
    table.add_row("probability apart, mean", f"{parity.probability_mean:.6f}", "")
    table.add_row("Dice of the worst frame", f"{parity.worst['dice']:.4f}", "")
    console = Console(soft_wrap=True)
    console.print(f"{parity.candidate}\nagainst {parity.reference}", markup=False, highlight=False)
    console.print(table)
    worst = f"{Path(parity.worst['recording']).name}, frame {parity.worst['index']}"
    verdict = "passed" if parity.ok else "NOT passed"
    console.print(
        f"{parity.frames} frames of {parity.recordings} recordings, the worst: {worst}; {verdict}",
        markup=False,
        highlight=False,
    )


def _add_tensorrt(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser(
        "tensorrt", help="a TensorRT engine for the GPU of this machine; needs neither torch nor onnx"
    )
    parser.add_argument("model", type=Path, help="the .onnx file")
    parser.add_argument(
        "-o", "--out", type=Path, help="the engine file, its record beside it; without it they stay in the cache"
    )
    parser.add_argument(
        "--workspace", type=int, default=1024, metavar="MIB", help="GPU memory for scratch (default: %(default)s)"
    )
    parser.add_argument("--hardware-compatible", action="store_true", help="runs on other GPUs from Ampere on; slower")
    parser.add_argument("--version-compatible", action="store_true", help="runs in later TensorRT releases; slower")
    parser.set_defaults(run=_tensorrt)


def _tensorrt(given: argparse.Namespace) -> None:
    from echo_rt.engine.tensorrt.build import BuildOptions
    from echo_rt_export.tensorrt_engine import export_tensorrt

    engine = export_tensorrt(
        given.model, given.out, BuildOptions(given.workspace, given.hardware_compatible, given.version_compatible)
    )
    wanted = engine.record.wanted
    made = (
        f"built in {engine.record.build_s:.0f} s" if engine.built else f"from the cache, built {engine.record.built_at}"
    )
    print(
        f"{engine.path}: {wanted.precision}, TensorRT {wanted.tensorrt}, {wanted.gpu}, {len(engine.data) / 1e6:.1f} MB, {made}"
    )


def _add_triton(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = kinds.add_parser("triton", help="a model repository for NVIDIA's Triton Inference Server")
    parser.add_argument("model", type=Path, help="the .onnx file")
    parser.add_argument("repository", type=Path, help="the folder; made where it is missing")
    parser.add_argument(
        "--engine",
        type=Path,
        help="an engine of the model from `echo-rt export tensorrt -o`, for the TensorRT back end too",
    )
    parser.add_argument(
        "--instances", type=int, default=1, help="frames in the network at once, on each GPU (default: %(default)s)"
    )
    parser.add_argument("--model-version", type=int, default=1, help="Triton's version folder (default: %(default)s)")
    parser.add_argument("--cpu", action="store_true", help="the ONNX Runtime back end on the processor")
    parser.set_defaults(run=_triton)


def _triton(given: argparse.Namespace) -> None:
    from echo_rt_export.triton import export_triton

    for folder in export_triton(
        given.model, given.repository, given.engine, given.instances, given.model_version, gpu=not given.cpu
    ):
        print(folder)
    if given.engine is None:
        print(
            "for the TensorRT back end too: echo-rt export tensorrt MODEL.onnx -o ENGINE, on Triton's GPU and release, then --engine ENGINE"
        )
