"""The scale of a DICOM cine: which of the header's pixel sizes is believed, and why none is.

The regions of PS3.3 C.8.5.5 are calibrated in the patient. PixelSpacing is believed where there are none. What an
imager or a scanner of paper measured (ImagerPixelSpacing, NominalScannedPixelSpacing) is no size in the patient.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from echo_rt.sources.dicom_header import items, number, numbers
from echo_rt.sources.scale import is_oblong, is_placeholder

REGION_OVERHANG = 1
"""Pixels by which a calibrated region may end past its image: vendors give the last column, or the one after it."""

MIN_EXTENT_MM, MAX_EXTENT_MM = 10.0, 600.0
"""What an image of a heart can show, in either direction, from a mouse probe to a margin-wide screen capture."""

MIN_PLAIN_MM = 30.0
"""The same of a picture without regions: a small animal's scanner writes regions, and a spacing in cm is ten times too
small."""

SAME_SCALE = 0.01
"""Two regions whose scales agree to this share are two views by one probe setting."""

CLEARLY_MOST = 3.0
"""Times the area of all regions of other scales: the picture is in this one, and the others are insets."""

_TISSUE, _CENTIMETRES = 1, 3

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels, as a region of the header gives them."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of a pixel.

    Attributes:
        spacing_mm: height and width of a pixel (row, column), or None.
        why_not: one sentence why not, exactly where there is no spacing.
        notes: one line each on what in the header contradicts it.
        regions: all regions of the header, whatever they show, where the spacing is that of one.
    """

    spacing_mm: tuple[float, float] | None
    why_not: str | None
    notes: tuple[str, ...] = ()
    regions: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class _Region:
    """A region of 2D tissue: its pixels or why they are not believed, and the area that it covers."""

    spacing_mm: tuple[float, float] | None
    why_not: str | None
    area: float


def scale(header: Dataset, rows: int, columns: int) -> Scale:
    """The scale of pictures of that size.

    A header that gives its pictures another size is about other pictures, and a region outside the picture is from
    before it was resized: then no scale of that header is believed. Rows for columns are no other size, and neither is
    one more or less.
    """
    stated = number(header, "Rows"), number(header, "Columns")
    if not all(side > 0 for side in stated):
        return Scale(None, "the header does not say how large its pictures are")
    if not _is_about(stated, (rows, columns)) and not _is_about(stated, (columns, rows)):
        return Scale(
            None, f"the header is about pictures of {stated[1]:g}x{stated[0]:g}, and these have {columns}x{rows}"
        )
    regions = items(header, "SequenceOfUltrasoundRegions")
    found = _of_regions(regions, rows, columns) if regions else _of_spacing(header, rows, columns)
    return Scale(found.spacing_mm, found.why_not, (*found.notes, *_contradictions(header, found)), found.regions)


def _is_about(stated: tuple[float, float], size: tuple[int, int]) -> bool:
    return all(math.isclose(one, other, rel_tol=SAME_SCALE) for one, other in zip(stated, size, strict=True))


def _of_spacing(header: Dataset, rows: int, columns: int) -> Scale:
    spacing = _pair(header, "PixelSpacing") or _shared_spacing(header)
    if spacing is not None:
        return Scale(*_plausible(spacing, (rows, columns), "the pixel spacing", MIN_PLAIN_MM))
    for keyword in ("ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if _pair(header, keyword):
            return Scale(None, f"the header has {keyword} alone, which is not measured in the patient")
    return Scale(None, "the header has no ultrasound region and no pixel spacing")


def _shared_spacing(header: Dataset) -> tuple[float, float] | None:
    """PixelSpacing of an enhanced object, which has it in a functional group: of all frames, or the same of each."""
    found: set[tuple[float, float] | None] = set()
    for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in items(header, keyword):
            found |= {_pair(measures, "PixelSpacing") for measures in items(group, "PixelMeasuresSequence")}
    return found.pop() if len(found) == 1 else None


def _of_regions(regions: list[Dataset], rows: int, columns: int) -> Scale:
    tissue = [region for region in regions if _is_tissue(region)]
    if not tissue:
        return Scale(None, "no ultrasound region of the header is 2D tissue in cm")
    boxes = [_box(region) for region in tissue]
    for x0, y0, x1, y1 in boxes:
        if not (0 <= x0 < x1 < columns + REGION_OVERHANG and 0 <= y0 < y1 < rows + REGION_OVERHANG):
            return Scale(
                None,
                f"the calibrated region ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}) does not fit the {columns:g}x{rows:g} "
                "image: it is stale, from before the image was resized",
            )
    judged = []
    for region, (x0, y0, x1, y1) in zip(tissue, boxes, strict=True):
        # A step is negative where the physical axis runs against the pixels.
        mm = (abs(10 * number(region, "PhysicalDeltaY")), abs(10 * number(region, "PhysicalDeltaX")))
        judged.append(_Region(*_plausible(mm, (y1 - y0, x1 - x0), "the calibrated region"), (x1 - x0) * (y1 - y0)))
    largest = max(judged, key=lambda region: region.area)
    others = [region for region in judged if not _same_scale(region, largest)]
    notes: tuple[str, ...] = ()
    if others:
        if sum(_areas(judged)) - sum(_areas(others)) < CLEARLY_MOST * sum(_areas(others)):
            return Scale(None, f"the header has {len(judged)} 2D regions of different scale")
        notes = (f"the header has {len(judged)} 2D regions of different scale, and that of the largest is used",)
    if largest.spacing_mm is None:
        return Scale(None, largest.why_not)
    return Scale(largest.spacing_mm, None, notes, tuple(map(_box, regions)))


def _is_tissue(region: Dataset) -> bool:
    return (
        number(region, "RegionSpatialFormat") == _TISSUE == number(region, "RegionDataType")
        and number(region, "PhysicalUnitsXDirection") == _CENTIMETRES == number(region, "PhysicalUnitsYDirection")
    )  # fmt: skip


def _box(region: Dataset) -> Box:
    corners = ("MinX0", "MinY0", "MaxX1", "MaxY1")
    x0, y0, x1, y1 = (number(region, f"RegionLocation{corner}") for corner in corners)
    return x0, y0, x1, y1


def _areas(regions: list[_Region]) -> Iterator[float]:
    return (region.area for region in regions)


def _same_scale(one: _Region, other: _Region) -> bool:
    if one.spacing_mm is None or other.spacing_mm is None:
        return one.spacing_mm is other.spacing_mm
    return bool(np.allclose(one.spacing_mm, other.spacing_mm, rtol=SAME_SCALE, atol=0))


def _plausible(
    mm: tuple[float, float], extent: tuple[float, float], what: str, least_mm: float = MIN_EXTENT_MM
) -> tuple[tuple[float, float] | None, str | None]:
    if is_placeholder(mm):
        size = "exactly 1 unit" if mm[0] > 0.999 else f"{mm[0]:.4g} mm"
        return None, f"{what} has pixels of {size} square, which senders write that know no scale"
    if all(least_mm <= step * pixels <= MAX_EXTENT_MM for step, pixels in zip(mm, extent, strict=True)) and not (
        is_oblong(mm)
    ):
        return mm, None
    return None, (
        f"{what} has pixels of {mm[0]:.3g} x {mm[1]:.3g} mm over {extent[0]:g} x {extent[1]:g} pixels, "
        "which no ultrasound image has"
    )


def _contradictions(header: Dataset, found: Scale) -> Iterator[str]:
    """What else the header says of its pixels, where that is something else."""
    spacing = found.spacing_mm
    also = _pair(header, "PixelSpacing")
    if spacing and also and not is_placeholder(also) and not np.allclose(spacing, also, rtol=2 * SAME_SCALE):
        yield f"the calibrated region is used, and PixelSpacing says {also[0]:.3g} x {also[1]:.3g} mm"
    aspect = _pair(header, "PixelAspectRatio")  # height to width (PS3.3 C.7.6.3.1.7)
    if aspect is None or math.isclose(1.0, ratio := aspect[0] / aspect[1], rel_tol=2 * SAME_SCALE):
        return
    if spacing is None:
        yield f"its pixels are {ratio:.3g} times as high as wide, by PixelAspectRatio, and are taken as square"
    elif not math.isclose(spacing[0] / spacing[1], ratio, rel_tol=2 * SAME_SCALE):
        yield f"PixelAspectRatio says {ratio:.3g}, against pixels of {spacing[0]:.3g} x {spacing[1]:.3g} mm"


def _pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    """Two positive numbers (row, column), or None."""
    pair = numbers(header, keyword)
    return (pair[0], pair[1]) if len(pair) == 2 and all(0 < one < math.inf for one in pair) else None
