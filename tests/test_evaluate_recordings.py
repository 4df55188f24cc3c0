"""Whole recordings, judged with engines whose faults are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from echo_rt.model import ModelSpec
from echo_rt.reading import Beat
from echo_rt_train.data import Clip, ClipFrames, DataReport
from echo_rt_train.evaluate.ejection import expert_segmentation
from echo_rt_train.evaluate.recordings import clip_summary, jitter_percent, lateness_ms, measure_clips
from support.shapes import labels_of

FPS = 30


def beating(t_s: np.ndarray, ef_percent: float = 50.0) -> np.ndarray:
    """Masks (N, 120, 120) of a ventricle at 60 bpm."""
    shrink = 1 - ef_percent / 100 * np.sin(np.pi * t_s) ** 2
    return np.stack([labels_of((120, 120), 60, 20 * np.sqrt(v), 7, (60.0, 75.0)) for v in shrink])


def clip(frames: int = 120, ef_percent: float | None = None) -> Clip:
    t_s = np.arange(frames) / FPS
    masks = beating(t_s)
    # Speckle, without which the ventricle that rests at ED would pass for a frozen picture.
    images = 40 * masks + np.random.default_rng(1).integers(10, 60, masks.shape, np.uint8)
    found = ClipFrames(images, masks, t_s, np.ones(frames, bool))
    return Clip("p1", "val", "4CH", "a clip", lambda first, count: found, frames, FPS, ef_percent=ef_percent)


class Playback:
    """An engine that knows the masks, `late` frames late and with noise in their size; it counts the frames by its
    state."""

    spec = ModelSpec("playback", "1", 120, 120, 0.0, 1.0, state=("frame",))

    def __init__(self, late: int = 0, noise: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        t_s = np.maximum(np.arange(120) - late, 0) / FPS
        scale = 1 + noise * rng.standard_normal(120)
        self.masks = beating(t_s)
        if noise:
            volume = (1 - 0.5 * np.sin(np.pi * t_s) ** 2) * scale
            self.masks = np.stack([labels_of((120, 120), 60, 20 * np.sqrt(v), 7, (60.0, 75.0)) for v in volume])

    def segment(self, image: np.ndarray, state: Any = None):
        frame = 0 if state is None else state
        return replace(expert_segmentation(self.masks[frame]), state=frame + 1)


def figures(engine: Playback, **of_clip: Any) -> dict[str, Any]:
    return clip_summary(measure_clips(engine, [clip(**of_clip)], DataReport("clips")))


def test_the_expert_himself_has_no_error() -> None:
    found = figures(Playback(), ef_percent=52.0)
    assert found["clips"] == 1
    assert found["jitter_percent_edv"] == 0
    assert found["ed_late_ms"] == found["es_late_ms"] == 0
    assert found["beats"] == found["beats_found"] >= 2
    assert found["ef"]["mae"] == 0
    assert found["ef_table"]["bias"] == pytest.approx(50 - 52, abs=2)


def test_a_late_engine_is_late_by_what_it_is_late_and_not_steady() -> None:
    found = figures(Playback(late=3))
    assert found["ed_late_ms"] == pytest.approx(100, abs=10)
    assert found["es_late_ms"] == pytest.approx(100, abs=10)
    assert found["jitter_percent_edv"] > 1


def test_a_noisy_engine_jitters_as_much_as_its_noise() -> None:
    quiet, loud = (figures(Playback(noise=noise))["jitter_percent_edv"] for noise in (0.01, 0.03))
    assert loud == pytest.approx(3 * quiet, rel=0.4)
    assert loud == pytest.approx(100 * 0.03 * 0.75 * np.sqrt(2), rel=0.3)  # the volume is 3/4 of EDV in the mean


def test_jitter_by_hand() -> None:
    expert = np.array([100.0, 80.0, 60.0, 80.0])
    assert jitter_percent(expert + 10, expert) == 0, "a constant error is no jitter"
    assert jitter_percent(expert + np.array([0, 2, 0, 2]), expert) == pytest.approx(2)
    assert jitter_percent(np.array([100.0, np.nan, 60.0, 83.0]), expert) == pytest.approx(3), (
        "frames without a volume have no step"
    )
    assert np.isnan(jitter_percent(np.full(4, np.nan), expert))


def beat(t_ed_s: float, t_es_s: float) -> Beat:
    return Beat(t_ed_s, t_es_s, t_ed_s + 1, 100, 50, 30, 20, 50, 33)


def test_lateness_by_hand() -> None:
    true = [beat(0.0, 0.3), beat(1.0, 1.3), beat(2.0, 2.3)]
    ed, es, common = lateness_ms([beat(0.05, 0.4), beat(1.03, 1.3), beat(2.5, 2.9)], true)
    assert (ed, es, common) == (pytest.approx(40), pytest.approx(50), 2)
    assert lateness_ms([], true)[2] == 0
