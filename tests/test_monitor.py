from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.cardiac.ejection_fraction import STALE_S, WITHDRAWN_S, RollingEjectionFraction
from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import ParameterError
from echo_rt.reading import Beat, Reading, Reason
from echo_rt.result import ClipFigures
from support.hearts import volume_at
from support.monitored import SPEC, beating, readings
from support.shapes import segmentation_of, ventricle
from support.toy import changed


def speckle(count: int, left: int = 0) -> list[np.ndarray]:
    """Images (240, 240) that all differ, black to the left of a column."""
    images = np.random.default_rng(1).rayleigh(50, (count, 240, 240)).clip(10, 255).astype(np.uint8)
    images[:, :, :left] = 0
    return list(images)


def outcome(found: list[Reading]) -> list:
    return [(r.ef, r.beat, r.heart_rate_bpm) for r in found]


@pytest.fixture(scope="module")
def clip() -> list:
    return beating(6.0)


def test_a_beating_ventricle_gives_beats_rate_and_ejection_fraction(clip) -> None:
    last = readings(Monitor(SPEC), clip)[-1]
    assert last.quality.ok
    assert last.ef.beats >= 3
    assert last.ef.percent == pytest.approx(50, abs=1.5)
    assert last.heart_rate_bpm == pytest.approx(60, rel=0.03)
    # Here only the width changes, so that area goes with the square root of volume.
    assert last.fac_percent == pytest.approx(100 * (1 - np.sqrt(0.5)), abs=1.5)


def test_what_is_said_at_a_frame_depends_on_the_frames_before_alone(clip) -> None:
    full, part = readings(Monitor(SPEC), clip), readings(Monitor(SPEC), clip[:90])
    assert [(r.ef, r.beat, r.quality) for r in full[:90]] == [(r.ef, r.beat, r.quality) for r in part]


def test_after_a_reset_the_same_frames_give_the_same_readings(clip) -> None:
    monitor = Monitor(SPEC)
    first = readings(monitor, clip)
    monitor.reset()
    again = readings(monitor, clip)
    assert [(r.ef, r.beat) for r in first] == [(r.ef, r.beat) for r in again]
    assert first[-1].ef.percent is not None


def test_the_figure_waits_for_the_first_whole_beat_and_says_so(clip) -> None:
    first = readings(Monitor(SPEC), clip[:20])[-1]
    assert first.ef.percent is None
    assert "waiting" in str(first.ef.reason)


def test_what_a_frame_gives_prints_in_a_short_line_without_arrays(clip) -> None:
    last = readings(Monitor(SPEC), clip)[-1]
    assert repr(last) == f"Reading(index=149, t_s=5.96, quality=ok, ef={last.ef.percent}, beats={last.ef.beats})"
    assert repr(last.wall_beat) == "WallBeat(akinetic=[], px)"
    for part in (last, last.segmentation, last.ventricle, last.wall, last.wall_beat):
        assert part is not None
        assert len(repr(part)) < 300
        assert "array" not in repr(part)


def test_volumes_are_in_ml_where_the_scale_is_known(clip) -> None:
    known = readings(Monitor(SPEC), clip[:1], spacing_mm=(0.5, 0.5))[0].ventricle
    unknown = readings(Monitor(SPEC), clip[:1])[0].ventricle
    assert known is not None
    assert unknown is not None
    assert known.scale.calibrated
    assert known.volume == pytest.approx(unknown.volume * 0.5**3 / 1000, rel=1e-9)
    assert not unknown.scale.calibrated


def test_the_area_method_reports_the_area_change_and_a_calibration_is_applied(clip) -> None:
    area = readings(Monitor(SPEC, ef_method="area"), clip)[-1]
    assert area.ef.percent == area.fac_percent
    assert area.ef.method == "area"
    plain = readings(Monitor(SPEC), clip)[-1].ef.percent
    shifted = readings(Monitor(changed(SPEC, ef_calibration=(1.1, -3.0))), clip)[-1].ef.percent
    assert plain is not None
    assert shifted == pytest.approx(1.1 * plain - 3)


def test_frames_without_a_heart_give_a_reason_and_never_a_number() -> None:
    empty = segmentation_of(np.zeros((240, 240), np.uint8))
    monitor = Monitor(SPEC)
    found = readings(monitor, [(i / 25, empty) for i in range(100)])
    assert {r.quality.reason for r in found} == {Reason.NO_VENTRICLE}
    assert found[-1].ef.percent is None
    assert monitor.clip_figures() == ClipFigures(reason="too few good frames")


def test_a_ring_without_a_mitral_plane_is_not_apical() -> None:
    labels = np.zeros((240, 240), np.uint8)
    yy, xx = np.mgrid[:240, :240]
    radius = np.hypot(yy - 120, xx - 120)
    labels[radius < 60], labels[radius < 45] = 2, 1
    reading = readings(Monitor(SPEC), [(0.0, segmentation_of(labels))])[0]
    assert (reading.quality.ok, reading.quality.reason) == (False, Reason.NOT_APICAL)


def test_a_picture_that_the_model_calls_another_view_is_not_apical() -> None:
    for view, ok in (("A4C", True), ("A2C", True), (None, True), ("other", False)):
        reading = readings(Monitor(SPEC), [(0.0, replace(ventricle(), view=view))])[0]
        assert reading.quality.ok is ok
        assert reading.quality.reason == (None if ok else Reason.NOT_APICAL)


def test_an_unsure_picture_is_called_so() -> None:
    sure = ventricle()
    unsure = replace(sure, probability=(0.6 * sure.probability + 0.1).astype(np.float32), tally=None)
    assert readings(Monitor(SPEC), [(0.0, unsure)])[0].quality.reason == Reason.LOW_CONFIDENCE


def test_a_clip_without_a_whole_beat_gets_its_figure_from_its_extremes() -> None:
    monitor = Monitor(SPEC)
    found = readings(monitor, beating(0.9, fps=50, rate=60, start=0.4))
    assert found[-1].ef.percent is None
    assert monitor.clip_figures().reason is None
    extremes = monitor.clip_figures().extremes
    assert extremes is not None
    assert extremes.ef_percent == pytest.approx(50, abs=3)
    assert extremes.edv > extremes.esv
    # ES at phase 0.35 comes first and is cut, ED is at phase 1.0.
    assert extremes.t_ed_s == pytest.approx(0.6, abs=0.05)


def test_a_still_ventricle_has_no_figure_even_from_its_extremes() -> None:
    monitor = Monitor(SPEC)
    readings(monitor, [(i / 25, ventricle()) for i in range(50)])
    assert monitor.clip_figures() == ClipFigures(reason="the volume hardly changes")


def test_whole_beats_leave_nothing_to_the_extremes(clip) -> None:
    monitor = Monitor(SPEC)
    readings(monitor, clip)
    assert monitor.clip_figures() == ClipFigures(reason="whole beats were seen")
    assert monitor.clip_figures(even_with_beats=True).extremes is not None


def test_unknown_methods_and_counts_are_refused() -> None:
    with pytest.raises(ParameterError, match="expected an EF method of disks, area-length, area"):
        Monitor(SPEC, ef_method="guess")
    with pytest.raises(ParameterError, match="at least 1 beat"):
        Monitor(SPEC, beats=0)


# -- frames that repeat --


def test_a_picture_that_stands_still_never_gives_a_figure_whatever_the_network_sees_in_it(clip) -> None:
    monitor = Monitor(SPEC)
    found = readings(monitor, clip, images=speckle(1) * len(clip))
    assert [r.quality.reason for r in found] == [None] + [Reason.FROZEN] * (len(clip) - 1)
    assert {r.ef.percent for r in found} == {None}
    assert "waiting" in str(found[-1].ef.reason)
    assert monitor.clip_figures() == ClipFigures(reason="too few good frames")


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=10, max_size=10))
def test_repeated_frames_are_named_and_change_no_beat(clip, times_shown: list[int]) -> None:
    images = speckle(len(clip))
    twice, shown = [], []
    for k, (t_s, segmented) in enumerate(clip):
        repeats = times_shown[k % len(times_shown)]
        twice += [(t_s + n * 0.04 / repeats, segmented) for n in range(repeats)]
        shown += [images[k]] * repeats
    once, found = readings(Monitor(SPEC), clip, images=images), readings(Monitor(SPEC), twice, images=shown)
    new = [r for r, image, before in zip(found, shown, [None, *shown[:-1]], strict=True) if image is not before]
    assert outcome(new) == outcome(once)
    assert sum(r.beat is not None for r in found) == sum(r.beat is not None for r in once) >= 4
    assert sum(r.quality.reason == Reason.FROZEN for r in found) == len(twice) - len(clip)


def test_changes_too_small_to_see_from_frame_to_frame_add_up_to_a_new_picture(clip) -> None:
    images = speckle(2)
    slow = [np.where(np.arange(240) < 4 * k, images[1], images[0]) for k in range(12)]
    found = [r.quality.reason for r in readings(Monitor(SPEC), clip[:12], images=slow)]
    assert found[1] == Reason.FROZEN
    assert 2 < found.count(None) < 8


def test_a_feed_that_stood_still_starts_a_new_stretch(clip) -> None:
    """Half a second of standing still in the middle of a contraction: no beat runs across it."""
    cut = 62
    late = [(t_s + 0.5, segmented) for t_s, segmented in clip[cut:]]
    still = [(clip[cut - 1][0] + 0.04 * n, clip[cut - 1][1]) for n in range(1, 13)]
    images = speckle(len(clip))
    found = readings(
        Monitor(SPEC), clip[:cut] + still + late, images=images[:cut] + [images[cut - 1]] * 12 + images[cut:]
    )
    beats = [r.beat for r in found if r.beat is not None]
    assert len(beats) > 2
    assert all(beat.t_next_ed_s < still[0][0] or beat.t_ed_s > still[-1][0] for beat in beats)


def test_after_a_reset_the_picture_before_is_forgotten(clip) -> None:
    monitor, images = Monitor(SPEC), speckle(1) * 2
    assert readings(monitor, clip[:2], images=images)[-1].quality.reason == Reason.FROZEN
    monitor.reset()
    assert readings(monitor, clip[:1], images=images)[0].quality.ok


# -- pictures that do not show the whole ventricle --


def test_a_ventricle_at_the_edge_of_the_sector_is_cut_off_and_its_beats_do_not_count(clip) -> None:
    found = readings(Monitor(SPEC), clip, images=speckle(len(clip), left=88))
    assert Reason.CUT_OFF in {r.quality.reason for r in found}
    assert found[-1].ef.percent is None
    assert readings(Monitor(SPEC), clip, images=speckle(len(clip), left=40))[-1].ef.percent is not None


def test_colour_doppler_gives_no_figure_and_says_why(clip) -> None:
    images = [np.repeat(image[..., None], 3, axis=2) for image in speckle(len(clip))]
    for image in images:
        image[100:150, 100:140] = (0, 20, 230)
    found = readings(Monitor(SPEC), clip, images=images)
    assert {r.quality.reason for r in found} == {Reason.COLOUR_DOPPLER}
    assert found[-1].ef.percent is None


def test_a_view_that_slides_off_the_apex_is_foreshortened_until_it_comes_back() -> None:
    def at(t_s: float, length: float) -> tuple:
        volume = float(volume_at(np.array([t_s]), ef=50.0)[0]) / 120
        return t_s, ventricle(volume, length=length)

    times = np.arange(0, 9, 0.04)
    found = readings(Monitor(SPEC), [at(float(t), 84 if 4 <= t < 6 else 120) for t in times])
    reasons = np.array([str(r.quality.reason) for r in found])
    assert set(reasons[times < 4]) == {"None"}
    assert set(reasons[(times > 5) & (times < 6)]) == {Reason.FORESHORTENED}
    assert set(reasons[times > 6.1]) == {"None"}
    assert found[-1].ef.percent == pytest.approx(50, abs=2)


# -- how old the figure is --


def test_the_figure_goes_stale_then_is_withdrawn_and_starts_again_from_nothing(clip) -> None:
    empty = segmentation_of(np.zeros((240, 240), np.uint8))
    monitor = Monitor(SPEC)
    fresh = readings(monitor, clip)[-1].ef
    end_s = clip[-1][0]
    found = {t: readings(monitor, [(end_s + t, empty)])[0] for t in (1.0, 4.0, 8.0, 25.0, 33.0, 60.0)}
    assert (fresh.stale, fresh.reason) == (False, None)
    assert found[1.0].ef == fresh
    assert (found[8.0].ef.percent, found[8.0].ef.beats, found[8.0].ef.stale) == (fresh.percent, fresh.beats, True)
    assert str(found[8.0].ef.reason).startswith("stale: no good beat for ")
    assert found[25.0].ef.stale
    assert (found[33.0].ef.percent, found[33.0].ef.stale, found[33.0].fac_percent, found[33.0].heart_rate_bpm) == (
        None,
        False,
        None,
        None,
    )
    assert str(found[60.0].ef.reason).startswith("withdrawn: no good beat for 6")
    again = readings(monitor, [(end_s + 70 + t_s, segmented) for t_s, segmented in clip])
    # Of a view that was lost for most of the recording one beat is not enough.
    assert next(r.ef.beats for r in again if r.ef.percent is not None) == 2
    assert (again[-1].ef.stale, again[-1].ef.reason) == (False, None)


@given(st.floats(30, 220), st.floats(0, 60), st.floats(0, 1e6))
def test_staleness_is_counted_on_the_clock_in_seconds_and_in_beats(rate_bpm: float, age_s: float, end_s: float) -> None:
    period_s = 60 / rate_bpm
    rolling = RollingEjectionFraction("disks")
    rolling.update(Beat(end_s - period_s, end_s - 0.6 * period_s, end_s, 100, 40, 50, 30, 60.0, 40.0))
    limit_s = max(STALE_S, 3 * period_s)
    for margin, late in ((-0.01, False), (0.01, True)):
        assert rolling.at(end_s + limit_s + margin).stale is late
    figure = rolling.at(end_s + age_s)
    assert (figure.percent is None) == (end_s + age_s - end_s > WITHDRAWN_S)
    assert (figure.reason is None) == (figure.percent is not None and not figure.stale)


def test_a_rejected_beat_does_not_freshen_the_figure() -> None:
    rolling = RollingEjectionFraction("disks")
    for end_s, accepted in ((1.0, True), (9.0, False)):
        rolling.update(
            Beat(end_s - 1, end_s - 0.6, end_s, 100, 40, 50, 30, 60.0, 40.0, None if accepted else "too short")
        )
    assert rolling.at(9.0).stale
    assert rolling.at(9.0).percent == 60
