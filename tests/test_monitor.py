from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import ParameterError
from echo_rt.frame import Frame
from echo_rt.model import ModelSpec
from echo_rt.reading import ClipExtremes, Reading, Reason
from shapes import segmentation_of, ventricle
from test_beats import volume_at

SPEC = ModelSpec("toy", "1", 240, 240, 40.0, 50.0)
IMAGE = np.zeros((240, 240), np.uint8)


def beating(seconds: float, fps: float = 25.0, rate: float = 60.0, ef: float = 50.0, start: float = 0.0) -> list:
    times = np.arange(0, seconds, 1 / fps)
    return [(float(t), ventricle(float(v) / 120)) for t, v in zip(times, volume_at(times * rate / 60 + start, ef=ef), strict=True)]


def readings(monitor: Monitor, clip: list, spacing_mm=None) -> list[Reading]:
    return [monitor.update(s, Frame(IMAGE, t, i, spacing_mm)) for i, (t, s) in enumerate(clip)]


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


def test_volumes_are_in_ml_where_the_scale_is_known(clip) -> None:
    known = readings(Monitor(SPEC), clip[:1], spacing_mm=(0.5, 0.5))[0].ventricle
    unknown = readings(Monitor(SPEC), clip[:1])[0].ventricle
    assert known is not None
    assert unknown is not None
    assert known.calibrated
    assert known.volume == pytest.approx(unknown.volume * 0.5**3 / 1000, rel=1e-9)
    assert not unknown.calibrated


def test_the_area_method_reports_the_area_change_and_a_calibration_is_applied(clip) -> None:
    from dataclasses import replace

    area = readings(Monitor(SPEC, ef_method="area"), clip)[-1]
    assert area.ef.percent == area.fac_percent
    assert area.ef.method == "area"
    plain = readings(Monitor(SPEC), clip)[-1].ef.percent
    shifted = readings(Monitor(replace(SPEC, ef_calibration=(1.1, -3.0))), clip)[-1].ef.percent
    assert plain is not None
    assert shifted == pytest.approx(1.1 * plain - 3)


def test_frames_without_a_heart_give_a_reason_and_never_a_number() -> None:
    empty = segmentation_of(np.zeros((240, 240), np.uint8))
    monitor = Monitor(SPEC)
    found = readings(monitor, [(i / 25, empty) for i in range(100)])
    assert {r.quality.reason for r in found} == {Reason.NO_VENTRICLE}
    assert found[-1].ef.percent is None
    assert isinstance(monitor.clip_extremes(), str)


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
    from dataclasses import replace

    sure = ventricle()
    unsure = replace(sure, probability=(0.6 * sure.probability + 0.1).astype(np.float32))
    assert readings(Monitor(SPEC), [(0.0, unsure)])[0].quality.reason == Reason.LOW_CONFIDENCE


def test_a_clip_without_a_whole_beat_gets_its_figure_from_its_extremes() -> None:
    monitor = Monitor(SPEC)
    found = readings(monitor, beating(0.9, fps=50, rate=60, start=0.4))
    assert found[-1].ef.percent is None
    extremes = monitor.clip_extremes()
    assert isinstance(extremes, ClipExtremes)
    assert extremes.ef_percent == pytest.approx(50, abs=3)
    assert extremes.edv > extremes.esv
    # ES at phase 0.35 comes first and is cut, ED is at phase 1.0.
    assert extremes.t_ed_s == pytest.approx(0.6, abs=0.05)


def test_a_still_ventricle_has_no_figure_even_from_its_extremes() -> None:
    monitor = Monitor(SPEC)
    readings(monitor, [(i / 25, ventricle()) for i in range(50)])
    assert "hardly changes" in str(monitor.clip_extremes())


def test_whole_beats_leave_nothing_to_the_extremes(clip) -> None:
    monitor = Monitor(SPEC)
    readings(monitor, clip)
    assert isinstance(monitor.clip_extremes(), str)


def test_unknown_methods_and_counts_are_refused() -> None:
    with pytest.raises(ParameterError, match="expected an EF method of disks, area-length, area"):
        Monitor(SPEC, ef_method="guess")
    with pytest.raises(ParameterError, match="at least 1 beat"):
        Monitor(SPEC, beats=0)
