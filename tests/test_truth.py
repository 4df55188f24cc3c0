"""The phantom's truth against the project's own measurements: each is the other's test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.cardiac.geometry import find_ventricle, outline
from echo_rt.cardiac.monitor import Monitor
from echo_rt.frame import Frame
from echo_rt.model import ModelSpec
from echo_rt.reading import LeftVentricle
from echo_rt.sources.phantom import Phantom, PhantomOptions
from shapes import segmentation_of

SPEC = ModelSpec("the phantom's own masks", "1", 480, 640, 0.0, 1.0)


def measured(phantom: Phantom, k: int) -> LeftVentricle:
    segmentation = segmentation_of(phantom.mask(k))
    border = outline(segmentation)
    assert border is not None
    found = find_ventricle(segmentation, border, phantom.spacing_mm)
    assert found is not None
    return found


@settings(max_examples=40, deadline=None)
@given(st.floats(15, 75), st.floats(40, 180), st.floats(15, 120), st.integers(0, 10_000), st.booleans())
def test_volumes_from_the_masks_are_true_within_1_percent_and_ef_within_half_a_point(ef, hr, fps, seed, mirror) -> None:
    phantom = Phantom(PhantomOptions(ef=ef, hr=hr, fps=fps, seconds=4, seed=seed, mirror=mirror, height=600, width=800))
    beat = phantom.beats()[0]
    found, true = [], []
    for t_s in (beat.t_ed_s, beat.t_es_s):
        k = round(t_s * fps)
        found.append(measured(phantom, k).volume)
        true.append(phantom.truth(k).volume_ml)
    assert found == pytest.approx(true, rel=0.01)
    assert 100 * (1 - found[1] / found[0]) == pytest.approx(100 * (1 - true[1] / true[0]), abs=0.5)


@pytest.mark.parametrize(("ef", "hr", "fps"), [(60, 70, 50), (25, 45, 30), (70, 160, 60), (40, 100, 15)])
def test_the_monitor_finds_every_beat_of_a_regular_heart_with_its_ef(ef: float, hr: float, fps: float) -> None:
    phantom = Phantom(PhantomOptions(ef=ef, hr=hr, fps=fps, seconds=5, seed=3, height=240, width=320, hr_variability=0.02))
    monitor = Monitor(SPEC)
    beats = []
    for k in range(phantom.frames or 0):
        labels = phantom.mask(k)
        reading = monitor.update(segmentation_of(labels), Frame(labels, k / fps, k, phantom.spacing_mm))
        if reading.beat is not None:
            assert reading.beat.accepted
            beats.append(reading.beat)
    truth = phantom.beats()
    # At the ends a beat may be cut, or not yet certain.
    assert len(truth) - 2 <= len(beats) <= len(truth) + 1
    assert np.median([beat.ef_percent for beat in beats]) == pytest.approx(np.median([b.ef_percent for b in truth]), abs=1.5)
    assert np.median([beat.heart_rate_bpm for beat in beats]) == pytest.approx(hr, rel=0.06)
