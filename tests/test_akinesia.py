"""Which wall segments count as akinetic, and the rule for it in the model file."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echo_rt.cardiac.akinesia import akinetic
from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import ModelError
from echo_rt.frame import Frame
from echo_rt.model import AkinesiaRule, ModelInput, ModelSpec, read_spec
from support.hearts import volume_at
from support.shapes import ventricle
from support.toy import SPEC, toy_model

RULE = AkinesiaRule()


def test_what_moves_little_is_akinetic_only_where_the_wall_does_not_thicken_either() -> None:
    def judged(motion: float, thickening: float) -> list[bool]:
        return akinetic(
            RULE, np.array([20.0, motion, 30, 30, 30, 20]), np.array([35.0, thickening, 35, 35, 35, 35])
        ).tolist()

    nothing, mid_septal = [False] * 6, [False, True, False, False, False, False]
    assert judged(2, 3) == mid_septal
    assert judged(2, 40) == nothing
    assert judged(30, 3) == nothing
    assert judged(2, np.nan) == mid_septal, "where no wall is seen the motion decides"
    assert judged(-8, -5) == mid_septal, "outwards is not inwards"
    assert judged(np.nan, np.nan) == nothing


def test_where_the_speckle_was_followed_neither_masks_nor_speckle_decide_alone() -> None:
    def judged(
        motion: float, thickening: float, strain: float, speckle: float, elsewhere: float = 30.0, error: float = 3.0
    ) -> list[bool]:
        strains, moved = np.full(6, elsewhere), 20 * np.array(RULE.speckle_motion.pattern)
        strains[1], moved[1] = strain, speckle
        masks = np.array([20.0, motion, 30, 30, 30, 20]), np.array([30.0, thickening, 30, 30, 30, 30])
        return akinetic(RULE, *masks, strains, np.full(6, error), moved, np.full(6, error)).tolist()

    nothing, mid_septal = [False] * 6, [False, True, False, False, False, False]
    assert judged(5, 5, 2, 10) == mid_septal
    assert judged(2, 30, 30, 22) == judged(30, 3, 30, 22) == judged(30, 30, 0, 22) == judged(30, 30, 30, 0) == nothing
    assert judged(2, 3, 30, 22) == judged(30, 30, 0, 5) == nothing, "nor do two of them"
    assert judged(20, 20, 2, 10) == mid_septal, "a wall that is drawn as moving, and whose speckle stands still"
    assert judged(20, 20, 2, 10, elsewhere=np.nan) == judged(20, 20, 2, 10, elsewhere=4.0) == nothing, (
        "the speckle was not followed"
    )
    assert judged(29, 27, 24, 8) == mid_septal, "where the rest is in doubt the motion of the speckle decides"
    assert judged(29, 27, 24, 26) == nothing
    assert judged(20, 20, np.nan, np.nan) == nothing, "nor was it here, so that motion and thickening have to be small"
    assert judged(5, 5, np.nan, np.nan) == mid_septal
    assert judged(29.9, 35, 9, 10) == mid_septal, "speckle that is known well outweighs masks that say otherwise"
    assert judged(29.9, 35, 9, 10, error=15) == nothing, "not so where it is known badly"
    assert judged(5, np.nan, 2, 10) == mid_septal, "where no wall is seen the other three decide"
    assert judged(np.nan, 5, 2, 10) == nothing


def test_a_ventricle_may_be_akinetic_all_over_and_a_weak_one_is_not() -> None:
    assert akinetic(RULE, np.full(6, 2.0), np.full(6, 2.0)).all()
    assert not akinetic(RULE, np.full(6, 12.0), np.full(6, 12.0)).any()


# -- the rule in the model file --


CHANGED = replace(
    RULE,
    strain=replace(RULE.strain, pattern=(0.8, 0.9, 1.0, 1.1, 1.2, 1.3), scatter=0.5),
    still=replace(RULE.still, motion_share=0.4),
    least_evidence=-0.5,
)


def test_a_rule_comes_back_from_the_model_file_as_it_went_in(tmp_path: Path) -> None:
    for rule in (RULE, CHANGED):
        spec = replace(SPEC, tuning=replace(SPEC.tuning, akinesia=rule))
        assert read_spec(toy_model(tmp_path / "m.onnx", spec)) == spec


def test_an_older_model_file_goes_by_the_default_and_so_does_what_a_rule_does_not_name() -> None:
    raw = json.loads(SPEC.to_json())
    del raw["akinesia"]
    assert ModelSpec.from_json(json.dumps(raw)).tuning.akinesia == RULE
    raw["akinesia"] = {"least_evidence": -0.5, "strain": {"scatter": 0.5}}
    partly = replace(RULE, least_evidence=-0.5, strain=replace(RULE.strain, scatter=0.5))
    assert ModelSpec.from_json(json.dumps(raw)).tuning.akinesia == partly


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"luck": 1.0, "agree": 2}, "akinesia has unknown fields agree, luck; a newer echo-rt is needed"),
        ({"still": {"luck": 1.0}}, "akinesia.still has unknown fields luck; a newer echo-rt is needed"),
        (None, "expected names and values as akinesia, found None; export the model again"),
        ({"motion": 0.9}, "expected names and values as akinesia.motion, found 0.9"),
        ({"least_evidence": "low"}, "expected a finite number as akinesia.least_evidence, found 'low'"),
        ({"agree_share": True}, "expected a finite number as akinesia.agree_share, found True"),
        ({"most_share": float("inf")}, "expected a finite number, found Infinity"),
        ({"least_share": float("nan")}, "expected a finite number, found NaN"),
        ({"agree_share": 10**400}, "expected a whole number of at most 20 digits, found one of 401"),
        (
            {"strain": {"pattern": [1, 1, 1]}},
            "expected 6 values in a list as akinesia.strain.pattern",
        ),
        ({"strain": {"pattern": [1, 1, 1, 1, 1, None]}}, "expected a finite number as akinesia.strain.pattern"),
        ({"thickening": {"scatter": 0}}, "expected 0.001 to 1e+06 as akinesia.thickening.scatter, found 0"),
        (
            {"motion": {"least_percent": -1}},
            "expected 0.001 to 1e+06 as akinesia.motion.least_percent",
        ),
    ],
)
def test_a_bad_rule_is_refused_in_one_line(rule: Any, message: str, tmp_path: Path) -> None:
    path = toy_model(tmp_path / "m.onnx", json.dumps({**json.loads(SPEC.to_json()), "akinesia": rule}))
    with pytest.raises(ModelError, match=re.escape(message)) as refused:
        read_spec(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert len(str(refused.value).splitlines()) == 1


def test_a_changed_rule_changes_what_is_flagged() -> None:
    spec = ModelSpec("toy", "1", ModelInput(240, 240, 40.0, 50.0))
    weak = np.array([20.0, 9, 30, 30, 30, 20]), np.array([35.0, 10, 35, 35, 35, 35])
    for share, flagged in ((0.5, True), (0.1, False)):
        rule = replace(RULE, still=replace(RULE.still, motion_share=share))
        assert akinetic(rule, *weak)[1] == flagged
    # One beat a second of a heart that moves all over, through the whole monitor.
    strict = replace(RULE, still=replace(RULE.still, motion_percent=200.0, thickening_percent=500.0))
    for rule, count in ((RULE, 0), (strict, 6)):
        monitor = Monitor(replace(spec, tuning=replace(spec.tuning, akinesia=rule)))
        for index, volume in enumerate(volume_at(np.arange(0, 3, 0.04), ef=60.0)):
            frame = Frame(np.zeros((240, 240), np.uint8), index / 25, index)
            wall_beat = monitor.update(ventricle(float(volume) / 120), frame).wall_beat
        assert wall_beat is not None
        assert wall_beat.akinetic.sum() == count


def test_a_changed_measure_changes_what_is_flagged_where_the_speckle_was_followed() -> None:
    def judged(rule: AkinesiaRule) -> list[bool]:
        masks = np.array([20.0, 5, 30, 30, 30, 20]), np.array([30.0, 5, 30, 30, 30, 30])
        strain, motion, error = np.full(6, 30.0), 20 * np.array(RULE.speckle_motion.pattern), np.full(6, 3.0)
        strain[1], motion[1] = 2, 10
        return akinetic(rule, *masks, strain, error, motion, error).tolist()

    flagged, nothing = [False, True, False, False, False, False], [False] * 6
    assert judged(RULE) == flagged
    assert judged(replace(RULE, least_evidence=20.0)) == judged(replace(RULE, agree_share=0.1)) == nothing
    assert judged(replace(RULE, **{
        name: replace(getattr(RULE, name), middle=-1.0) for name in ("motion", "thickening", "strain", "speckle_motion")
    })) == nothing  # fmt: skip
    assert judged(replace(RULE, least_share=1.0)) == nothing
