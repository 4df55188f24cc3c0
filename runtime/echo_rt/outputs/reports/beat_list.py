"""The beats of a page: those that count with their figures, those left out with the reason."""

from __future__ import annotations

from typing import Any, NamedTuple

from echo_rt.errors import printable
from echo_rt.outputs.reports.numbers import VOLUME_DIGITS, Number, number
from echo_rt.result import RecordingResult

LISTED, COLUMN = 60, 6
"""Beats that are listed, the last ones, and how many stand in a column of several at least."""


class ListedBeat(NamedTuple):
    """A beat, or of two views a pair. One that does not count has its reason and no figure.

    Attributes:
        place: its number, from 1.
        at: when it begins, in seconds.
        figures: EF, EDV, ESV and heart rate.
        reason: why it does not count; empty where it does.
        in_ef: EF stands on it.
    """

    place: int
    at: Number
    figures: list[Number | None]
    reason: str
    in_ef: bool


class BeatList(NamedTuple):
    """The beats to be listed.

    Attributes:
        columns: those that are listed, in columns of like length.
        earlier: how many earlier ones are not.
        counted: how many count.
        left_out: how many do not, by reason.
        volume_unit: of EDV and ESV; empty without one.
    """

    columns: list[list[ListedBeat]]
    earlier: int
    counted: int
    left_out: dict[str, int]
    volume_unit: str


def beat_list(result: RecordingResult, told: dict[str, Any]) -> BeatList:
    """Those of a result; with two views the pairs. Without an EF none is listed: their figures would pass for one."""
    unit = told["volume_unit"] or ""
    listed: list[ListedBeat] = []
    if result.ef.percent is not None:
        listed = _pairs(result, told, unit) if result.two_views else _beats(result, told, unit)
    last = listed[-LISTED:]
    columns = max(1, min(3, len(last) // COLUMN))
    high = -(-len(last) // columns)
    return BeatList(
        columns=[last[n : n + high] for n in range(0, len(last), high or 1)],
        earlier=len(listed) - len(last),
        counted=result.accepted_beats,
        left_out={printable(reason): count for reason, count in result.rejected_beats.items()},
        volume_unit={"px3": "px³"}.get(unit, unit),
    )


def _beats(result: RecordingResult, told: dict[str, Any], unit: str) -> list[ListedBeat]:
    accepted = [n for n, beat in enumerate(result.beats) if beat.accepted]
    in_ef = set(accepted[-result.ef.beats :]) if result.ef.beats else set()
    listed = []
    for n, beat in enumerate(result.beats):
        at = number(told, f"beats.{n}.t_ed_s", 2, "s")
        assert at is not None  # every beat has a time
        figures = _figures(told, f"beats.{n}", unit, "heart_rate_bpm") if beat.accepted else []
        reason = "" if beat.accepted else printable(beat.reason or "rejected")
        listed.append(ListedBeat(n + 1, at, figures, reason, n in in_ef))
    return listed


def _pairs(result: RecordingResult, told: dict[str, Any], unit: str) -> list[ListedBeat]:
    listed = []
    for n in range(len(told["biplane"]["beats"])):
        at = number(told, f"biplane.beats.{n}.t_ed_a4c_s", 2, "s")
        assert at is not None  # every beat has a time
        listed.append(ListedBeat(n + 1, at, _figures(told, f"biplane.beats.{n}", unit, "heart_rate_a4c_bpm"), "", True))
    return listed


def _figures(told: dict[str, Any], at: str, unit: str, rate: str) -> list[Number | None]:
    digits = VOLUME_DIGITS.get(unit, 0)
    keys = (("ef_percent", 1), ("edv", digits), ("esv", digits), (rate, 1))
    return [number(told, f"{at}.{key}", shown) for key, shown in keys]
