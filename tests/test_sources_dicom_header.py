"""The view, as a DICOM header gives it in words or by code."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from echo_rt.sources.dicom_header import view
from support.dicom_files import header_only as header


def code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return item


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
