"""Time, scale and view, as a DICOM header gives them, rightly or wrongly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from echo_rt.sources.dicom_header import frame_times, pixel_spacing, view
from support import clips


def header(**elements: Any) -> Dataset:
    ds = Dataset()
    ds.Rows, ds.Columns = 48, 64
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


def times(frames: int, **elements: Any) -> list[float] | None:
    found = frame_times(header(**elements), frames)
    return None if found is None else found.tolist()


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
    found = frame_times(ds, frames)
    increments = vector[1:frames] if len(vector) >= frames or vector[:1] == [0] else vector[: frames - 1]
    usable = [ms for ms in increments if 0.1 <= ms <= 10_000]
    if not usable:
        assert found is None
        return
    assert found is not None
    assert found.shape == (frames,)
    assert found[0] == 0
    assert np.all(np.isfinite(found))
    assert np.all(np.diff(found) > 0)
    for step, ms in zip(np.diff(found) * 1000, increments, strict=False):
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
    "elements", [{}, {"FrameTime": "0"}, {"FrameTime": "99999"}, {"CineRate": "0"}, {"FrameTimeVector": ["0", "0"]}]
)
def test_a_header_without_a_usable_clock_gives_none(elements: dict[str, Any]) -> None:
    assert times(4, **elements) is None


def spacing(*regions: Dataset, **elements: Any) -> tuple[tuple[float, float] | None, str | None]:
    found = pixel_spacing(
        header(SequenceOfUltrasoundRegions=list(regions), **elements) if regions else header(**elements)
    )
    assert (found[0] is None) == (found[1] is not None)
    return found


def test_a_region_in_cm_gives_the_spacing_in_mm_row_first() -> None:
    assert spacing(clips.ultrasound_region())[0] == pytest.approx((3, 2))


@pytest.mark.parametrize(
    "corner",
    [
        {"RegionLocationMaxX1": 595}, {"RegionLocationMaxY1": 414}, {"RegionLocationMinX0": 64},
        {"RegionLocationMinY0": 48}, {"RegionLocationMaxX1": 65}, {"RegionLocationMaxY1": 49},
        {"RegionLocationMinX0": 63},
    ],
)  # fmt: skip
def test_a_stale_ultrasound_region_is_refused(corner: dict[str, int]) -> None:
    found, note = spacing(clips.ultrasound_region(**corner), PixelSpacing=["2", "2"])
    assert found is None
    assert "does not fit the 64x48 image" in str(note)


def test_a_region_that_ends_at_the_width_instead_of_the_last_column_is_believed() -> None:
    assert spacing(clips.ultrasound_region(RegionLocationMaxX1=64, RegionLocationMaxY1=48))[0] is not None


@pytest.mark.parametrize("delta", [0.0, -0.2, 1e-6, 10.0, math.nan, math.inf])
@pytest.mark.parametrize("axis", ["PhysicalDeltaX", "PhysicalDeltaY"])
def test_a_scale_that_no_heart_has_is_refused(delta: float, axis: str) -> None:
    found, note = spacing(clips.ultrasound_region(**{axis: delta}))
    assert found is None
    assert "no ultrasound image" in str(note)


@pytest.mark.parametrize(
    "other",
    [{"RegionSpatialFormat": 3}, {"RegionDataType": 3}, {"PhysicalUnitsXDirection": 4}, {"PhysicalUnitsYDirection": 7}],
)
def test_only_a_region_of_2d_tissue_in_cm_counts(other: dict[str, int]) -> None:
    trace = clips.ultrasound_region(**other, RegionLocationMaxX1=999, PhysicalDeltaX=0.9)
    assert spacing(trace)[0] is None
    assert spacing(trace, clips.ultrasound_region())[0] == pytest.approx((3, 2))


def test_regions_side_by_side_must_have_one_scale() -> None:
    left, right = clips.ultrasound_region(RegionLocationMaxX1=31), clips.ultrasound_region(RegionLocationMinX0=32)
    assert spacing(left, right)[0] == pytest.approx((3, 2))
    found, note = spacing(left, clips.ultrasound_region(RegionLocationMinX0=32, PhysicalDeltaX=0.25))
    assert found is None
    assert "different scale" in str(note)


def test_an_incomplete_region_is_refused() -> None:
    region = clips.ultrasound_region()
    del region.RegionLocationMaxX1
    assert spacing(region)[0] is None


def test_pixel_spacing_counts_where_there_is_no_region() -> None:
    assert spacing(PixelSpacing=["3", "2"])[0] == (3, 2)
    assert spacing(PixelSpacing=["0", "0"])[0] is None
    assert spacing(PixelSpacing=["3"])[0] is None
    assert spacing()[0] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A4C", "A4C"), ("a4c", "A4C"), ("A4CH", "A4C"), ("AP4", "A4C"), ("Ap 4 Ch", "A4C"),
        ("Apical 4 chamber", "A4C"), ("4CH", "A4C"), ("apical_four-chamber view", "A4C"), ("Echo A4C zoom", "A4C"),
        ("A2C", "A2C"), ("Apical two chamber", "A2C"), ("2CH", "A2C"), ("Adult Echo", None), ("A3C", None),
        ("PLAX", None), ("Subcostal 4 chamber", None), ("SC 4CH", None), ("A4C and A2C", None),
        ("TEE ME 4 chamber", None), ("14CH", None), ("4C", None), ("A5C", None), ("Parasternal", None),
        ("Fetal 4 chamber", None), ("", None),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:The value length:UserWarning")  # files break this rule, and so does the test
@pytest.mark.parametrize("keyword", ["ViewName", "ProtocolName", "SeriesDescription"])
def test_the_view_is_taken_from_words_that_are_clear(keyword: str, text: str, expected: str | None) -> None:
    assert view(header(**{keyword: text})) == expected


def test_a_coded_view_counts_more_than_words() -> None:
    assert view(header(ViewCodeSequence=[code("399214001", "Apical four chamber")], ProtocolName="A2C")) == "A4C"
    assert view(header(ViewCodeSequence=[code("G-A19B", "Apical two chamber")])) == "A2C"
    assert view(header(ViewCodeSequence=[code("99999", "apical 4 chamber")])) == "A4C"
    assert view(header(ViewCodeSequence=[code("399214001", ""), code("399232001", "")])) is None
    assert view(header()) is None
