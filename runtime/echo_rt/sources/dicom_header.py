"""What a DICOM header says of time, scale and view, believed where it can be true.

Functions of a pydicom `Dataset`, without pixels.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import MutableSequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException

from echo_rt.arrays import Array

Spacing = tuple[tuple[float, float] | None, str | None]

# pydicom converts a value when it is asked for it, and raises what the conversion happens to raise.
_CONVERSION_ERRORS = (
    BytesLengthException, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError,
    struct.error,
)  # fmt: skip

MIN_INCREMENT_MS, MAX_INCREMENT_MS = 0.1, 10_000.0
"""An increment outside is a mistake: no scanner makes 10000 frames a second, or waits ten seconds within a cine."""

REGION_OVERHANG = 1
"""Pixels by which a calibrated region may end past its image: vendors give the last column, or the one after it."""

MIN_EXTENT_MM, MAX_EXTENT_MM = 10.0, 600.0
"""What an image of a heart can show, in either direction, from a mouse probe to a margin-wide screen capture."""

SAME_SCALE = 0.01
"""Two regions whose scales agree to this share are two views by one probe setting."""


def frame_times(header: Dataset, frames: int) -> Array | None:
    """(frames,) seconds, the first 0, strictly increasing; None where the header has no usable clock.

    From FrameTimeVector, else FrameTime, CineRate, RecommendedDisplayFrameRate, ActualFrameDuration, EffectiveDuration.
    Increments of the vector that are missing or cannot be true are replaced by the median of the others.
    """
    if (vector := _times_of_vector(_numbers(header, "FrameTimeVector"), frames)) is not None:
        return vector
    candidates = (
        number(header, "FrameTime"),
        _period_ms(number(header, "CineRate")),
        _period_ms(number(header, "RecommendedDisplayFrameRate")),
        number(header, "ActualFrameDuration"),
        1000 * number(header, "EffectiveDuration") / frames,
    )
    period = next((ms for ms in candidates if MIN_INCREMENT_MS <= ms <= MAX_INCREMENT_MS), None)
    return None if period is None else np.arange(frames, dtype=np.float64) * np.float64(period / 1000)


def _times_of_vector(vector: list[float], frames: int) -> Array | None:
    # Increments from the frame before, in ms. The first is 0 by the standard; some leave it out.
    if vector and (len(vector) >= frames or vector[0] == 0):
        del vector[0]
    increments = np.full(frames - 1, np.nan)
    given = np.asarray(vector[: frames - 1], np.float64)
    increments[: given.size] = given
    good = (increments >= MIN_INCREMENT_MS) & (increments <= MAX_INCREMENT_MS)
    if not good.any():
        return None
    increments[~good] = np.median(increments[good])
    return np.asarray(np.concatenate([[0.0], np.cumsum(increments)]) / 1000, np.float64)


def pixel_spacing(header: Dataset) -> Spacing:
    """Height and width of a pixel in mm (row, column), or None and one sentence why not.

    From the ultrasound regions of 2D tissue in cm; without regions, from PixelSpacing. A region outside the image is
    from before the image was resized: then no scale of that header is believed.
    """
    rows, columns = number(header, "Rows"), number(header, "Columns")
    regions = _items(header, "SequenceOfUltrasoundRegions")
    if not regions:
        row_mm, column_mm = [*_numbers(header, "PixelSpacing"), math.nan, math.nan][:2]
        if math.isnan(row_mm):
            return None, "the header has no ultrasound region and no pixel spacing"
        return _plausible((row_mm, column_mm), (rows, columns), "the pixel spacing")
    tissue = [r for r in regions if number(r, "RegionSpatialFormat") == 1 and number(r, "RegionDataType") == 1]
    tissue = [r for r in tissue if number(r, "PhysicalUnitsXDirection") == 3 == number(r, "PhysicalUnitsYDirection")]
    if not tissue:
        return None, "no ultrasound region of the header is 2D tissue in cm"
    scales: list[tuple[float, float]] = []
    for region in tissue:
        x0, y0, x1, y1 = (number(region, f"RegionLocation{corner}") for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1"))
        if not (0 <= x0 < x1 < columns + REGION_OVERHANG and 0 <= y0 < y1 < rows + REGION_OVERHANG):
            return None, (
                f"the calibrated region ({x0:g}, {y0:g}) to ({x1:g}, {y1:g}) does not fit the {columns:g}x{rows:g} "
                "image: it is stale, from before the image was resized"
            )
        mm = (10 * number(region, "PhysicalDeltaY"), 10 * number(region, "PhysicalDeltaX"))
        spacing, note = _plausible(mm, (y1 - y0, x1 - x0), "the calibrated region")
        if spacing is None:
            return None, note
        scales.append(spacing)
    if not np.allclose(scales, scales[0], rtol=SAME_SCALE, atol=0):
        return None, f"the header has {len(scales)} 2D regions of different scale"
    return scales[0], None


def _plausible(mm: tuple[float, float], extent: tuple[float, float], what: str) -> Spacing:
    if all(MIN_EXTENT_MM <= step * pixels <= MAX_EXTENT_MM for step, pixels in zip(mm, extent, strict=True)):
        return mm, None
    return None, (
        f"{what} has pixels of {mm[0]:.3g} x {mm[1]:.3g} mm over {extent[0]:g} x {extent[1]:g} pixels, "
        "which no ultrasound image has"
    )


# SNOMED's codes, in the two spellings that are in use.
_VIEW_CODES = {"399214001": "A4C", "G-A19C": "A4C", "399232001": "A2C", "G-A19B": "A2C"}


def _view_pattern(digit: int, word: str) -> re.Pattern[str]:
    # "apical 4 chamber", "Apical four-chamber view", "AP4", "A4C", "4CH"; but neither "SC4C" (subcostal) nor "4C".
    chamber = rf"(?:{digit}|{word})[\s-]*ch(?:amber|b|a)?s?\b"
    return re.compile(
        rf"\bap(?:ical|\.)?[\s-]*(?:{chamber}|{digit}c?\b)|\ba[\s-]?{digit}c[hv]?\b|\b{chamber}", re.IGNORECASE
    )


_VIEW_TEXTS = {"A4C": _view_pattern(4, "four"), "A2C": _view_pattern(2, "two")}
_NOT_APICAL = re.compile(
    r"sub[\s_-]*(?:costal|xiph)|\bsc\b|\bsub\b|paraster|\bps?s?ax|\bplax|\bps\b|f(?:o)?etal"
    r"|transesoph|transoesoph|\btee\b|\bme\b",
    re.IGNORECASE,
)


def view(header: Dataset) -> str | None:
    """``A4C`` or ``A2C`` where the header clearly says so, by code or in words; else None."""
    codes = _items(header, "ViewCodeSequence")
    coded = {_VIEW_CODES[value] for code in codes if (value := text(code, "CodeValue")) in _VIEW_CODES}
    if coded:
        return coded.pop() if len(coded) == 1 else None
    texts = [text(code, "CodeMeaning") for code in codes]
    texts += [text(header, keyword) for keyword in ("ViewName", "ProtocolName", "SeriesDescription", "ImageComments")]
    for said in texts:
        words = said.replace("_", " ")  # an underscore is a letter to \b
        named = [name for name, pattern in _VIEW_TEXTS.items() if pattern.search(words)]
        if named:
            return named[0] if len(named) == 1 and not _NOT_APICAL.search(words) else None
    return None


def number(header: Dataset, keyword: str) -> float:
    """The first value of an element as a number; NaN where there is none, which is true of no comparison."""
    return next(iter(_numbers(header, keyword)), math.nan)


def text(header: Dataset, keyword: str) -> str:
    """The value of an element as text without blanks around it, empty where there is none."""
    value = _value(header, keyword)
    return "" if value is None else str(value).strip()


def _numbers(header: Dataset, keyword: str) -> list[float]:
    """All values of an element as numbers, NaN in place of one that is not; empty without the element."""
    value = _value(header, keyword)
    if value is None:
        return []
    several = not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
    return [_float(one) for one in (value if several else [value])]


def _items(header: Dataset, keyword: str) -> list[Dataset]:
    value = _value(header, keyword)
    return [item for item in value if hasattr(item, "get")] if isinstance(value, MutableSequence) else []


def _value(header: Dataset, keyword: str) -> Any:
    try:
        return header.get(keyword)
    except _CONVERSION_ERRORS:
        return None


def _float(value: Any) -> float:
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        return math.nan


def _period_ms(rate: float) -> float:
    return 1000 / rate if rate > 0 else math.nan
