"""The command line. It imports what a command needs when that command runs, and turns every error into one line."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from echo_rt.commands.bench import bench
from echo_rt.commands.live import live
from echo_rt.errors import EchoRtError, MissingExtraError, NoDeviceError

if TYPE_CHECKING:
    from rich.console import Console

    from echo_rt.engine import Engine

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Left-ventricle masks and a rolling ejection fraction from apical echocardiography. For research, not a medical device.",
)

_UsageError: Any = typer.BadParameter.__base__
"""Older releases of Typer take it from click, newer ones bring their own click along."""

BAD_INPUT = 2
"""Exit status where something given was not as expected; 1 is left to defects."""

NO_DEVICE = 3
"""Exit status where this machine lacks the device, so that a script can tell the wrong machine from a wrong file."""


def _version(wanted: bool) -> None:
    if wanted:
        from echo_rt import __version__

        typer.echo(f"echo-rt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def file(
    recordings: Annotated[
        list[str], typer.Argument(metavar="RECORDING...", help="DICOM cines, videos, folders, globs.")
    ],
    a2c: Annotated[
        str | None, typer.Option(metavar="A2C", help="Two-chamber view of the same heart, for biplane EF.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, one folder a recording; none are kept without it.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A shipped model's name or an .onnx file; see `echo-rt models`.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where the network runs; see `echo-rt doctor`.")] = "auto",
    ef_method: Annotated[
        str, typer.Option(help="What EF is made of: disks, area-length, area; area-extremes of the clip.")
    ] = "disks",
    fps: Annotated[
        float | None, typer.Option(help="Frames a second, for images without a clock or to correct a wrong one.")
    ] = None,
    overlay: Annotated[bool, typer.Option(help="Write overlay.mp4.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the summaries as JSON on standard output.")] = False,
) -> None:
    """Segment recordings: a mask for every frame, the beats, and the ejection fraction."""
    from echo_rt.engine import open_engine
    from echo_rt.errors import ParameterError
    from echo_rt.outputs import as_json
    from echo_rt.sources import find_recordings

    found = find_recordings(recordings)
    if a2c is not None and len(found) != 1:
        raise ParameterError(f"expected one A4C recording beside --a2c, found {len(found)}")
    with open_engine(model, device) as engine:
        batch = Batch(engine, out, {"a2c": a2c, "ef_method": ef_method, "fps": fps, "overlay": overlay})
        for recording in found:
            batch.run(str(recording))
    if json:
        sys.stdout.write(as_json([result for _, result in batch.results]))
    else:
        batch.print_table()
    if batch.failed:
        if len(found) > 1:
            batch.console.print(
                f"{len(batch.failed)} of {len(found)} recordings gave no result: {', '.join(batch.failed)}",
                markup=False,
            )
        raise typer.Exit(BAD_INPUT)


class Batch:
    """Recordings one after the other; a bad one is named and the rest goes on.

    Attributes:
        results: (recording, summary) of those that were read.
        failed: those that could not be read, or in which no ventricle was found.
    """

    def __init__(self, engine: Engine, out: Path | None, options: dict[str, Any]) -> None:
        from rich.console import Console

        self.engine, self.out, self.options = engine, out, options
        # Progress and messages go to standard error, so that standard output holds the result alone.
        self.console: Console = Console(stderr=True, soft_wrap=True)
        self.results: list[tuple[str, dict[str, Any]]] = []
        self.failed: list[str] = []
        self._names: set[str] = set()

    def run(self, recording: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        from echo_rt.pipeline import process

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        try:
            with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bar:
                task = bar.add_task(Path(recording).name, total=None, rate="")

                def progress(done: int, expected: int | None) -> None:
                    speed = bar.tasks[0].speed
                    bar.update(task, completed=done, total=expected, rate=f"{speed:.0f} frames/s" if speed else "")

                result = process(
                    recording,
                    self.engine,
                    out=self.out,
                    name=self._folder_name(recording),
                    progress=progress,
                    **self.options,
                )
        except EchoRtError as error:
            self._fail(recording, str(error))
            return
        self.results.append((recording, result))
        if "biplane" in result and result["ef_percent"] is None:
            self._fail(recording, f"{recording}: no biplane EF: {result['ef_reason']}")
        elif sum(result["rejected_frames"].values()) == result["frames"]:
            reasons = ", ".join(f"{reason} ({n})" for reason, n in result["rejected_frames"].items())
            self._fail(
                recording,
                f"{recording}: expected an apical view of the heart, found none in {result['frames']} frames: {reasons}; no EF",
            )

    def _fail(self, recording: str, message: str) -> None:
        self.failed.append(recording)
        self.console.print(f"echo-rt: {message}", markup=False, highlight=False)

    def _folder_name(self, recording: str) -> str:
        """The recording's stem; of several with one stem the later ones get a number, so that none overwrites
        another."""
        stem = Path(recording).stem if "?" not in recording else recording
        # Of an address such as phantom:?ef=55&hr=70 all signs that some file system refuses are left out.
        stem = re.sub(r"[^\w.= -]+", "_", stem).strip("_") or "recording"
        name, number = stem, 2
        while name in self._names:
            name, number = f"{stem}-{number}", number + 1
        self._names.add(name)
        return name

    def print_table(self) -> None:
        """What was found, a row a recording."""
        from rich.console import Console
        from rich.table import Table

        if not self.results:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        shown = [(Path(recording).stem, result) for recording, result in self.results]
        for name, result in tuple(shown):
            if "biplane" in result:
                shown = [(name, result), *((f"  {view.upper()} alone", result[view]) for view in ("a4c", "a2c"))]
        rows = [_row(result) for _, result in shown]
        # On a narrow screen the name gives way, never a figure.
        table.add_column("recording", overflow="ellipsis", no_wrap=True, max_width=22)
        for number, heading in enumerate(("frames", "EF %", "FAC %", "EDV", "ESV", "bpm", "beats")):
            width = max(len(heading), *(len(row[number]) for row in rows))
            table.add_column(heading, justify="right", no_wrap=True, min_width=width)
        for (name, _), row in zip(shown, rows, strict=True):
            table.add_row(name, *row)
        console = Console()
        console.print(table)
        plain = Console(soft_wrap=True)
        for name, result in shown:
            for note in _notes(result):
                plain.print(f"{name.strip()}: {note}", markup=False, highlight=False)
        if self.out is not None:
            plain.print(f"results in {self.out}", markup=False, highlight=False)


def _row(result: dict[str, Any]) -> list[str]:
    def number(name: str, digits: int = 0, unit: str = "") -> str:
        return "-" if result[name] is None else f"{result[name]:,.{digits}f}{unit}"

    ef = number("ef_percent")
    if result["ef_low"] is not None:
        ef += f" ({result['ef_low']:.0f}-{result['ef_high']:.0f})"
    digits, unit = {"mL": (1, " mL"), "px3": (0, " px³"), None: (0, "")}[result["volume_unit"]]
    volumes = [number(name, digits, unit) for name in ("edv", "esv")]
    accepted = (
        len(result["biplane"]["beats"]) if "biplane" in result else sum(beat["accepted"] for beat in result["beats"])
    )
    return [str(result["frames"]), ef, number("fac_percent"), *volumes, number("heart_rate_bpm"), str(accepted)]


def _notes(result: dict[str, Any]) -> list[str]:
    """What a reader must know beside the figures."""
    notes = []
    if "biplane" in result:
        # All else stands beside the two views.
        text = "EF by biplane" if result["ef_percent"] is not None else f"no biplane EF: {result['ef_reason']}"
        return [note for note in (text, result["biplane"]["volume_note"]) if note]
    if result["ef_percent"] is None:
        notes.append(f"no EF: {result['ef_reason']}")
    elif result["ef_method"] == "clip-extremes":
        notes.append("EF from the largest and the smallest volume of the clip, which holds no whole beat")
    elif result["ef_method"] == "area-extremes":
        notes.append("EF from the largest and the smallest area of the clip: a change of area, not of volume")
    elif result["ef_method"] != "disks":
        notes.append(f"EF by {result['ef_method']}")
    if result["ef_percent"] is not None and (line := result["ef_calibration"]) is not None:
        notes.append(f"EF calibrated by the model: {line['slope']:.2f} x measured {line['offset']:+.1f}")
    if result["spacing_note"]:
        notes.append(result["spacing_note"])
    for kind, reasons in (("frames", result["rejected_frames"]), ("beats", result["rejected"])):
        if reasons:
            notes.append(f"{kind} left out: " + ", ".join(f"{reason} ({n})" for reason, n in reasons.items()))
    return notes


@app.command()
def models(json: Annotated[bool, typer.Option("--json", help="Print them as a JSON list.")] = False) -> None:
    """List the shipped models, their licences and figures."""
    from echo_rt.model import models as shipped

    if json:
        from echo_rt.outputs import as_json

        sys.stdout.write(as_json([model.to_dict() for model in shipped()]))
        return
    for model in shipped():
        spec = model.spec
        typer.echo(f"{model.name}  version {spec.version}, input {spec.height}x{spec.width}, {', '.join(model.files)}")
        typer.echo(f"    views       {', '.join(spec.views)}")
        typer.echo(f"    data        {spec.training_data}")
        typer.echo(f"    licence     {spec.licence}")
        if spec.citation:
            typer.echo(f"    cite        {spec.citation}")
        for name, figures in spec.figures.items():
            typer.echo(f"    {name:<11} {', '.join(f'{key} {value:g}' for key, value in figures.items())}")
        if spec.ef_calibration is not None:
            typer.echo(
                f"    EF          {spec.ef_calibration[0]:.3f} x measured {spec.ef_calibration[1]:+.2f}, fitted on training patients"
            )
        typer.echo(f"    file        {model.path}")


app.command()(live)
app.command()(bench)


@app.command()
def doctor(
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="Say why this feed does not open, and what to do.")
    ] = None,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Run simulated hearts of known volume through the engine.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="For the self-test: a shipped model's name or an .onnx file.")
    ] = None,
    device: Annotated[str, typer.Option(help="For the self-test: where the network runs.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what is installed, which devices work, and why others do not."""
    from json import dumps

    if self_test:
        _self_test(model, device, json)
        return
    from echo_rt.doctor.machine import examine

    if source is None:
        findings = examine()
    else:
        from echo_rt.doctor.feed import examine_source

        findings = examine_source(source)
    if json:
        typer.echo(dumps([finding.to_dict() for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else '-   '}{finding.name:<22} {finding.text}")
    if any(not finding.ok and finding.needed for finding in findings):
        raise typer.Exit(BAD_INPUT)


def _self_test(model: str | None, device: str, json: bool) -> None:
    from json import dumps

    from echo_rt.doctor.selftest import self_test
    from echo_rt.engine import open_engine

    with open_engine(model, device) as engine:
        description, results = engine.description, self_test(engine)
    if json:
        typer.echo(dumps({"engine": description, "cases": [result.to_dict() for result in results]}, indent=2))
    else:
        typer.echo(description)
        for result in results:
            typer.echo(f"{'ok  ' if result.ok else 'BAD '}{result.uri}")
            if result.ef_percent is None:
                typer.echo(f"      no beat found, expected {result.true_beats}")
                continue
            typer.echo(
                f"      EF {result.ef_percent:.1f} % (true {result.true_ef_percent:.1f}), EDV {result.volume_error_percent:+.0f} %, "
                f"ED {1e3 * (result.ed_error_s or 0):+.0f} ms, ES {1e3 * (result.es_error_s or 0):+.0f} ms, "
                f"{result.beats} beats (true {result.true_beats})"
            )
    if not all(result.ok for result in results):
        raise typer.Exit(BAD_INPUT)


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(metavar="OUT.(avi|mp4|dcm)", help="The clip; its truth is written beside it.")],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="ef=40 hr=70 fps=50 seconds=10 seed=1 ...")
    ] = None,
) -> None:
    """Write a simulated apical four-chamber clip whose volumes are known, and its truth."""
    from echo_rt.errors import ParameterError
    from echo_rt.phantom import open_phantom, write

    given = options or []
    if wrong := [option for option in given if "=" not in option]:
        raise ParameterError(f"phantom: expected KEY=VALUE such as ef=40, found {wrong[0]!r}")
    if not any(option.startswith("seconds=") for option in given):
        given = [*given, "seconds=10"]
    for path in write(open_phantom("phantom:?" + "&".join(given)), out):
        typer.echo(str(path))


# Sub-commands of the training and export packages: each is a function that takes the rest of the command line. They are
# known by name without being imported, so that `echo-rt file` never pays for them.
def _add_extension(point: EntryPoint) -> None:
    def run(context: typer.Context) -> None:
        try:
            command = point.load()
        except ImportError as error:
            if (error.name or "echo_rt").split(".")[0].startswith("echo_rt"):
                raise
            raise MissingExtraError(f"echo-rt {point.name} (without {error.name})", point.extras[0]) from None
        command(context.args)

    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command(
        point.name, context_settings=settings, help=f"Needs echo-rt[{point.extras[0]}]; `echo-rt {point.name} --help`."
    )(run)


for _point in sorted(entry_points(group="echo_rt.commands")):
    _add_extension(_point)


def main() -> None:
    """Run the command line; the process ends with its status."""
    try:
        status = app(standalone_mode=False)
    except EchoRtError as error:
        typer.echo(f"echo-rt: {error}", err=True)
        status = NO_DEVICE if isinstance(error, NoDeviceError) else BAD_INPUT
    except _UsageError as error:
        error.show()
        status = BAD_INPUT
    except ImportError as error:
        from echo_rt.doctor.machine import missing_library

        if (advice := missing_library(error)) is None:
            raise
        typer.echo(f"echo-rt: {advice}", err=True)
        status = BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("echo-rt: interrupted; results that were not finished are not kept", err=True)
        status = 130
    except BrokenPipeError:
        # The reader of our output left, as `head` does; nobody is there to be told.
        sys.stderr.close()
        status = 141
    sys.exit(status or 0)
