"""index.html: the recordings whose results lie in a folder, in a table, and those that gave none with the reason."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from echo_rt.errors import OutputError, output_errors, printable
from echo_rt.outputs.owner import SUMMARY
from echo_rt.outputs.reports import REPORTS, THUMBNAIL
from echo_rt.outputs.reports.numbers import VOLUME_DIGITS, Number, number
from echo_rt.outputs.reports.page import TEMPLATES, style, template
from echo_rt.private import check_links, file_mode

INDEX = "index.html"

OURS = b'<meta name="generator" content="echo-rt'
"""Near the start of every index of ours; one without it belongs to somebody else."""

START_BYTES = 2000

REPORT, CURVE = REPORTS["html"].file, "curve.png"

WORDS = ("view", "ef_reason", "rhythm")

FIGURES = (("ef_percent", 1), ("ef_low", 1), ("ef_high", 1), ("heart_rate_bpm", 1))


LARGEST = 1e12
"""A figure that is as large is none, nor is infinity."""


class Entry(NamedTuple):
    """The results of a recording.

    Attributes:
        name: of their folder, for people.
        link: of its page; of the summary where there is no page.
        thumbnail: address of a picture; empty where there is none.
        figures: numbers of the summary, by key.
        told: words of the summary, by key.
        beats: how many count; None where that is not known.
    """

    name: str
    link: str
    thumbnail: str
    figures: dict[str, Number | None]
    told: dict[str, str]
    beats: int | None


def check_index(out: Path) -> Path:
    """Where the index of that folder is.

    Raises:
        OutputError: a file of that name is not ours.
    """
    path = out / INDEX
    try:
        with path.open("rb") as file:
            ours = OURS in file.read(START_BYTES)
    except FileNotFoundError:
        return path
    except OSError:
        ours = False
    if not ours:
        raise OutputError(
            f"{path}: expected no file or an index of echo-rt, found another; move it, or choose another folder"
        )
    return path


def write_index(out: Path, refused: Sequence[tuple[str, str]] = ()) -> Path:
    """Write the index of all results in a folder, those of earlier runs too.

    Args:
        out: the folder of all recordings; every folder in it that holds a summary.json is listed.
        refused: recordings of this run that gave no result, and why.

    Returns:
        Its path.

    Raises:
        MissingExtraError: Jinja is not installed.
        OutputError: it cannot be written, or a file of that name is not ours.
    """
    from markupsafe import Markup

    script = (TEMPLATES / "sort.js").read_text(encoding="utf-8")
    with output_errors(out / INDEX):
        path = check_index(out)
        page = template("index.html").render(
            folder=printable(out.resolve().name),
            entries=entries(out),
            refused=[(printable(recording), printable(why)) for recording, why in refused],
            css=style("page.css") + style("index.css"),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
        _replace(path, page.encode())
    return path


def entries(out: Path) -> list[Entry]:
    """Of each folder with results, in the order of their names."""
    folders = [entry for entry in os.scandir(out) if not entry.name.startswith(".") and entry.is_dir()]
    found = [_entry(Path(entry.path)) for entry in folders if (Path(entry.path) / SUMMARY).is_file()]
    return sorted(found, key=lambda entry: (entry.name.casefold(), entry.name))


def _entry(folder: Path) -> Entry:
    at = quote(os.fsencode(folder.name))
    report = folder / REPORT
    picture = next((name for name in (THUMBNAIL, CURVE) if (folder / name).is_file()), "")
    told = _summary(folder / SUMMARY)
    unit = str(told.get("volume_unit") or "")
    volumes = {key: number(told, key, VOLUME_DIGITS.get(unit, 0), unit) for key in ("edv", "esv")}
    beats = told.get("beats")
    return Entry(
        name=printable(folder.name),
        link=f"{at}/{REPORT if report.is_file() else SUMMARY}",
        thumbnail=f"{at}/{picture}" if picture else "",
        figures=volumes | {key: number(told, key, digits) for key, digits in FIGURES},
        told={key: printable(str(told.get(key) or "")) for key in WORDS},
        beats=_counted(beats) if isinstance(beats, list) else None,
    )


def _counted(beats: list[Any]) -> int:
    return sum(isinstance(beat, dict) and beat.get("accepted") is True for beat in beats)


def _summary(path: Path) -> dict[str, Any]:
    """What a summary.json holds; of one that is damaged the reason alone. A figure that is no number is none."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return {"ef_reason": f"{SUMMARY} cannot be read"}
    keys = ("edv", "esv", *(key for key, _ in FIGURES))
    return told | {key: None for key in keys if not _is_figure(told.get(key))}


def _is_figure(found: Any) -> bool:
    return isinstance(found, (int, float)) and not isinstance(found, bool) and abs(found) < LARGEST


def _replace(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all. Two runs at once both do; the last one's stays."""
    check_links(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.new")
    part.unlink(missing_ok=True)  # of a run that was killed
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode())
    try:
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
