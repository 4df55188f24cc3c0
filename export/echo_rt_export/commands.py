"""`echo-rt export`, one function a sub-command. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from echo_rt.commands.plugins import plain_app

export = plain_app(no_args_is_help=True)

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="The .onnx file.")]
Frames = Annotated[Path | None, typer.Option(help="Folder of recordings, beside those that are always there.")]
Tuning = Annotated[Path | None, typer.Option(help="What `echo-rt tune` wrote for these weights, to be put into it.")]


@export.callback()
def _export() -> None:
    """Turn weights into what a device runs.

    \b
    Examples:
      echo-rt export onnx runs/lv-base -o my.fp32.onnx
      echo-rt export check my.fp32.onnx my.int8.onnx
      echo-rt export tensorrt my.fp32.onnx -o my.engine
    """


@export.command()
def onnx(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Weights of `echo-rt train`, the run's folder, an fp32 .onnx file, or a shipped model's name.",
        ),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .onnx file.")],
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8.")] = "fp32",
    frames: Frames = None,
    symmetric: Annotated[
        bool, typer.Option("--symmetric", help="int8 as TensorRT reads it; slower on a processor, further from fp32.")
    ] = False,
    figures: Annotated[
        Path | None, typer.Option(help="What `echo-rt evaluate --json` printed for these weights, to be kept in it.")
    ] = None,
    tuning: Tuning = None,
) -> None:
    """Write one ONNX file; fp16 and int8 pass the parity gate.

    The file carries its contract. int8 is calibrated on the recordings in --frames too, and the gate judges by them.

    \b
    Examples:
      echo-rt export onnx runs/lv-base -o my.fp32.onnx
      echo-rt export onnx my.fp32.onnx --precision int8 -o my.int8.onnx
      echo-rt export onnx lv-edge --precision fp16 --frames recordings/ -o lv-edge.fp16.onnx
    """
    from echo_rt_export.conversion import export as convert
    from echo_rt_export.parity_table import print_parity

    spec, parity = convert(source, out, precision, frames=frames, figures=figures, tuning=tuning, symmetric=symmetric)
    form = f"{spec.precision}, input {spec.input.height}x{spec.input.width}, {out.stat().st_size / 1e6:.1f} MB"
    typer.echo(f"{out}: {spec.name} {spec.version}, {form}")
    if parity is not None:
        if kept := spec.parity["kept_in_fp32"]:
            typer.echo(f"kept in FP32: {', '.join(kept)}")
        print_parity(parity)


@export.command()
def check(
    reference: Annotated[
        str, typer.Argument(metavar="REFERENCE", help="An .onnx file or a shipped model's name; it runs on cpu.")
    ],
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="What is judged; as above.")],
    device: Annotated[str, typer.Option(help="Where the candidate runs; see `echo-rt doctor`.")] = "cpu",
    frames: Frames = None,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say whether two model files agree: the parity gate alone.

    \b
    Examples:
      echo-rt export check my.fp32.onnx my.int8.onnx
      echo-rt export check lv-edge lv-edge --device tensorrt
      echo-rt export check my.fp32.onnx my.fp16.onnx --frames recordings/ --json
    """
    from json import dumps

    from echo_rt.engine import open_engine
    from echo_rt.errors import ModelError
    from echo_rt_export.parity import compare, gate_recordings
    from echo_rt_export.parity_table import print_parity

    with open_engine(reference, "cpu") as first, open_engine(candidate, device) as second:
        parity = compare(first, second, gate_recordings(frames))
    if json:
        typer.echo(dumps(parity.to_dict(), indent=2))
    else:
        print_parity(parity)
    if not parity.ok:
        raise ModelError(f"{candidate}: expected it to agree with {reference}, found {'; '.join(parity.failures)}")


@export.command()
def weights(
    source: Annotated[
        Path,
        typer.Argument(metavar="WEIGHTS", help="weights.safetensors of `echo-rt train`, or the run's folder."),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .safetensors file.")],
    tuning: Tuning = None,
) -> None:
    """Write weights of 16 bits, to begin another training with.

    \b
    Examples:
      echo-rt export weights runs/my -o my.safetensors
      echo-rt export weights runs/my/weights.safetensors -o my.safetensors --tuning tuning.json
    """
    from echo_rt_export.weights import export_weights
    from echo_rt_network.run_folder import weights_in

    export_weights(weights_in(source), out, tuning)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


@export.command()
def tensorrt(
    model: Model,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The engine file, its record beside it; without it they stay in the cache."),
    ] = None,
    workspace: Annotated[int, typer.Option(metavar="MIB", help="GPU memory for scratch.")] = 1024,
    hardware_compatible: Annotated[
        bool, typer.Option("--hardware-compatible", help="Runs on other GPUs from Ampere on; slower.")
    ] = False,
    version_compatible: Annotated[
        bool, typer.Option("--version-compatible", help="Runs in later TensorRT releases; slower.")
    ] = False,
) -> None:
    """Build a TensorRT engine for the GPU of this machine.

    It needs neither torch nor onnx.

    \b
    Examples:
      echo-rt export tensorrt my.onnx
      echo-rt export tensorrt my.onnx -o my.engine --workspace 2048
      echo-rt export tensorrt my.onnx -o my.engine --hardware-compatible
    """
    from echo_rt.engine.tensorrt.build import BuildOptions
    from echo_rt_export.tensorrt_engine import export_tensorrt

    engine = export_tensorrt(model, out, BuildOptions(workspace, hardware_compatible, version_compatible))
    record, wanted = engine.record, engine.record.wanted
    made = f"built in {record.build_s:.0f} s" if engine.built else f"from the cache, built {record.built_at}"
    size = f"{len(engine.data) / 1e6:.1f} MB"
    typer.echo(f"{engine.path}: {wanted.precision}, TensorRT {wanted.tensorrt}, {wanted.gpu}, {size}, {made}")


@export.command()
def triton(
    model: Model,
    repository: Annotated[Path, typer.Argument(metavar="REPOSITORY", help="The folder; made where it is missing.")],
    engine: Annotated[
        Path | None,
        typer.Option(help="An engine of the model from `echo-rt export tensorrt -o`, for the TensorRT back end too."),
    ] = None,
    instances: Annotated[int, typer.Option(help="Frames in the network at once, on each GPU.")] = 1,
    model_version: Annotated[int, typer.Option(help="Triton's version folder.")] = 1,
    cpu: Annotated[bool, typer.Option("--cpu", help="The ONNX Runtime back end on the processor.")] = False,
) -> None:
    """Write a model repository for NVIDIA's Triton Inference Server.

    \b
    Examples:
      echo-rt export triton my.onnx repository
      echo-rt export triton my.onnx repository --engine my.engine --instances 4
    """
    from echo_rt_export.triton import export_triton

    for folder in export_triton(model, repository, engine, instances, model_version, gpu=not cpu):
        typer.echo(folder)
    if engine is None:
        typer.echo(
            "for the TensorRT back end too: echo-rt export tensorrt MODEL.onnx -o ENGINE, on Triton's GPU and release, "
            "then --engine ENGINE"
        )
