"""Frames and readings of a ventricle that beats, made without an engine: what the tests of the outputs feed on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from echo_rt.chambers import Disks, LeftVentricle, Scale
from echo_rt.frame import Frame
from echo_rt.measures import Rolling
from echo_rt.reading import Beat, EjectionFraction, Quality, Reading, Reason
from echo_rt.segmentation import GridMap, Segmentation

GRID = (96, 128)


def half_ellipse(
    centre: tuple[float, float], width: float, length: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Contour (N, 2), from one hinge point over the apex to the other, and the hinge points (2, 2). The apex is up."""
    angle = np.linspace(math.pi, 0, 61)
    contour = np.stack([centre[0] + width / 2 * np.cos(angle), centre[1] - length * np.sin(angle)], axis=1)
    return contour, contour[[0, -1]]


def ventricle(image: tuple[int, int], filling: float, spacing_mm: tuple[float, float] | None) -> LeftVentricle:
    """A ventricle whose volume is `filling` times the full one: half an ellipsoid of revolution."""
    width, length = 0.25 * image[0] * math.sqrt(filling), 0.5 * image[0]
    contour, hinges = half_ellipse((0.5 * image[1], 0.68 * image[0]), width, length)
    mm = spacing_mm[0] if spacing_mm else 1.0
    volume = 2 / 3 * math.pi * (width / 2) ** 2 * length * mm**3 / (1000 if spacing_mm else 1)
    return LeftVentricle(
        contour=contour,
        apex=contour[30],
        hinges=hinges,
        length=length * mm,
        area=math.pi / 4 * width * length * mm**2,
        volume=volume,
        volume_area_length=1.02 * volume,
        scale=Scale.of(spacing_mm),
        disks=Disks((width * mm,) * 20, length * mm),
    )


def segmentation(image: tuple[int, int], lv: LeftVentricle | None) -> Segmentation:
    """Probabilities that go with the contour: cavity, wall around it, atrium below it."""
    grid_map = GridMap.letterbox(image, GRID)
    rows, columns = np.mgrid[: GRID[0], : GRID[1]]
    outside = np.full(GRID, 9.0)
    below = np.zeros(GRID, bool)
    if lv is not None:
        hinges, apex = grid_map.to_grid(lv.hinges), grid_map.to_grid(lv.apex)
        middle = hinges.mean(axis=0)
        half, length = float(hinges[1, 0] - hinges[0, 0]) / 2, float(middle[1] - apex[1])
        outside = np.minimum(np.hypot((columns - middle[0]) / half, (rows - middle[1]) / length), 9.0)
        below = rows > middle[1]
    likely = np.stack(
        [
            np.full(GRID, 0.5),
            np.where(below, 0.0, 1 / (1 + np.exp(12 * (outside - 1)))),
            np.where(below, 0.0, np.exp(-(((outside - 1.2) / 0.17) ** 4))),
            np.where(below, 1 / (1 + np.exp(12 * (outside - 0.8))), 0.0),
        ]
    )
    probability = (likely / likely.sum(axis=0)).astype(np.float32)
    return Segmentation(probability, probability.argmax(axis=0).astype(np.uint8), grid_map)


def clip(
    frames: int = 60,
    *,
    image: tuple[int, int] = (120, 160),
    fps: float = 30.0,
    heart_rate_bpm: float = 75.0,
    ef_percent: float = 56.0,
    spacing_mm: tuple[float, float] | None = (0.8, 0.8),
    colour: bool = True,
    bad: range = range(0),
    rejected: frozenset[int] = frozenset(),
    beats_found: bool = True,
    times: NDArray[np.float64] | None = None,
) -> Iterator[tuple[Frame, Reading]]:
    """Frames with their readings: beats complete when they end, and the rolling EF is the median of the last five
    accepted.

    Args:
        bad: frames that are foreshortened, every third of them without a ventricle.
        rejected: numbers of the beats that are not accepted.
        times: time stamps of the frames, instead of `fps`.
    """
    period = 60 / heart_rate_bpm
    rng = np.random.default_rng(1)
    noise = rng.rayleigh(30, (*image, 3) if colour else image)
    accepted: list[Beat] = []
    done = 0
    for index in range(frames):
        t_s = float(times[index]) if times is not None else index / fps
        number = int(t_s / period)
        phase = t_s / period - number
        filling = 1 - _ef_percent(number, ef_percent) / 100 * math.sin(math.pi * phase) ** 2
        quality = _quality(index, bad)
        lv = None if quality.reason == Reason.NO_VENTRICLE else ventricle(image, filling, spacing_mm)
        beat = None
        if beats_found and number > done:
            beat = _beat(done, period, image, _ef_percent(done, ef_percent), spacing_mm)
            if done in rejected:
                beat = replace(beat, reason="too few good frames")
            else:
                accepted = [*accepted, beat][-5:]
            done = number
        labelled = segmentation(image, lv)
        picture = noise * (0.25 + 0.75 * (labelled.mask() == 2)[..., None] if colour else 1.0)
        time_ms = {"preprocess": 0.5, "network": 6.0 + index % 7, "postprocess": 0.4, "monitor": 0.8}
        yield (
            Frame(np.clip(picture, 0, 255).astype(np.uint8), t_s, index, spacing_mm),
            Reading(
                index=index,
                t_s=t_s,
                segmentation=labelled,
                ventricle=lv,
                quality=quality,
                beat=beat,
                ef=_rolling(accepted),
                rolling=_beside(accepted),
                time_ms=time_ms,
            ),
        )


def _ef_percent(beat: int, mean: float) -> float:
    """Of a beat: no two are the same."""
    return mean + 3 * math.sin(2.1 * beat)


def _quality(index: int, bad: range) -> Quality:
    if index not in bad:
        return Quality(True, None, 0.93)
    return Quality(False, Reason.FORESHORTENED, 0.71) if index % 3 else Quality(False, Reason.NO_VENTRICLE, 0.0)


def _beat(
    number: int, period: float, image: tuple[int, int], ef: float, spacing_mm: tuple[float, float] | None
) -> Beat:
    full, empty = ventricle(image, 1.0, spacing_mm), ventricle(image, 1 - ef / 100, spacing_mm)
    return Beat(
        t_ed_s=number * period,
        t_es_s=(number + 0.5) * period,
        t_next_ed_s=(number + 1) * period,
        edv=full.volume,
        esv=empty.volume,
        eda=full.area,
        esa=empty.area,
        ef_percent=ef,
        fac_percent=100 * (full.area - empty.area) / full.area,
    )


def _beside(beats: list[Beat]) -> Rolling:
    """What stands beside the rolling EF."""
    if not beats:
        return Rolling()
    return Rolling(median(b.fac_percent for b in beats), median(b.heart_rate_bpm for b in beats))


def _rolling(beats: list[Beat]) -> EjectionFraction:
    if not beats:
        return EjectionFraction(None, None, None, 0, "disks", "waiting for the first whole beat")
    found = [b.ef_percent for b in beats]
    percent = median(found)
    interval = (percent - 4.0, percent + 4.0) if len(beats) > 2 else (None, None)
    return EjectionFraction(percent, *interval, len(beats), "disks")


def later(frames: list[tuple[Frame, Reading]], count: int) -> Iterator[tuple[Frame, Reading]]:
    """The same few frames over and over, as a long recording."""
    for index in range(count):
        frame, reading = frames[index % len(frames)]
        t_s = index / 30
        yield replace(frame, index=index, t_s=t_s), replace(reading, index=index, t_s=t_s)
