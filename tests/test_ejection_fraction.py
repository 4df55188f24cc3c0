from __future__ import annotations

from statistics import fmean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_rt import process
from echo_rt.cardiac.clip_extremes import Extremes
from echo_rt.cardiac.curve import Sample
from echo_rt.cardiac.ejection_fraction import RollingEjectionFraction, interval, model_error_points, student_t
from echo_rt.cardiac.monitor import Monitor
from echo_rt.frame import Frame
from echo_rt.model import ModelInput, ModelSpec
from echo_rt.phantom import open_phantom
from echo_rt.reading import Beat
from echo_rt.result import ClipFigures
from support.hearts import A4C, Traced
from support.toy import changed

SPEC = ModelSpec("toy", "1", ModelInput(240, 240, 40.0, 50.0))


def test_the_rolling_figure_is_the_median_of_the_last_accepted_beats() -> None:
    def beat(ef: float, accepted: bool = True) -> Beat:
        return Beat(0, 0.3, 1, 100, 40, 50, 30, ef, ef / 2, None if accepted else "too short")

    rolling = RollingEjectionFraction("disks", beats=3)
    assert rolling.current.percent is None
    assert "waiting" in str(rolling.current.reason)
    rolling.update(beat(99, accepted=False))
    assert rolling.current.percent is None
    assert rolling.current.reason == "no beat could be accepted"
    for ef in (10, 50, 52, 60):
        rolling.update(beat(ef))
    figure = rolling.current
    assert (figure.percent, figure.beats) == (52, 3)
    assert figure.low is not None
    assert figure.high is not None
    assert 0 <= figure.low < 52 < figure.high <= 100
    assert [beat.ef_percent for beat in rolling.beats] == [50, 52, 60]


def test_student_t_is_that_of_the_tables() -> None:
    for freedom, tabled in {4: 2.776, 5: 2.571, 8: 2.306, 20: 2.086, 120: 1.980}.items():
        assert student_t(freedom) == pytest.approx(tabled, rel=0.01)


def test_the_first_beat_has_an_interval_and_more_that_agree_narrow_it_but_not_to_nothing() -> None:
    widths = []
    for n in (1, 2, 4, 8, 100):
        percent, low, high = interval([55.0] * n, 1.5)
        assert percent == 55
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == pytest.approx(2 * 1.96 * 1.5, rel=0.02)


@given(st.lists(st.floats(30, 70), min_size=1, max_size=9), st.floats(0.5, 10))
def test_the_interval_holds_the_median_and_widens_with_scatter_and_with_the_error_of_the_measurement(
    percents, error
) -> None:
    percent, low, high = interval(percents, error)
    assert percent == np.median(percents)
    assert low < percent < high
    spread = [percent + 2 * (p - percent) for p in percents]
    assert interval(spread, error)[2] >= high - 1e-9
    assert interval(percents, 2 * error)[1] < low or low == 0


def test_of_beats_from_a_known_heart_the_interval_holds_its_ef_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for scatter in (1.0, 2.5, 5.0):
        for n in (2, 3, 5):
            drawn = 50 + rng.normal(0, 1.5, (800, 1)) + rng.normal(0, scatter, (800, n))
            held = [low <= 50 <= high for _, low, high in (interval(list(beats), 1.5) for beats in drawn)]
            assert np.mean(held) > (0.93 if scatter < 5 else 0.85)


def test_a_model_that_carries_its_error_has_a_wider_interval_and_one_figure_alone_is_not_taken() -> None:
    carried = changed(SPEC, figures={"4CH EF": {"bias": 3.0, "sd": 4.0}, "2CH EF": {"mae": 5.0}})
    assert model_error_points(carried) == pytest.approx(5.0)
    assert (
        model_error_points(carried, "2CH") == model_error_points(carried, "biplane") == model_error_points(SPEC) == 1.5
    )
    assert model_error_points(changed(SPEC, figures={"4CH EF": {"bias": 0.1, "sd": 0.1}})) == 1.5


def extremes(areas: list[float], by_area: bool = True) -> ClipFigures:
    found = Extremes(by_area)
    for k, area in enumerate(areas):
        found.update(0.1 * k, Sample(0.1 * k, area**1.5, area))
    return found.result(None)


def test_area_extremes_are_the_largest_less_the_smallest_over_the_largest_of_all_frames() -> None:
    found = extremes([20, 30, 24, 15, 21, 40, 25]).extremes
    assert found is not None
    assert found.ef_percent == found.fac_percent == pytest.approx(100 * (40 - 15) / 40)
    assert (found.t_ed_s, found.t_es_s, found.method) == (pytest.approx(0.5), pytest.approx(0.3), "area-extremes")


def test_extremes_of_volume_do_not_believe_a_single_frame() -> None:
    found = extremes([20, 30, 31, 30, 15, 20, 21, 40, 25], by_area=False).extremes
    assert found is not None
    assert (found.eda, found.method) == (30, "clip-extremes")


def test_an_area_that_hardly_changes_is_no_figure() -> None:
    assert extremes([30, 31, 30, 31, 30]) == ClipFigures(reason="the area hardly changes")
    assert extremes([30]) == ClipFigures(reason="the ventricle is seen for less than a quarter of a second")
    assert extremes([]) == ClipFigures(reason="too few good frames")


def test_a_recording_by_area_extremes_is_labelled_so_and_stands_on_every_frame_whatever_the_beats() -> None:
    traced, monitor = Traced(A4C), Monitor(SPEC)
    phantom = open_phantom(A4C)
    areas = []
    for k in range(phantom.frames or 0):
        found = monitor.update(
            traced.segment(np.zeros((160, 200))), Frame(np.zeros((160, 200), np.uint8), k / 30, k, phantom.spacing_mm)
        )
        areas += [found.ventricle.area] if found.quality.ok and found.ventricle is not None else []
    result = process(A4C, Traced(A4C), ef_method="area-extremes").to_dict()
    assert [beat["accepted"] for beat in result["beats"]].count(True) >= 2
    assert (result["ef_method"], result["ef_low"], result["ef_high"]) == ("area-extremes", None, None)
    assert result["ef_percent"] == pytest.approx(100 * (max(areas) - min(areas)) / max(areas), abs=0.06)
    assert process(A4C, Traced(A4C), ef_method="area").ef.method == "area"


def test_in_an_irregular_rhythm_the_figure_is_the_mean_of_five_beats_and_before_that_a_median() -> None:
    rolling, end_s, percents = RollingEjectionFraction("disks"), 0.0, (60.0, 40.0, 58.0, 46.0, 61.0)
    for n, (length_s, percent) in enumerate(zip((0.6, 1.1, 0.7, 1.3, 0.8), percents, strict=True), start=1):
        end_s += length_s
        rolling.update(Beat(end_s - length_s, end_s - 0.6 * length_s, end_s, 100, 40, 50, 30, percent, 25.0))
        if n == 4:
            assert rolling.current.percent == median(percents[:4])
    assert rolling.rhythm.irregular
    assert rolling.current.percent == pytest.approx(fmean(percents))
    low, high = rolling.current.low, rolling.current.high
    assert low is not None
    assert high is not None
    assert high - low < np.subtract(*interval(percents, 1.5)[:0:-1]), "a mean is surer than a median"
