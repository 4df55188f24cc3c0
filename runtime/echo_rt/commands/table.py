"""What `echo-rt file` prints of its recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from echo_rt.errors import printable
from echo_rt.fields import significant
from echo_rt.outputs.notes import ef_notes, recording_notes
from echo_rt.result import RecordingResult

HEADINGS = ("recording", "frames", "EF %", "FAC %", "EDV", "ESV", "bpm", "beats")

NAME_WIDTH = 9, 48
"""Least and most columns of a recording's name. On a narrow screen the names give way, never a figure."""


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is: a path with ``:x:`` or ``[bold]`` in it is no markup."""
    return Console(stderr=stderr, soft_wrap=True, markup=False, emoji=False, highlight=False)


def labels(recordings: Sequence[str]) -> list[str]:
    """Names that tell recordings apart: their stems, with as many folders before them as that takes."""
    paths = [(text,) if "?" in text else (*Path(text).parts[:-1], Path(text).stem) for text in recordings]
    alike = Counter(paths)  # those of one folder differ in what comes after the stem
    paths = [
        path if alike[path] == 1 else (*path[:-1], Path(text).name)
        for path, text in zip(paths, recordings, strict=True)
    ]
    shown = [path[-1:] for path in paths]
    for depth in range(2, 1 + max(map(len, paths), default=0)):
        seen = Counter(shown)
        if len(seen) == len(shown):
            break
        shown = [path if seen[path] == 1 else whole[-depth:] for path, whole in zip(shown, paths, strict=True)]
    return [printable("/".join(path).replace("//", "/")) for path in shown]


def print_table(results: Sequence[tuple[str, RecordingResult, Sequence[str]]]) -> None:
    """Print what was found, a row a recording, and what a reader must know beside the figures.

    Args:
        results: of each recording its label, its result, and what to say of its files.
    """
    shown = [(name, result) for label, whole, _ in results for name, result in _views(label, whole)]
    out = console()
    for line in lines([(name, *_figures(result)) for name, result in shown], out.width):
        out.print(line, no_wrap=True, overflow="ignore", crop=False)
    for label, whole, said in results:
        for name, result in _views(label, whole):
            for note in _notes(result):
                out.print(f"{name.strip()}: {printable(note)}")
        for note in said:
            out.print(f"{label}: {printable(note)}")


def lines(rows: Sequence[tuple[str, ...]], width: int) -> list[Text]:
    """The table, as wide as the screen if all figures are whole in it. The first column gives way."""
    widths = [max(map(cell_len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    least, most = NAME_WIDTH
    gap = 2 if least + sum(widths[1:]) + 2 * (len(widths) - 1) <= width else 1
    room = width - sum(widths[1:]) - gap * (len(widths) - 1)
    widths[0] = max(least, min(widths[0], most, room))
    made = []
    for row in (HEADINGS, *rows):
        name = _fitted(row[0], widths[0])
        cells = [name + " " * (widths[0] - cell_len(name))]
        cells += [" " * (wide - cell_len(cell)) + cell for cell, wide in zip(row[1:], widths[1:], strict=True)]
        made.append(Text((" " * gap).join(cells), style="bold" if row is HEADINGS else ""))
    return made


def _fitted(name: str, width: int) -> str:
    """The name, without its middle where it is too long: both ends tell names apart."""
    if cell_len(name) <= width:
        return name
    start, end = "", ""
    for sign in name:
        if cell_len(start + sign) > (width - 1) // 2:
            break
        start += sign
    for sign in reversed(name):
        if cell_len(start + sign + end) > width - 1:
            break
        end = sign + end
    return f"{start}…{end}"


def _views(label: str, result: RecordingResult) -> list[tuple[str, RecordingResult]]:
    """The rows of a result: one, or with two views those of each as well."""
    if (views := result.two_views) is None:
        return [(label, result)]
    return [(label, result), ("  A4C alone", views.a4c), ("  A2C alone", views.a2c)]


def _figures(result: RecordingResult) -> list[str]:
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
    ef = result.ef
    if (views := result.two_views) is not None:
        # All else stands beside the two views.
        text = "EF by biplane" if ef.percent is not None else f"no biplane EF: {ef.reason}"
        return [note for note in (text, views.biplane.volume_note, *views.biplane.doubts) if note]
    notes = [*ef_notes(result), *recording_notes(result.provenance)]
    for kind, reasons in (("frames", result.frames.rejected), ("beats", result.rejected_beats)):
        if reasons:
            notes.append(f"{kind} left out: " + ", ".join(f"{reason} ({n})" for reason, n in reasons.items()))
    return notes
