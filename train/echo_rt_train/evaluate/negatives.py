"""How often something that is no apical view gets a figure. Each time is a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from rich.progress import track

import echo_rt
from echo_rt.engine import Engine
from echo_rt.errors import DataError, SourceError
from echo_rt_train.data import DataReport, Negative, SampleError
from echo_rt_train.data.pictures import decoded
from echo_rt_train.data.tables import is_file
from echo_rt_train.evaluate.first_frame import as_first_frame


@dataclass(frozen=True)
class Answer:
    """What the product says of one file.

    Attributes:
        negative: the file.
        mistaken: a picture is called usable, or a recording gets an EF.
        ef_percent, method, beats: of a recording: its EF or None, what it is made of, and the beats that were found.
    """

    negative: Negative
    mistaken: bool
    ef_percent: float | None = None
    method: str = ""
    beats: int = 0


def measure_negatives(engine: Engine, negatives: Sequence[Negative], report: DataReport) -> list[Answer]:
    """Show every picture to engine and monitor as a first frame, and follow every recording to its end.

    Args:
        engine: an open engine.
        negatives: what is shown.
        report: where files that cannot be read are noted; without `strict` they are left out.

    Raises:
        DataError: no file can be read, or one cannot and the report is strict.
    """
    shown = track(negatives, "evaluating negatives", len(negatives), transient=True)
    found = [answer for negative in shown if (answer := _answer(engine, negative, report)) is not None]
    if not found:
        raise DataError(
            f"{report.origin}: expected pictures or recordings, found none that can be read; "
            "check the names in index.csv"
        )
    return found


def _answer(engine: Engine, negative: Negative, report: DataReport) -> Answer | None:
    """None where the file cannot be read, which is noted."""
    try:
        return _followed(engine, negative) if negative.is_recording else _shown(engine, negative)
    except SampleError as error:
        report.note(error)
        return None


def _shown(engine: Engine, negative: Negative) -> Answer:
    if not is_file(negative.path):
        raise SampleError(f"{negative.path}: expected an image, found no file", "missing file")
    image = decoded(negative.path, cv2.IMREAD_COLOR)
    if image is None:
        raise SampleError(f"{negative.path}: expected a readable image, found an unreadable file")
    return Answer(negative, as_first_frame(engine, np.asarray(image, np.uint8))[1])


def _followed(engine: Engine, negative: Negative) -> Answer:
    try:
        result = echo_rt.process(negative.path, engine)
    except SourceError as error:
        kind = "unreadable video" if negative.path.exists() else "missing file"
        raise SampleError(str(error), kind) from None
    ef = result.ef
    return Answer(negative, ef.percent is not None, ef.percent, ef.method, len(result.beats))


def negatives_summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """How many were mistaken for an apical view.

    Returns:
        ``pictures`` and ``recordings``, each ``{"all": {"shown", "mistaken", "share"}, "by_organ_or_view": {name: the
        same}, "files": [...]}``, where there are any. ``files`` are those mistaken: the ``file``, its
        ``organ_or_view``, and of a recording ``ef_percent``, ``method`` and ``beats``.
    """
    found: dict[str, Any] = {}
    for kind, recordings in (("pictures", False), ("recordings", True)):
        chosen = [answer for answer in answers if answer.negative.is_recording == recordings]
        if chosen:
            names = sorted({answer.negative.organ_or_view for answer in chosen})
            parts = {name: _share([a for a in chosen if a.negative.organ_or_view == name]) for name in names}
            files = [_file(answer) for answer in chosen if answer.mistaken]
            found[kind] = {"all": _share(chosen), "by_organ_or_view": parts, "files": files}
    return found


def _share(answers: Sequence[Answer]) -> dict[str, Any]:
    mistaken = sum(answer.mistaken for answer in answers)
    return {"shown": len(answers), "mistaken": mistaken, "share": mistaken / len(answers)}


def _file(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {"file": answer.negative.path.name, "organ_or_view": answer.negative.organ_or_view}
    if answer.negative.is_recording:
        found |= {"ef_percent": answer.ef_percent, "method": answer.method, "beats": answer.beats}
    return found
