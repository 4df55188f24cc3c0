"""Recordings one after the other, as `echo-rt file` runs them, and the table of what was found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from echo_rt.engine import Engine
from echo_rt.errors import EchoRtError
from echo_rt.fields import significant
from echo_rt.pipeline import process
from echo_rt.reading import AREA_EXTREMES, CLIP_EXTREMES
from echo_rt.result import AS_RECORDED, RecordingResult

NAME_WIDTH = 22
"""Columns of a recording's name in the table. On a narrow screen the name gives way, never a figure."""


@dataclass(frozen=True)
class Options:
    """What `process` is asked for each recording."""

    out: Path | None = None
    a2c: str | None = None
    ef_method: str = "disks"
    fps: float | None = None
    overlay: bool = True


class Batch:
    """Recordings one after the other; a bad one is named and the rest goes on.

    Attributes:
        console: for progress and messages: standard error, so that standard output holds the result alone.
        results: of those that were read.
        failed: those that could not be read, or in which no ventricle was found.
    """

    def __init__(self, engine: Engine, options: Options) -> None:
        self.engine, self.options = engine, options
        self.console = Console(stderr=True, soft_wrap=True)
        self.results: list[RecordingResult] = []
        self.failed: list[str] = []
        self._names: set[str] = set()

    def run(self, recording: str) -> None:
        """Process a recording, show how far it is, and keep its result or name its error."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        options = self.options
        try:
            with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as bar:
                task = bar.add_task(Path(recording).name, total=None, rate="")

                def progress(done: int, expected: int | None) -> None:
                    speed = bar.tasks[0].speed
                    bar.update(task, completed=done, total=expected, rate=f"{speed:.0f} frames/s" if speed else "")

                result = process(
                    recording,
                    self.engine,
                    a2c=options.a2c,
                    out=options.out,
                    name=self._folder_name(recording),
                    ef_method=options.ef_method,
                    fps=options.fps,
                    overlay=options.overlay,
                    progress=progress,
                )
        except EchoRtError as error:
            self._fail(recording, str(error))
            return
        self.results.append(result)
        if (failure := _failure(result)) is not None:
            self._fail(recording, f"{recording}: {failure}")

    def _fail(self, recording: str, message: str) -> None:
        self.failed.append(recording)
        self.console.print(f"echo-rt: {message}", markup=False, highlight=False)

    def _folder_name(self, recording: str) -> str:
        """The recording's stem; of several with one stem the later ones get a number: none overwrites another."""
        stem = Path(recording).stem if "?" not in recording else recording
        # Of an address such as phantom:?ef=55&hr=70 all signs that some file system refuses are left out.
        stem = re.sub(r"[^\w.= -]+", "_", stem).strip("_") or "recording"
        name, number = stem, 2
        while name in self._names:
            name, number = f"{stem}-{number}", number + 1
        self._names.add(name)
        return name

    def print_table(self) -> None:
        """Print what was found, a row a recording, and what a reader must know beside the figures."""
        if not self.results:
            return
        shown = [row for result in self.results for row in _shown(result)]
        rows = [_row(result) for _, result in shown]
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("recording", overflow="ellipsis", no_wrap=True, max_width=NAME_WIDTH)
        for number, heading in enumerate(("frames", "EF %", "FAC %", "EDV", "ESV", "bpm", "beats")):
            width = max(len(heading), *(len(row[number]) for row in rows))
            table.add_column(heading, justify="right", no_wrap=True, min_width=width)
        for (name, _), row in zip(shown, rows, strict=True):
            table.add_row(name, *row)
        Console().print(table)
        plain = Console(soft_wrap=True)
        for name, result in shown:
            for note in _notes(result):
                plain.print(f"{name.strip()}: {note}", markup=False, highlight=False)
        if self.options.out is not None:
            plain.print(f"results in {self.options.out}", markup=False, highlight=False)


def _failure(result: RecordingResult) -> str | None:
    """Why a recording counts as failed though it was read; None where it does not."""
    if result.two_views is not None and result.ef.percent is None:
        return f"no biplane EF: {result.ef.reason}"
    frames = result.frames
    if sum(frames.rejected.values()) == frames.total:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in frames.rejected.items())
        return f"expected an apical view of the heart, found none in {frames.total} frames: {reasons}; no EF"
    return None


def _shown(result: RecordingResult) -> list[tuple[str, RecordingResult]]:
    """The rows of a result: one, or with two views those of each as well."""
    rows = [(Path(result.provenance.recording).stem, result)]
    if (views := result.two_views) is not None:
        rows += [("  A4C alone", views.a4c), ("  A2C alone", views.a2c)]
    return rows


def _row(result: RecordingResult) -> list[str]:
    def number(found: float | None, digits: int = 0, unit: str = "") -> str:
        return "-" if found is None else f"{found:,.{digits}f}{unit}"

    ef = number(result.ef.percent)
    if result.ef.low is not None and result.ef.high is not None:
        ef += f" ({result.ef.low:.0f}-{result.ef.high:.0f})"
    digits, unit = {"mL": (1, " mL"), "px3": (0, " px³"), None: (0, "")}[result.volume_unit]
    volumes = [number(significant(volume), digits, unit) for volume in (result.edv, result.esv)]
    figures = [ef, number(result.fac_percent), *volumes, number(result.heart_rate_bpm)]
    return [str(result.frames.total), *figures, str(result.accepted_beats)]


def _notes(result: RecordingResult) -> list[str]:
    """What a reader must know beside the figures."""
    ef, provenance = result.ef, result.provenance
    if (views := result.two_views) is not None:
        # All else stands beside the two views.
        text = "EF by biplane" if ef.percent is not None else f"no biplane EF: {ef.reason}"
        return [note for note in (text, views.biplane.volume_note) if note]
    notes = []
    if ef.percent is None:
        notes.append(f"no EF: {ef.reason}")
    elif ef.method == CLIP_EXTREMES:
        notes.append("EF from the largest and the smallest volume of the clip, which holds no whole beat")
    elif ef.method == AREA_EXTREMES:
        notes.append("EF from the largest and the smallest area of the clip: a change of area, not of volume")
    elif ef.method != "disks":
        notes.append(f"EF by {ef.method}")
    if ef.percent is not None and (line := provenance.ef_calibration) is not None:
        notes.append(f"EF calibrated by the model: {line[0]:.2f} x measured {line[1]:+.1f}")
    if provenance.orientation != AS_RECORDED:
        notes.append(f"{provenance.orientation}: the apex was at the bottom of the picture")
    if provenance.spacing_note:
        notes.append(provenance.spacing_note)
    notes += provenance.notes
    for kind, reasons in (("frames", result.frames.rejected), ("beats", result.rejected_beats)):
        if reasons:
            notes.append(f"{kind} left out: " + ", ".join(f"{reason} ({n})" for reason, n in reasons.items()))
    return notes
