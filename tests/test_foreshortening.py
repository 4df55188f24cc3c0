"""A long axis that is shorter than it was is foreshortened, and one in systole is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from echo_rt.cardiac.geometry import measure
from echo_rt.cardiac.picture import Picture
from echo_rt.cardiac.quality import LENGTH_MEMORY_S, RECENT_S, Past
from echo_rt.model import DEFAULT_QUALITY
from echo_rt.reading import Quality, Reason
from support.sectors import sector
from support.shapes import half_ellipsoid


def lengths(past: Past, axis: NDArray[np.float64], fps: float, start_s: float = 0.0, ok: bool = True) -> list[float]:
    """What `past` says of each length, when it is told of them all as of good frames, or foreshortened ones."""
    picture, shares = Picture.of(sector(60, 80)), []
    quality = Quality(ok, None if ok else Reason.FORESHORTENED, 0.9)
    for k, length in enumerate(axis):
        ventricle = measure(half_ellipsoid(float(length), 25.0, 40), None)
        assert ventricle is not None
        shares.append(past.length_share(ventricle.length))
        past.update(start_s + k / fps, picture, ventricle, quality)
    return shares


def beating_axis(
    seconds: float, fps: float, rate_bpm: float, shortening: float, diastolic: float = 90.0
) -> NDArray[np.float64]:
    """Systole and early filling take half a second, or the beat where it is shorter."""
    phase = np.arange(0, seconds, 1 / fps) % (60 / rate_bpm) / min(0.5, 60 / rate_bpm)
    return diastolic * (1 - shortening * np.sin(np.pi * phase.clip(0, 1)))


@settings(max_examples=20, deadline=None)
@given(st.floats(30, 220), st.floats(15, 60), st.floats(0.05, 0.35))
def test_the_shortening_of_systole_is_not_foreshortening_at_any_rate(
    rate_bpm: float, fps: float, shortening: float
) -> None:
    assert min(lengths(Past(), beating_axis(5, fps, rate_bpm, shortening), fps)) > DEFAULT_QUALITY["min_length_share"]


@settings(max_examples=20, deadline=None)
@given(st.floats(40, 150), st.floats(25, 60))
def test_a_plane_that_leaves_the_apex_is_noticed_within_a_second_and_its_return_at_once(
    rate_bpm: float, fps: float
) -> None:
    past = Past()
    lengths(past, beating_axis(3, fps, rate_bpm, 0.15), fps)
    short = lengths(past, beating_axis(4, fps, rate_bpm, 0.15, diastolic=65), fps, start_s=3.0, ok=False)
    assert max(short[round((RECENT_S + 0.2) * fps) :]) < DEFAULT_QUALITY["min_length_share"]
    assert past.length_share(90.0) > DEFAULT_QUALITY["min_length_share"]


def test_the_memory_of_a_longer_axis_ends() -> None:
    past = Past()
    lengths(past, np.full(60, 90.0), 25)
    later = lengths(past, np.full(round(25 * (LENGTH_MEMORY_S + 3)), 60.0), 25, start_s=2.4, ok=False)
    assert later[50] == pytest.approx(60 / 90, rel=1e-3)
    assert later[-1] == 1


def test_one_bad_contour_does_not_set_the_measure() -> None:
    past, axis = Past(), np.full(100, 80.0)
    axis[30] = 160
    assert min(lengths(past, axis, 25)) > 0.99
