"""The values of a DICOM header as numbers and words, whatever stands in it, the view that it names, and the patient.

Functions of a pydicom `Dataset`, without pixels. A value that cannot be converted counts as missing.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import MutableSequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException

from echo_rt.errors import ParameterError
from echo_rt.measures import HEIGHT_CM, WEIGHT_KG, Body
from echo_rt.provenance import Identity

# pydicom converts a value when it is asked for it, and raises what the conversion happens to raise.
_CONVERSION_ERRORS = (
    BytesLengthException, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError,
    struct.error,
)  # fmt: skip

# With a decimal comma, or a unit behind it: no number to DICOM, and seen all the same.
_NUMBER = re.compile(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*[a-zA-Z]*\s*")

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
    codes = items(header, "ViewCodeSequence")
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


def identity(header: Dataset) -> Identity:
    """Whose recording it is."""
    return Identity.of(text(header, "PatientID") or text(header, "PatientName"), text(header, "StudyInstanceUID"))


def body(header: Dataset) -> tuple[Body, list[str]]:
    """How large the patient is, and a line for each value that is not as it should be.

    PatientSize is in m and PatientWeight in kg (PS3.3 C.7.2.2). Some files have a height in cm, which is believed.
    The lines quote no figure: outputs keep them, and what the header says of a patient is not kept.
    """
    notes: list[str] = []
    size, weight_kg = number(header, "PatientSize"), number(header, "PatientWeight")
    height_cm = 100 * size
    if HEIGHT_CM[0] <= size <= HEIGHT_CM[1]:
        height_cm = size
        notes.append("the patient's height in the header is in cm, where m is due, and is used as cm")
    height, weight = _plausible(height_cm, HEIGHT_CM), _plausible(weight_kg, WEIGHT_KG)
    for name, stated, found in (("height", height_cm, height), ("weight", weight_kg, weight)):
        if found is None and not math.isnan(stated):
            notes.append(f"the patient's {name} in the header is none that a patient has, and is not used")
    try:
        return Body(height, weight), notes
    except ParameterError:
        return Body(), [*notes, "the patient's height and weight in the header do not fit together, and are not used"]


def _plausible(value: float, limits: tuple[float, float]) -> float | None:
    return value if limits[0] <= value <= limits[1] else None


def number(header: Dataset, keyword: str) -> float:
    """The first value of an element as a number; NaN where there is none, which is true of no comparison."""
    return next(iter(numbers(header, keyword)), math.nan)


def text(header: Dataset, keyword: str) -> str:
    """The value of an element as text without blanks around it, empty where there is none."""
    value = _value(header, keyword)
    return "" if value is None else str(value).strip()


def numbers(header: Dataset, keyword: str) -> list[float]:
    """All values of an element as numbers, NaN in place of one that is not; empty without the element."""
    value = _value(header, keyword)
    if value is None:
        return []
    several = not isinstance(value, (str, bytes)) and hasattr(value, "__iter__")
    return [_float(one) for one in (value if several else [value])]


def items(header: Dataset, keyword: str) -> list[Dataset]:
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
        found = _NUMBER.fullmatch(value) if isinstance(value, str) else None
        return float(found[1].replace(",", ".")) if found else math.nan
