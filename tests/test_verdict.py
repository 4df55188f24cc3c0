"""What is seen over time has to be a heart before there is an EF."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from echo_rt.cardiac.acceptance import NO_SYSTOLE, TOO_FEW_FRAMES, TOO_SHORT
from echo_rt.cardiac.clip_extremes import Extremes
from echo_rt.cardiac.curve import Sample
from echo_rt.cardiac.ejection_fraction import RollingEjectionFraction
from echo_rt.cardiac.measures.rolling import rolling_of
from echo_rt.cardiac.verdict import ALONE, FEW_BEATS, MOSTLY_REJECTED, UNLIKE, Stretch, Stretches
from echo_rt.chambers import Scale
from echo_rt.reading import Beat
from support.hearts import volume_at


def beat(ef: float, reason: str | None = None) -> Beat:
    return Beat(0.0, 0.3, 1.0, 100.0, 100 - ef, 50.0, 30.0, ef, ef / 2, reason)


def after(beats: Sequence[Beat], share: float = 1.0) -> RollingEjectionFraction:
    rolling = RollingEjectionFraction("disks")
    for one in beats:
        rolling.update(one, share)
    return rolling


def test_one_beat_is_enough_only_in_a_view_that_was_hardly_lost() -> None:
    assert after([beat(55)], share=0.6).current.percent == 55
    alone = after([beat(55)], share=0.4)
    assert (alone.current.percent, alone.current.reason) == (None, FEW_BEATS)
    assert after([beat(55), beat(57)], share=0.4).current.percent == 56


def test_beats_that_are_unlike_each_other_give_no_figure_and_no_heart_rate() -> None:
    wild = after([beat(ef) for ef in (10, 70, 45, 12, 66)])
    assert (wild.current.percent, wild.current.reason) == (None, UNLIKE)
    assert wild.beats == ()
    bigeminy = after([beat(ef) for ef in (60, 30, 58, 31, 61)])
    assert bigeminy.current.percent == 58


def test_where_most_beats_are_rejected_there_is_no_figure() -> None:
    bad = beat(50, "too few good frames")
    assert after([bad, bad, bad, beat(55), beat(56)]).current.reason == MOSTLY_REJECTED
    assert after([bad, beat(55), beat(56)]).current.percent == 55.5


def test_beats_that_are_no_hearts_take_a_figure_back_and_a_lost_view_does_not() -> None:
    for reason, gone in ((NO_SYSTOLE, True), (TOO_SHORT, True), (TOO_FEW_FRAMES, False)):
        rolling = after([beat(26), beat(21), *[beat(17, reason)] * 4])
        assert (rolling.current.reason == MOSTLY_REJECTED) is gone
        # A heart with many good beats keeps its figure where its last ones alone are bad.
        assert after([beat(55)] * 12 + [beat(17, reason)] * 4).current.percent == 55


def test_a_single_beat_has_a_figure_only_as_long_as_a_next_one_may_come() -> None:
    one = Beat(1.0, 1.3, 2.0, 100.0, 45.0, 50.0, 30.0, 55.0, 40.0, None)
    for view, reason in (
        (Stretch(0.5, 4.9, 100, 100), None),
        (Stretch(0.5, 5.1, 100, 100), ALONE),
        (Stretch(0.5, 5.1, 50, 100), None),  # hardly seen
        (Stretch(1.5, 5.1, 100, 100), None),  # the view was lost in between
    ):
        rolling = after([one])
        assert rolling.at(5.1, view).reason == reason
        assert bool(rolling.beats) is (reason is None)
        # A next beat that is like it speaks for a heart again.
        rolling.update(replace(one, t_ed_s=5.0, t_next_ed_s=6.0))
        assert rolling.at(6.1, view).percent == 55


def test_without_a_figure_there_is_no_rhythm_either() -> None:
    wild = [beat(ef) for ef in (10, 70, 45, 12, 66)]
    assert rolling_of((), Scale.PX, 20.0).rr_variation_percent is None
    assert rolling_of(wild, Scale.PX, 20.0).rr_variation_percent == 20


def test_a_figure_that_later_beats_make_doubtful_does_not_stand_at_the_end() -> None:
    rolling = after([beat(55), beat(56)])
    assert rolling.at(2.0).percent == 55.5
    for ef in (5, 90, 20, 80):
        rolling.update(beat(ef))
    assert rolling.at(6.0).reason == UNLIKE


def test_doubtful_beats_are_forgotten_when_no_other_comes_for_long() -> None:
    rolling = after([beat(ef) for ef in (10, 70, 45, 12, 66)])
    assert rolling.at(3.0).reason == UNLIKE
    assert str(rolling.at(60.0).reason).startswith("withdrawn")
    rolling.update(beat(55))
    assert rolling.current.percent == 55


def test_a_stretch_ends_after_a_gap_and_the_longest_is_kept() -> None:
    stretches = Stretches()
    begins = [stretches.update(0.04 * k, k < 50 or k > 70) for k in range(100)]
    assert [k for k, begun in enumerate(begins) if begun] == [0, 71]
    assert stretches.longest is not None
    assert (stretches.longest.first_s, stretches.longest.usable) == (0.0, 50)
    assert stretches.share == pytest.approx(0.5, abs=0.01)


def test_a_stretch_of_which_every_second_frame_is_lost_is_none() -> None:
    stretches = Stretches()
    for k in range(100):
        stretches.update(0.04 * k, k % 2 == 0)
    assert stretches.share == 0


def shown(volumes: Sequence[float | None], fps: float = 25.0) -> Extremes:
    extremes = Extremes()
    for k, volume in enumerate(volumes):
        extremes.update(k / fps, None if volume is None else Sample(k / fps, volume, volume ** (2 / 3)))
    return extremes


def test_the_extremes_are_those_of_one_unbroken_view_of_most_of_the_recording() -> None:
    heart = [float(volume) for volume in volume_at(np.arange(20) / 25)]
    found = shown([None] * 6 + heart + [None] * 6)
    assert found.result(None).extremes is not None
    assert found.result(None).extremes.ef_percent == pytest.approx(60, abs=4)
    # Ten usable frames of 74, in pieces, as where the probe slides.
    pieces = ([None] * 16 + heart[:5]) * 3 + [None] * 11
    assert shown(pieces).result(None).extremes is None
    for lost in (8, 40):
        assert "most of the recording at a stretch" in str(shown([None] * 2 * lost + heart).result(None).reason)


@pytest.mark.parametrize("bpm", [45, 75, 150])
@pytest.mark.parametrize("first", [0.0, 0.2, 0.35, 0.6, 0.8])
def test_every_heart_without_a_whole_beat_has_extremes(bpm: float, first: float) -> None:
    """From anywhere in its beat on, for as long as a beat lasts."""
    heart = volume_at(first + np.arange(0, 1, bpm / 60 / 50))
    found = shown([float(volume) for volume in heart], fps=50).result(None).extremes
    assert found is not None
    assert found.ef_percent == pytest.approx(60, abs=3)


def test_a_volume_that_only_drifts_is_no_heart() -> None:
    """As where the probe slides, or a patient breathes."""
    breathing = 100 + 30 * np.cos(2 * np.pi * np.arange(75) / 25 / 4)
    found = shown([float(volume) for volume in breathing])
    assert "more slowly than a heart's" in str(found.result(None).reason)
    assert found.result(None, with_beats=True).extremes is not None


def test_a_long_view_without_a_beat_is_none_of_a_heart() -> None:
    """It dips once in five seconds."""
    dip = [float(volume) for volume in volume_at(np.arange(20) / 20)]
    found = shown([120.0] * 50 + dip + [120.0] * 55)
    assert found.result(None).reason == "no heart beat in an unbroken view of 5 s"


def test_a_larger_ventricle_of_a_shorter_view_is_not_taken_for_end_diastole() -> None:
    heart = [float(volume) for volume in volume_at(np.arange(25) / 25)]
    other = [400.0] * 8
    found = shown(other + [None] * 9 + heart * 2).result(None).extremes
    assert found is not None
    assert found.edv < 130


def test_volumes_that_jump_from_frame_to_frame_are_no_heart() -> None:
    rng = np.random.default_rng(1)
    jumping = shown([float(volume) for volume in rng.uniform(40, 120, 40)]).result(None)
    assert jumping.extremes is None
    assert "jumps" in str(jumping.reason)
