"""How a contour is read stands in the model file, and both implementations go by it."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_rt import native, reference
from echo_rt.cardiac.geometry import endocardium, find_ventricle, outline
from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import ModelError
from echo_rt.frame import Frame
from echo_rt.model import DEFAULT_CONTOUR, ContourRule, ModelInput, ModelSpec, Tuning
from support.native import built
from support.shapes import half_ellipsoid, ventricle
from support.toy import changed

SPEC = ModelSpec("toy", "1", ModelInput(64, 64, 40.0, 50.0))
NAMES = [field.name for field in fields(ContourRule)]


@given(st.lists(st.floats(0, 1), min_size=len(NAMES), max_size=len(NAMES)))
def test_a_rule_goes_into_the_file_and_comes_back(numbers: list[float]) -> None:
    rule = ContourRule(*numbers)
    spec = replace(SPEC, tuning=Tuning(contour=rule))
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_an_older_file_has_the_default_and_a_part_of_a_rule_the_rest_of_it() -> None:
    raw = json.loads(SPEC.to_json())
    assert ModelSpec.from_json(json.dumps({**raw, "contour": {"min_gap": 0.1}})).tuning.contour == ContourRule(
        min_gap=0.1
    )
    del raw["contour"]
    assert ModelSpec.from_json(json.dumps(raw)).tuning.contour == DEFAULT_CONTOUR


@pytest.mark.parametrize("bad", [
    [0.1], None, "0.1", {"reach": 0.1}, {"min_gap": "0.1"}, {"min_gap": True}, {"min_gap": -0.1}, {"min_gap": 1.1},
    {"min_gap": float("nan")}, {"max_sharpen_px": float("inf")},
])  # fmt: skip
def test_a_wrong_rule_is_refused_in_one_line(bad: object) -> None:
    text = json.dumps({**json.loads(SPEC.to_json()), "contour": bad})
    with pytest.raises(ModelError, match=r"^m\.onnx: .*(contour|finite number)") as refused:
        ModelSpec.from_json(text, "m.onnx")
    assert "\n" not in str(refused.value)


TURN = np.linspace(0, 2 * np.pi, 200, endpoint=False)


def opening(atrium: float = 0.0, width: float = 0.3, valve: float = 0.0) -> tuple[np.ndarray, ...]:
    """The border of a rounded ventricle; wall all around it but for an opening, with or without an atrium behind it and
    a valve in the middle of it."""
    border = np.stack([60 + 30 * np.cos(TURN), 60 + 50 * np.sin(TURN)], axis=1)
    away = np.minimum(TURN, 2 * np.pi - TURN)
    opened = (away < np.pi * width) & (away >= np.pi * valve)
    return border, np.where(opened, 0.1, 0.9), np.where(opened, atrium, 0.0)


@pytest.mark.parametrize("loops", [pytest.param(native, marks=built), reference], ids=["native", "reference"])
@pytest.mark.parametrize(
    ("found", "of", "changed"),
    [
        ((True, False), {"width": 0.1}, {"min_gap": 0.2}),
        ((True, False), {"width": 0.1}, {"min_wall": 0.95}),
        ((True, False), {"width": 0.3}, {"wall_probability": 0.95}),
        ((True, False), {"width": 0.3, "valve": 0.1, "atrium": 0.9}, {"max_valve": 0.01}),
        ((False, True), {"width": 0.03, "atrium": 0.9}, {"min_atrium_contact": 0.0}),
    ],
)
def test_each_share_decides_in_both_implementations(loops, found, of, changed) -> None:
    border = opening(**of)
    for seen, rule in zip(
        found, (ContourRule(min_atrium_contact=0.1), ContourRule(**{"min_atrium_contact": 0.1, **changed})), strict=True
    ):
        assert (loops.walled(*border, 5, rule) is not None) == seen


@built
@pytest.mark.parametrize("changed", [{}, {"max_sharpen_px": 0.0}, {"min_corner_sine": 1.0}])
def test_a_changed_rule_changes_the_contour_in_both_implementations_equally(changed) -> None:
    plain = ventricle(angle_deg=20)
    border = outline(plain)
    assert border is not None
    arguments = border.points, border.wall, border.atrium, 8
    rule = ContourRule(**changed)
    fast, slow, before = (
        loops.walled(*arguments, with_rule)
        for loops, with_rule in ((native, rule), (reference, rule), (native, DEFAULT_CONTOUR))
    )
    np.testing.assert_allclose(fast, slow, atol=1e-9)
    assert np.array_equal(fast, before) == (not changed)


def test_the_apex_and_what_is_looked_at_beside_the_border_follow_the_rule() -> None:
    contour = half_ellipsoid(90.0, 25.0) + np.random.default_rng(0).normal(0, 1, (400, 2))
    assert native.long_axis(contour, 0.97, 20) != native.long_axis(contour, 0.5, 20)
    near, far = (outline(ventricle(), ContourRule(beside=share)) for share in (0.01, 0.5))
    assert near is not None
    assert far is not None
    assert near.wall.mean() != pytest.approx(far.wall.mean(), abs=0.05)
    assert endocardium(near, ContourRule(min_wall=1.0)) is None


def test_the_monitor_goes_by_the_rule_of_its_model() -> None:
    frame = Frame(np.zeros((240, 240), np.uint8), 0.0, 0, None)
    for rule in (
        DEFAULT_CONTOUR,
        ContourRule(max_sharpen_px=0.0),
        ContourRule(apex_shell=0.8),
        ContourRule(beside=0.02),
    ):
        border = outline(ventricle(angle_deg=20), rule)
        assert border is not None
        expected = find_ventricle(ventricle(angle_deg=20), border, None, rule)
        reading = Monitor(changed(SPEC, contour=asdict(rule))).update(ventricle(angle_deg=20), frame)
        assert reading.ventricle is not None
        assert expected is not None
        assert reading.ventricle.volume == expected.volume
    assert Monitor(changed(SPEC, contour={"min_wall": 1.0})).update(ventricle(), frame).ventricle is None
