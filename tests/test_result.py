"""What a recording comes to: the result that every output renders."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise

import numpy as np
import pytest

from echo_rt.cardiac.biplane import biplane
from echo_rt.cardiac.recording import NO_EF, RecordingHistory
from echo_rt.cardiac.verdict import UNLIKE
from echo_rt.chambers import BeatDisks, Disks
from echo_rt.measures import Rolling
from echo_rt.outputs import as_json
from echo_rt.reading import SEGMENTS, BeatDetails, EjectionFraction, Quality, Reason
from echo_rt.result import ClipExtremes, ClipFigures
from support.results import provenance, result_of
from support.synthetic import clip
from support.walls import beat_of

DISKS = BeatDisks(Disks((40.0,) * 20, 80.0), Disks((30.0,) * 20, 70.0))


def test_a_result_is_frozen_and_prints_as_one_short_line() -> None:
    result = result_of(clip(75))
    with pytest.raises(FrozenInstanceError):
        result.edv = 1.0  # type: ignore[misc]
    assert repr(result).startswith("RecordingResult('clip.dcm', EF ")
    assert len(repr(result)) < 120
    assert repr(result_of()) == "RecordingResult('clip.dcm', no EF: no frames, 0 beats, 0 frames)"


def test_a_clip_without_a_beat_is_summed_up_by_its_extremes_and_says_so() -> None:
    frames = list(clip(20, beats_found=False))
    found = result_of(frames, ClipFigures(ClipExtremes(0.1, 0.4, 100.0, 45.0, 30.0, 20.0, 55.0, 33.3)))
    assert (found.ef.percent, found.ef.method, found.edv) == (55.0, "clip-extremes", 100.0)
    none = result_of(frames, ClipFigures(reason="the volume hardly changes"))
    assert (none.ef.percent, none.ef.reason, none.extremes) == (None, "the volume hardly changes", None)


def test_the_calibration_of_the_figure_stands_beside_it() -> None:
    assert result_of().to_dict()["ef_calibration"] is None
    found = result_of(source=provenance(ef_calibration=(0.9, 4.0))).to_dict()
    assert found["ef_calibration"] == {"slope": 0.9, "offset": 4.0}


def test_a_recording_keeps_its_last_figure_and_says_that_it_went_stale() -> None:
    frames, history = list(clip(150, spacing_mm=None)), RecordingHistory()
    figure = frames[-1][1].ef
    for n, (frame, reading) in enumerate(frames):
        if n >= 140:
            reading = replace(reading, ef=replace(figure, stale=True, reason="stale: no good beat for 6 s"))
        if n >= 145:
            gone = EjectionFraction(None, None, None, 0, "disks", "withdrawn: no good beat for 31 s")
            reading = replace(reading, ef=gone, rolling=Rolling())
        history.update(frame, reading)
        found = history.result(provenance())
        if n >= 139:
            assert found.ef.percent == pytest.approx(figure.percent, abs=0.06)
            assert None not in (found.fac_percent, found.heart_rate_bpm, found.edv)
            expected = {139: None, 140: "stale: no good beat for 6 s", 149: "withdrawn: no good beat for 31 s"}
            assert found.ef.reason == expected.get(n, found.ef.reason)


def test_beats_that_are_not_enough_for_a_figure_count_nowhere() -> None:
    """Neither in the wall nor in a second view of the same heart; and not after they were forgotten either."""
    wall = beat_of(*(np.full((2, len(SEGMENTS)), size) for size in (10.0, 9.9)))
    for last in (UNLIKE, "withdrawn: no good beat for 31 s"):
        frames = []
        for n, (frame, reading) in enumerate(clip(150)):
            none = EjectionFraction(None, None, None, 0, "disks", UNLIKE if n < 149 else last)
            beat = reading.beat and replace(reading.beat, details=BeatDetails(DISKS, wall=wall))
            frames.append((frame, replace(reading, ef=none, rolling=Rolling(), beat=beat)))
        doubted = result_of(frames)
        assert doubted.ef.reason == last
        assert len(doubted.beats) > 3
        assert doubted.rejected_beats == {UNLIKE: len(doubted.beats)}
        assert (doubted.accepted_beats, doubted.wall.segments, doubted.wall.note) == (0, (), NO_EF)
        paired = biplane(doubted.beats, doubted.beats, calibrated=(True, True), error_points=2.0)
        assert paired.ef.percent is None
        assert "no accepted beat in the A4C and A2C recording" in str(paired.ef.reason)
        # The same beats with a figure.
        figure = EjectionFraction(56.0, 50.0, 62.0, 4, "disks")
        known = result_of([*frames[:-1], (frames[-1][0], replace(frames[-1][1], ef=figure))])
        assert known.accepted_beats == len(known.beats)
        assert len(known.wall.segments) == len(SEGMENTS)


def test_a_recording_without_a_figure_says_what_most_of_its_frames_were() -> None:
    colour = Quality(False, Reason.COLOUR_DOPPLER, 0.9)
    frames = [
        (frame, replace(reading, quality=colour) if n < 15 else reading)
        for n, (frame, reading) in enumerate(clip(20, beats_found=False))
    ]
    found = result_of(frames, ClipFigures(reason="too few good frames"))
    assert found.ef.reason == "too few good frames; 15 of 20 frames: colour Doppler"
    assert found.frames.rejected == {Reason.COLOUR_DOPPLER: 15}


def test_volumes_are_those_of_the_beats_that_the_ef_stands_on() -> None:
    frames = []
    for frame, reading in clip(270, fps=30, heart_rate_bpm=75):  # 11 beats, of which the figure takes the last 5
        # The first beats are three times as large: a median over all beats would show it.
        if reading.beat is not None and reading.beat.t_ed_s < 4.4:  # six of them
            reading = replace(reading, beat=replace(reading.beat, edv=3 * reading.beat.edv))
        frames.append((frame, reading))
    found = result_of(frames)
    assert len(found.beats) == found.accepted_beats == 11
    assert found.edv == pytest.approx(found.beats[-1].edv, rel=1e-5)
    assert found.beats[0].edv == pytest.approx(3 * found.edv, rel=1e-5)


def test_what_is_not_a_number_becomes_null_and_never_breaks_the_json() -> None:
    frames = [
        (frame, reading)
        if reading.beat is None
        else (frame, replace(reading, beat=replace(reading.beat, edv=float("nan"), ef_percent=float("inf"))))
        for frame, reading in clip(60)
    ]
    found = json.loads(as_json(result_of(frames).to_dict()))
    assert (found["edv"], found["beats"][0]["ef_percent"]) == (None, None)


def test_latency_is_the_total_where_there_is_one_else_the_sum_of_the_stages() -> None:
    frame, reading = next(iter(clip(1)))
    stages = {"network": 5.0, "monitor": 1.5}
    for time_ms, expected in ((stages, 6.5), ({"decode": 90.0, **stages, "total": 7.0}, 7.0)):
        found = result_of([(frame, replace(reading, time_ms=time_ms))])
        assert found.frames.latency_ms["max"] == expected


def test_the_rolling_figure_is_kept_wherever_it_changed() -> None:
    frames = list(clip(270, fps=30, heart_rate_bpm=75))
    rolling = result_of(frames).rolling
    assert [t_s for t_s, _ in rolling] == sorted({t_s for t_s, _ in rolling})
    assert rolling[-1][1] == frames[-1][1].ef
    assert all(one != other for (_, one), (_, other) in pairwise(rolling))
