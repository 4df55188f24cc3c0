"""What the model says beside the masks is used: the view, the probability of an apical view, the expected Dice."""

from __future__ import annotations

from dataclasses import asdict, replace
from math import exp

import numpy as np
import pytest

from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine.host import read_heads
from echo_rt.model.interval import IntervalRule
from echo_rt.reading import Reason
from support.monitored import SPEC, beating, readings
from support.shapes import ventricle
from support.toy import changed


@pytest.fixture(scope="module")
def clip() -> list:
    return beating(6.0)


def test_the_heads_are_read_as_a_view_a_probability_and_a_dice() -> None:
    said = read_heads(
        {"view": np.array([1.0, 0.0, 1.0], np.float32), "confidence": np.array([np.log(9.0)], np.float32)}
    )
    assert said.view == "A4C"
    assert said.apical == pytest.approx(1 - np.e / (2 * np.e + 1))
    assert said.confidence == pytest.approx(0.9)
    assert read_heads({}) == (None, None, None)
    far = read_heads({"view": np.array([-200.0, -300.0, 200.0], np.float32)})
    assert (far.view, far.apical) == ("other", 0.0)


def test_the_view_is_what_the_recording_says_or_what_the_model_saw_in_most_usable_frames(clip) -> None:
    named = [(t_s, replace(one, view="A4C" if k % 3 == 0 else "A2C")) for k, (t_s, one) in enumerate(clip)]
    said, seen, silent = Monitor(SPEC, view="A4C"), Monitor(SPEC), Monitor(SPEC)
    readings(said, named), readings(seen, named), readings(silent, clip)
    assert (said.view, seen.view, silent.view) == ("A4C", "A2C", None)


def test_each_view_has_a_calibration_of_its_own(clip) -> None:
    spec = changed(SPEC, ef_calibration=(1.0, 1.0), ef_calibration_a2c=(1.0, -4.0))
    plain = readings(Monitor(SPEC), clip)[-1].ef.percent
    assert plain is not None
    for view, offset in (("A4C", 1.0), ("A2C", -4.0), (None, 1.0)):
        assert readings(Monitor(spec, view=view), clip)[-1].ef.percent == pytest.approx(plain + offset)


def test_the_interval_is_wider_for_a_patient_of_whom_the_model_expects_to_draw_badly(clip) -> None:
    rule = IntervalRule(a4c=2.6, a2c=2.9, per_logit=-0.4)

    def width(dice: float | None, view: str = "A4C") -> float:
        unsure = [(t_s, replace(one, confidence=dice)) for t_s, one in clip]
        ef = readings(Monitor(changed(SPEC, interval=asdict(rule)), view=view), unsure)[-1].ef
        assert ef.high is not None
        assert ef.low is not None
        return ef.high - ef.low

    assert width(0.95) < width(0.85) < width(0.6)
    assert width(0.95) < width(0.95, "A2C")
    assert width(0.6) / 2 > rule.half_points("A4C", 0.6, 60) - 0.1
    # A model without the head goes by its figures, which this one lacks.
    assert width(None) < width(0.99)


def test_a_low_ejection_fraction_has_the_wider_interval(clip) -> None:
    def width(of_ef: float) -> float:
        rule = IntervalRule(a4c=2.6, per_ef=of_ef)
        sure = [(t_s, replace(one, confidence=0.9)) for t_s, one in clip]
        ef = readings(Monitor(changed(SPEC, interval=asdict(rule)), view="A4C"), sure)[-1].ef
        assert ef.low is not None
        assert ef.high is not None
        return ef.high - ef.low

    assert width(-0.8) < width(-0.3) < width(0.0)
    rule = IntervalRule(per_ef=-1.0, least_points=0.0)
    assert rule.half_points("A4C", 0.9, 20) == pytest.approx(rule.half_points("A4C", 0.9, 60) * exp(0.4))
    assert rule.half_points("A4C", 0.9, -5) == rule.half_points("A4C", 0.9, 0)


def test_a_frame_that_is_hardly_an_apical_view_is_not_apical() -> None:
    spec = changed(SPEC, quality={**SPEC.tuning.quality, "min_apical": 0.4})
    for apical, reason in ((0.5, None), (0.3, Reason.NOT_APICAL), (None, None)):
        assert readings(Monitor(spec), [(0.0, replace(ventricle(), apical=apical))])[0].quality.reason == reason


def test_a_frame_of_which_the_model_expects_to_draw_badly_is_of_low_confidence() -> None:
    spec = changed(SPEC, quality={**SPEC.tuning.quality, "min_expected_dice": 0.6})
    for dice, reason in ((0.7, None), (0.5, Reason.LOW_CONFIDENCE), (None, None)):
        assert readings(Monitor(spec), [(0.0, replace(ventricle(), confidence=dice))])[0].quality.reason == reason
