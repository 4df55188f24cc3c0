"""`echo-rt train`, `tune`, `evaluate` and `explain`. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONF = Path(__file__).parent / "conf"


def _show_settings(context: typer.Context, wanted: bool) -> None:
    """Show the help, then every setting with its default."""
    if not wanted:
        return
    losses, experiments = (
        ", ".join(sorted(path.stem for path in (CONF / kind).glob("*.yaml"))) for kind in ("loss", "experiment")
    )
    typer.echo(f"{context.get_help()}\n\nloss: {losses}\nexperiment: {experiments}\n")
    typer.echo((CONF / "train.yaml").read_text(), nl=False)
    raise typer.Exit


def train(
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="What differs from conf/train.yaml, in the form of Hydra."),
    ] = None,
    several: Annotated[
        bool, typer.Option("-m", "--multirun", help="Compare all combinations of KEY=VALUE,VALUE in one table.")
    ] = False,
    show_help: Annotated[
        bool,
        typer.Option("-h", "--help", is_eager=True, callback=_show_settings, help="Show this and every setting."),
    ] = False,
) -> None:
    """Train a model.

    \b
    Examples:
      echo-rt train data.root=CAMUS
      echo-rt train data.root=MINE init=lv-edge 'model.grid=[112,144]' epochs=20 learning_rate=5e-4
      echo-rt train +experiment=lv-edge data.root=CAMUS
      echo-rt train -m loss=dice,focal_tversky seed=1,2,3 data.root=CAMUS
    """
    from hydra import compose, initialize_config_module
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from echo_rt.errors import ParameterError, first_line
    from echo_rt_train.compare import compare
    from echo_rt_train.loop import train as run

    try:
        with initialize_config_module("echo_rt_train.conf", version_base=None):
            if several:
                compare(settings or [])
                return
            weights = run(compose("train", overrides=settings))
    except (HydraException, OmegaConfBaseException) as error:
        first = first_line(error)
        raise ParameterError(
            f"train: expected KEY=VALUE of conf/train.yaml, found: {first}; `echo-rt train --help` shows them"
        ) from None
    typer.echo(f"weights in {weights}; next:  echo-rt export onnx {weights} -o MODEL.onnx")


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A run's folder, its weights.safetensors, an .onnx file, or a shipped model's name."
        ),
    ],
    data: Annotated[
        Path | None, typer.Option(help="Folder of a data set; --format phantom and --negatives need none.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="Of the data set, where the folder does not tell; a name in data.format.")
    ] = "auto",
    split: Annotated[str, typer.Option(help="Which patients: train, val or test.")] = "val",
    hold_out: Annotated[
        str | None, typer.Option(metavar="K/N", help="The patients that data.hold_out=K/N kept out of the training.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where the network runs; see `echo-rt doctor`.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder, outside of the repository, for plots, tables and the worst cases.")
    ] = None,
    worst: Annotated[int, typer.Option(help="How many of the worst cases are drawn into --out.")] = 12,
    clips: Annotated[
        int, typer.Option(metavar="N", help="Also run N whole recordings through engine and monitor; -1: all.")
    ] = 0,
    negatives: Annotated[
        Path | None, typer.Option(help="Also count the pictures and clips without an apical view that get a figure.")
    ] = None,
    shifts: Annotated[
        bool, typer.Option("--shifts", help="Also measure 20 shifts of the images: gain, rotation, shadow and others.")
    ] = False,
) -> None:
    """Measure a model on a data set.

    It runs in the engine of the product, at the native resolution of the images.

    \b
    Examples:
      echo-rt evaluate lv-edge --data CAMUS
      echo-rt evaluate runs/my --data CAMUS --shifts --negatives NEGATIVES --out figures
      echo-rt evaluate runs/my --format phantom --clips 40
      echo-rt evaluate lv-edge --data EchoNet-Dynamic --split test --clips -1 --json
    """
    from echo_rt_train.evaluate.command import DataChoice, Options, run

    chosen = DataChoice(data, form, split, hold_out)
    run(
        Options(model, chosen, device, out, worst, clips, negatives, shifts),
        as_json=json,
    )


def tune(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of trainings with data.hold_out=1/K to K/K, or some of them."),
    ],
    model: Annotated[str, typer.Option(help="The network that is tuned: a run's folder, or weights.")],
    data: Annotated[Path, typer.Option(help="Folder of the data set that they learned from.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The JSON file, for `echo-rt export onnx --tuning`.")],
    negatives: Annotated[
        Path | None, typer.Option(help="Folder of pictures and recordings without an apical view.")
    ] = None,
) -> None:
    """Fit what a model's file brings beside its weights.

    Each training judges the patients and sources that it has not learned from. They give the offsets of the classes,
    EF's interval, and the thresholds of the view. EF's lines are the tuned network's own.

    \b
    Examples:
      echo-rt tune runs/held-1 runs/held-2 runs/held-3 --model runs/my --data CAMUS -o tuning.json
      echo-rt tune runs/held-* --model runs/my --data CAMUS --negatives NEGATIVES -o tuning.json
    """
    from json import dumps

    from echo_rt.errors import output_errors
    from echo_rt_train.tune import tune as fit

    found = dumps(fit(model, runs, data, negatives), indent=2)
    with output_errors(out):
        out.write_text(found + "\n")
    typer.echo(found)


def card(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The FP32 .onnx file.")],
    evaluation: Annotated[
        Path, typer.Option(help="What `echo-rt evaluate --shifts --negatives DIR --json` printed for it.")
    ],
    tuning: Annotated[Path, typer.Option(help="What `echo-rt tune` wrote for it.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The Markdown file.")],
) -> None:
    """Write the card of a model from its own figures.

    \b
    Example:
      echo-rt card my.fp32.onnx --evaluation evaluation.json --tuning tuning.json -o my.md
    """
    from echo_rt_train.card import write_card

    write_card(model, evaluation, tuning, out)
    typer.echo(f"card in {out}")


def explain(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or its weights.safetensors.")],
    recording: Annotated[
        str, typer.Argument(metavar="RECORDING", help="A picture, a DICOM cine, a video or a folder of images.")
    ],
    out: Annotated[Path, typer.Option(help="Folder, outside of the repository, for the pictures.")],
    layer: Annotated[
        str | None,
        typer.Option(
            help="Where Grad-CAM looks. By default the deepest encoder level, which is coarse; decoder.2 lies nearer "
            "to the answer."
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="How many frames of a recording, evenly spread.")] = 3,
) -> None:
    """Show what a network looks at, as pictures.

    They are saliency, integrated gradients, Grad-CAM, the filters of the first layer and feature maps.

    \b
    Examples:
      echo-rt explain runs/lv-base clip.dcm --out pictures
      echo-rt explain runs/lv-base heart.png --out pictures --layer decoder.2
    """
    from echo_rt_train.explain.command import run as draw

    draw(run, recording, out, layer, frames)
    typer.echo(f"saliency, integrated gradients, Grad-CAM, filters and feature maps in {out}")
