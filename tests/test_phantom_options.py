"""What a phantom can be asked for, and what it refuses."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from echo_rt.errors import ParameterError
from echo_rt.phantom import Phantom, PhantomOptions, random_options
from echo_rt.phantom.options import RANGES


def refusal(query: str) -> str:
    with pytest.raises(ParameterError) as caught:
        PhantomOptions.parse(f"phantom:?{query}")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("name", "low", "high"), [(name, low, high) for name, (low, high) in RANGES.items()])
def test_a_number_out_of_range_is_refused_with_the_range(name: str, low: float, high: float) -> None:
    whole = name in ("seed", "height", "width", "layout")
    for wrong in (int(low) - 1 if whole else low - 0.01, int(high) + 1 if whole else high + 0.01, "nan", "much", ""):
        message = refusal(f"{name}={wrong}")
        assert name in message
        assert f"{low:g} to {high:g}" in message
    for right in (low, high):
        options = PhantomOptions.parse(f"phantom:?{name}={int(right) if whole else right}")
        assert options == PhantomOptions.of(**{name: right})
        groups = options.heart, options.view, options.look, options.recording, options.screen
        assert [getattr(group, name) for group in groups if hasattr(group, name)] == [right]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("rythm=af", "hr_variability"),
        ("rhythm=vf", "sinus, ectopic, af"),
        ("akinetic=apical", "basal_septal"),
        ("mirror=yes", "0 or 1"),
        ("ef=50&ef=60", "once"),
        ("seed=1.5", "whole number"),
        ("seconds=0.001", "at least one frame"),
        ("screen=wide", "width x height from 320x240 to 3840x2160"),
        ("screen=9999x100", "width x height from 320x240 to 3840x2160"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(query: str, named: str) -> None:
    assert named in refusal(query)


def test_random_options_are_reproducible_varied_and_can_be_drawn() -> None:
    found = [random_options(np.random.default_rng(n)) for n in (0, 0, *range(1, 40))]
    assert found[0] == found[1]
    assert len({options.heart.ef for options in found}) == 40
    assert {options.look.overlay for options in found} == {True, False}
    for options in found[:40:8]:
        phantom = Phantom(options)
        assert phantom.frame(3).image.shape[:2] == (options.recording.height, options.recording.width)
        assert set(np.unique(phantom.mask(3))) == {0, 1, 2, 3}


def test_an_address_may_name_every_option_and_python_takes_the_same_names() -> None:
    named = {
        "ef": 40.0, "hr": 80.0, "edv_ml": 120.0, "akinetic": ("mid_septal", "apical_septal"), "breathing": 2.0,
        "hr_variability": 0.1, "rhythm": "af", "foreshorten": 0.1, "depth_mm": 150.0, "sector_deg": 80.0,
        "tilt_deg": 3.0, "rotation_deg": -10.0, "named": "A2C", "mirror": True, "margin": 0.05,
        "dynamic_range_db": 60.0, "gain_db": 2.0, "dropout": 0.2, "shadow": 0.3, "noise": 0.4, "contrast": 0.6,
        "persistence": 0.1, "overlay": False, "variety": 0.7, "fps": 30.0, "seconds": 2.0, "seed": 9, "height": 240,
        "width": 320, "screen": "1280x720", "layout": 7,
    }  # fmt: skip
    texts = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in named.items()}
    query = "&".join(f"{name}={int(value) if isinstance(value, bool) else value}" for name, value in texts.items())
    options = PhantomOptions.parse(f"phantom:?{query}")
    assert options == PhantomOptions.of(**named)
    groups = options.heart, options.view, options.look, options.recording, options.screen
    assert {name: value for group in groups for name, value in asdict(group).items()} == named
    with pytest.raises(ParameterError, match=r"unknown option 'rythm'; there are akinetic, breathing, .*, width"):
        PhantomOptions.of(rythm="af")


def test_changed_options_are_checked_again_and_leave_the_others_as_they_were() -> None:
    options = PhantomOptions.of(ef=40, seed=3, overlay=False)
    assert options.changed(ef=30, fps=25) == PhantomOptions.of(ef=30, seed=3, overlay=False, fps=25)
    with pytest.raises(ParameterError, match="expected ef from 10 to 80, found 90"):
        options.changed(ef=90)
