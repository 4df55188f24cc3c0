"""The clock of a DICOM header: which of its times is believed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from echo_rt.sources.dicom_clock import clock
from support.dicom_files import header_only as header

FRAME_TIME, VECTOR = 0x00181063, 0x00181065


def times(frames: int, **elements: Any) -> list[float] | None:
    found = clock(header(**elements), frames)
    return None if found is None else found.times_s.tolist()


def test_a_frame_time_vector_is_added_up() -> None:
    assert times(4, FrameTimeVector=["0", "20", "30", "50"], FrameTime="99") == pytest.approx([0, 0.02, 0.05, 0.1])


def test_a_vector_without_the_zero_of_the_first_frame_is_added_up_too() -> None:
    assert times(4, FrameTimeVector=["20", "30", "50"]) == pytest.approx([0, 0.02, 0.05, 0.1])


def test_increments_that_cannot_be_true_become_the_median_of_the_others() -> None:
    assert times(6, FrameTimeVector=["0", "20", "0", "-20", "20", "1e9"]) == pytest.approx(
        [0, 0.02, 0.04, 0.06, 0.08, 0.1]
    )


def test_a_vector_that_is_too_short_goes_on_with_its_median() -> None:
    assert times(5, FrameTimeVector=["0", "20", "20"]) == pytest.approx([0, 0.02, 0.04, 0.06, 0.08])


@given(
    st.lists(st.one_of(st.floats(), st.floats(0, 100), st.sampled_from([0.0, -33.0, 1e-9, 1e300])), max_size=40),
    st.integers(2, 30),
)
def test_whatever_a_vector_holds_time_goes_forward(vector: list[float], frames: int) -> None:
    ds = Dataset()
    ds.Rows = 48
    # The value is set past pydicom's checks, as a file could bring it.
    ds.add_new("FrameTimeVector", "FD", vector)
    found = clock(ds, frames)
    increments = vector[1:frames] if len(vector) >= frames or vector[:1] == [0] else vector[: frames - 1]
    usable = [ms for ms in increments if 0.1 <= ms <= 10_000]
    assert found is not None or not usable
    if found is None:
        return
    assert found.times_s.shape == (frames,)
    assert found.times_s[0] == 0
    assert np.all(np.isfinite(found.times_s))
    assert np.all(np.diff(found.times_s) > 0)
    if any("counts up" in note or "by its size" in note for note in found.notes):
        return
    for step, ms in zip(np.diff(found.times_s) * 1000, increments, strict=False):
        assert math.isclose(step, ms, rel_tol=1e-6) or not 0.1 <= ms <= 10_000


@pytest.mark.parametrize(
    ("elements", "period_ms"),
    [
        ({"FrameTime": "33.333", "CineRate": "99"}, 33.333),
        ({"FrameTime": "0", "CineRate": "50"}, 20),
        ({"FrameTime": "-5", "CineRate": "50"}, 20),
        ({"FrameTime": "", "CineRate": "50"}, 20),
        ({"FrameTimeVector": ["0", "0", "0"], "FrameTime": "40"}, 40),
        ({"CineRate": "0", "RecommendedDisplayFrameRate": "25"}, 40),
        ({"ActualFrameDuration": "16"}, 16),
        ({"EffectiveDuration": "2"}, 500),
    ],
)
def test_the_clock_comes_from_the_first_element_that_can_be_true(elements: dict[str, Any], period_ms: float) -> None:
    assert times(4, **elements) == pytest.approx([index * period_ms / 1000 for index in range(4)])


@pytest.mark.parametrize(
    "elements", [{}, {"FrameTime": "0"}, {"FrameTime": "9999999"}, {"CineRate": "0"}, {"FrameTimeVector": ["0", "0"]}]
)
def test_a_header_without_a_usable_clock_gives_none(elements: dict[str, Any]) -> None:
    assert times(4, **elements) is None


def said(frames: int, **elements: Any) -> tuple[float, str]:
    """Frames a second, and all notes."""
    found = clock(header(**elements), frames)
    assert found is not None
    return 1 / found.period_s, "; ".join(found.notes)


STALE = ["0"] + ["20"] * 23  # of a clip that was twice as long


@pytest.mark.parametrize(
    ("elements", "fps"),
    [
        ({"FrameIncrementPointer": FRAME_TIME, "FrameTime": "40", "FrameTimeVector": STALE}, 25),
        ({"FrameIncrementPointer": FRAME_TIME, "FrameTime": "40", "FrameTimeVector": STALE[:12]}, 25),
        ({"FrameTime": "40", "FrameTimeVector": STALE}, 25),
        ({"FrameTime": "40", "FrameTimeVector": STALE[:9]}, 25),
        ({"FrameTime": "40", "FrameTimeVector": STALE[:12]}, 50),
        ({"FrameTime": "40", "FrameTimeVector": STALE[1:12]}, 50),
        ({"FrameTimeVector": STALE}, 50),
        ({"FrameIncrementPointer": VECTOR, "FrameTime": "40", "FrameTimeVector": STALE[:12]}, 50),
        ({"FrameIncrementPointer": VECTOR, "FrameTime": "40", "FrameTimeVector": STALE}, 50),
        ({"FrameIncrementPointer": VECTOR, "FrameTime": "40"}, 25),
        ({"FrameIncrementPointer": FRAME_TIME, "FrameTime": "0", "FrameTimeVector": STALE[:12]}, 50),
        ({"FrameIncrementPointer": [0x00540010, VECTOR], "FrameTime": "40", "FrameTimeVector": STALE[:12]}, 50),
        ({"FrameIncrementPointer": FRAME_TIME, "FrameTime": "2.5", "RecommendedDisplayFrameRate": "30"}, 400),
        ({"FrameTime": "1000", "CineRate": "30"}, 30),
    ],
)
def test_the_pointer_and_the_length_choose_between_frame_time_and_vector(elements: dict[str, Any], fps: float) -> None:
    assert said(12, **elements)[0] == pytest.approx(fps)


def test_clocks_that_disagree_are_named_with_the_one_that_is_used() -> None:
    fps, note = said(60, FrameTime="40", CineRate="50", RecommendedDisplayFrameRate="25", EffectiveDuration="1.2")
    assert fps == pytest.approx(25)
    assert note == (
        "the clocks of the header disagree: FrameTime says 25 frames a second and is used, CineRate says 50, "
        "EffectiveDuration says 50"
    )
    assert said(60, FrameTime="33.333", CineRate="30", EffectiveDuration="2")[1] == ""
    assert said(12, FrameTime="133.3", CineRate="8")[1] == ""


@pytest.mark.parametrize("jitter", [0, 3])
@pytest.mark.parametrize("first", [0, 1, 5000])
@pytest.mark.parametrize("unit", [1, 0.001, 1000])
def test_a_vector_that_counts_up_from_the_start_is_seen(jitter: int, first: int, unit: float) -> None:
    steps = [33 + jitter * (index % 3 - 1) for index in range(29)]
    start = {0: 0, 1: 33, 5000: 5000}[first]
    times_ms = [start, *(start + np.cumsum(steps))]
    found = clock(header(FrameTimeVector=[f"{ms * unit:g}" for ms in times_ms]), 30)
    assert found is not None
    expected = np.concatenate([[0], np.cumsum(steps)]) / 1000
    assert found.times_s == pytest.approx(expected, abs=0.002)
    assert "counts up" in found.notes[-1]


def test_increments_that_only_drift_are_no_times() -> None:
    fps, note = said(12, FrameTimeVector=["0", *[f"{30 + 0.1 * index:g}" for index in range(11)]])
    assert fps == pytest.approx(1000 / 30.5)
    assert note == ""


@pytest.mark.parametrize(
    ("elements", "fps", "unit"),
    [
        ({"FrameTime": "0.0333"}, 30.03, "seconds"),
        ({"FrameTime": "33333"}, 30.0, "microseconds"),
        ({"FrameTimeVector": ["0", *["0.02"] * 11]}, 50, "seconds"),
        ({"FrameTimeVector": ["0", *["20000"] * 11]}, 50, "microseconds"),
        ({"EffectiveDuration": "480"}, 25, "milliseconds"),
    ],
)
def test_a_time_a_thousand_times_too_small_or_large_is_in_another_unit(
    elements: dict[str, Any], fps: float, unit: str
) -> None:
    found, note = said(12, **elements)
    assert found == pytest.approx(fps, rel=1e-3)
    assert f" is in {unit}, by its size" in note


def test_increments_that_were_replaced_are_counted() -> None:
    assert (
        "2 increments of the FrameTimeVector cannot be true" in said(5, FrameTimeVector=["0", "20", "0", "-5", "20"])[1]
    )


def test_a_rate_that_no_heart_is_filmed_at_is_said() -> None:
    assert said(5, FrameTime="1") == (1000, "FrameTime says 1000 frames a second, which is unusual for a heart")


def test_time_goes_on_after_the_last_frame_that_the_header_knows() -> None:
    found = clock(header(FrameTime="40"), 3)
    assert found is not None
    assert [found.at(index) for index in (0, 2, 5)] == pytest.approx([0, 0.08, 0.2])
