"""The scale of a DICOM header: which of its pixel sizes is believed, and why none is."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from echo_rt.sources.dicom_scale import scale
from support import clips
from support.dicom_files import header_only as header


def spacing(*regions: Dataset, **elements: Any) -> tuple[tuple[float, float] | None, str | None]:
    ds = header(SequenceOfUltrasoundRegions=list(regions), **elements) if regions else header(**elements)
    found = scale(ds, 48, 64)
    assert (found.spacing_mm is None) == (found.why_not is not None)
    return found.spacing_mm, found.why_not


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


@pytest.mark.parametrize("delta", [0.0, 1e-6, 10.0, math.nan, math.inf, 0.02])
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


@pytest.mark.parametrize("axis", ["PhysicalDeltaX", "PhysicalDeltaY"])
def test_a_negative_step_is_a_direction_and_the_scale_stays(axis: str) -> None:
    region = clips.ultrasound_region()
    region[axis].value *= -1
    assert spacing(region) == (pytest.approx((3, 2)), None)


@pytest.mark.parametrize("one", ["1", "1.0", "1.000000", "0.99999999"])
def test_a_pixel_of_one_millimetre_square_is_a_placeholder(one: str) -> None:
    found, note = spacing(PixelSpacing=[one, one])
    assert found is None
    assert "exactly 1 unit square" in str(note)


@pytest.mark.parametrize("one", ["0.264583333", "0.2646", "0.35277777", "0.3528", "0.169333", "0.254"])
def test_a_pixel_of_a_screen_or_a_printer_is_a_placeholder(one: str) -> None:
    ds = header(PixelSpacing=[one, one])
    ds.Rows, ds.Columns = 480, 640
    found = scale(ds, 480, 640)
    assert found.spacing_mm is None
    assert f"has pixels of {float(one):.4g} mm square, which senders write" in str(found.why_not)
    ds.PixelSpacing = [one, "0.3"]
    assert scale(ds, 480, 640).spacing_mm == pytest.approx((float(one), 0.3))


@pytest.mark.parametrize("written", ["0,85", "0.85 mm", " 0.85", "+0,850mm"])
def test_a_number_with_a_decimal_comma_or_a_unit_is_read(written: str) -> None:
    ds = header()
    value = f"{written}\\{written}".encode()
    ds._dict[Tag("PixelSpacing")] = RawDataElement(Tag("PixelSpacing"), "DS", len(value), value, 0, False, True)
    assert scale(ds, 48, 64).spacing_mm == pytest.approx((0.85, 0.85))


def test_a_spacing_in_centimetres_makes_no_mouse_of_a_patient() -> None:
    ds = header(PixelSpacing=["0.05", "0.05"])
    ds.Rows, ds.Columns = 480, 640
    found = scale(ds, 480, 640)
    assert found.spacing_mm is None
    assert "which no ultrasound image has" in str(found.why_not)


@pytest.mark.parametrize(("rows", "columns"), [(640, 480), (481, 640), (480, 642)])
def test_a_size_that_misses_the_picture_by_a_line_or_is_turned_says_nothing_of_the_scale(
    rows: int, columns: int
) -> None:
    ds = header(PixelSpacing=["0.3", "0.3"])
    ds.Rows, ds.Columns = rows, columns
    assert scale(ds, 480, 640).spacing_mm == (0.3, 0.3)


@pytest.mark.parametrize("unit", [0.1, 1.0])
def test_a_region_of_one_unit_square_is_a_placeholder_too(unit: float) -> None:
    found, note = spacing(clips.ultrasound_region(PhysicalDeltaX=unit, PhysicalDeltaY=unit))
    assert found is None
    assert "exactly 1 unit square" in str(note)


@pytest.mark.parametrize("near", [("1", "0.9"), ("1.01", "1.01"), ("0.99", "0.99")])
def test_a_pixel_of_nearly_one_millimetre_is_measured(near: tuple[str, str]) -> None:
    assert spacing(PixelSpacing=list(near))[0] == pytest.approx(tuple(map(float, near)))


@pytest.mark.parametrize("keyword", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_a_spacing_at_the_imager_is_none_in_the_patient(keyword: str) -> None:
    found, note = spacing(**{keyword: ["2", "2"]})
    assert found is None
    assert keyword in str(note)
    assert spacing(PixelSpacing=["3", "3"], **{keyword: ["2", "2"]})[0] == (3, 3)


def test_the_spacing_of_each_frame_of_an_enhanced_object_is_used_where_all_agree() -> None:
    for other, expected in (("2.5", (2.5, 2.5)), ("2", None)):
        groups = []
        for mm in ("2.5", other):
            measures, group = Dataset(), Dataset()
            measures.PixelSpacing = [mm, mm]
            group.PixelMeasuresSequence = [measures]
            groups.append(group)
        assert spacing(PerFrameFunctionalGroupsSequence=groups)[0] == expected


def test_the_spacing_of_an_enhanced_object_is_in_its_functional_group() -> None:
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = ["3", "2"]
    group.PixelMeasuresSequence = [measures]
    assert spacing(SharedFunctionalGroupsSequence=[group])[0] == (3, 2)


def test_the_scale_is_that_of_the_region_that_holds_most_of_the_picture() -> None:
    inset = clips.ultrasound_region(RegionLocationMinX0=40, RegionLocationMinY0=30, PhysicalDeltaX=0.6)
    found = scale(header(SequenceOfUltrasoundRegions=[inset, clips.ultrasound_region()]), 48, 64)
    assert found.spacing_mm == pytest.approx((3, 2))
    assert found.notes == ("the header has 2 2D regions of different scale, and that of the largest is used",)
    half = clips.ultrasound_region(RegionLocationMinX0=32, PhysicalDeltaX=0.6)
    assert spacing(half, clips.ultrasound_region())[0] is None


def test_an_inset_without_a_usable_scale_does_no_harm() -> None:
    inset = clips.ultrasound_region(RegionLocationMinX0=50, RegionLocationMinY0=40, PhysicalDeltaX=0, PhysicalDeltaY=0)
    assert spacing(inset, clips.ultrasound_region())[0] == pytest.approx((3, 2))


@pytest.mark.parametrize("delta", [0.7, 0.8])
def test_pixels_that_are_much_longer_one_way_are_two_units_in_one_header(delta: float) -> None:
    assert spacing(clips.ultrasound_region(PhysicalDeltaX=delta, PhysicalDeltaY=0.2))[0] is None


def test_what_the_header_says_besides_is_noted() -> None:
    def notes(**elements: Any) -> tuple[str, ...]:
        return scale(header(**elements), 48, 64).notes

    (aspect,) = notes(PixelAspectRatio=["4", "3"])
    assert aspect == "its pixels are 1.33 times as high as wide, by PixelAspectRatio, and are taken as square"
    region = [clips.ultrasound_region()]
    assert notes(SequenceOfUltrasoundRegions=region, PixelAspectRatio=["3", "2"]) == ()
    (aspect,) = notes(SequenceOfUltrasoundRegions=region, PixelAspectRatio=["4", "3"])
    assert aspect == "PixelAspectRatio says 1.33, against pixels of 3 x 2 mm"
    (other,) = notes(SequenceOfUltrasoundRegions=region, PixelSpacing=["2", "2"])
    assert other == "the calibrated region is used, and PixelSpacing says 2 x 2 mm"
    assert notes(SequenceOfUltrasoundRegions=region, PixelSpacing=["1", "1"]) == ()


def test_a_header_of_another_picture_gives_no_scale() -> None:
    found = scale(header(SequenceOfUltrasoundRegions=[clips.ultrasound_region()]), 96, 128)
    assert found.spacing_mm is None
    assert found.why_not == "the header is about pictures of 64x48, and these have 128x96"
