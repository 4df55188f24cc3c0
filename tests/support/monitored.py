"""A drawn ventricle that beats, and what a monitor says of it."""

from __future__ import annotations

import numpy as np

from echo_rt.cardiac.monitor import Monitor
from echo_rt.frame import Frame
from echo_rt.model import ModelInput, ModelSpec
from echo_rt.reading import Reading
from support.hearts import volume_at
from support.shapes import ventricle

SPEC = ModelSpec("toy", "1", ModelInput(240, 240, 40.0, 50.0))


IMAGE = np.zeros((240, 240), np.uint8)


def beating(seconds: float, fps: float = 25.0, rate: float = 60.0, ef: float = 50.0, start: float = 0.0) -> list:
    times = np.arange(0, seconds, 1 / fps)
    return [
        (float(t), ventricle(float(v) / 120))
        for t, v in zip(times, volume_at(times * rate / 60 + start, ef=ef), strict=True)
    ]


def readings(monitor: Monitor, clip: list, spacing_mm=None, images=None) -> list[Reading]:
    return [
        monitor.update(s, Frame(IMAGE if images is None else images[i], t, i, spacing_mm))
        for i, (t, s) in enumerate(clip)
    ]
