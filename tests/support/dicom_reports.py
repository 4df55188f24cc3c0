"""What stands in DICOM reports, read without the code that wrote them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from echo_rt.outputs.reports import REPORTS, Asked
from echo_rt.result import RecordingResult
from support.synthetic import clip

ENHANCED_SR = "1.2.840.10008.5.1.4.1.1.88.22"


def items(node: Dataset) -> Iterator[Dataset]:
    """A content item and all below it."""
    yield node
    for child in node.get("ContentSequence", []):
        yield from items(child)


def numbers(report: Dataset) -> list[tuple[str, str, str, Dataset]]:
    """Code, number as it is written, unit and content item of every number."""
    found = []
    for item in items(report):
        if item.get("ValueType") == "NUM":
            (value,) = item.MeasuredValueSequence
            unit = value.MeasurementUnitsCodeSequence[0].CodeValue
            found.append((code_of(item.ConceptNameCodeSequence[0]), str(value.NumericValue), unit, item))
    return found


def code_of(code: Dataset) -> str:
    return str(code.get("CodeValue") or code.LongCodeValue)


def texts(report: Dataset) -> list[str]:
    """All comments."""
    return [item.TextValue for item in items(report) if item.get("ValueType") == "TEXT"]


def frames_of(item: Dataset) -> list[int]:
    """The frames that a number refers to."""
    (image,) = (child for child in items(item) if child.get("ValueType") == "IMAGE")
    (reference,) = image.ReferencedSOPSequence
    found: Any = reference.get("ReferencedFrameNumber", [])
    return [int(found)] if isinstance(found, int) else [int(frame) for frame in found]


def errors_of_dciodvfy(path: Path) -> list[str]:
    """The errors that dciodvfy finds; the test is skipped where it is not installed."""
    said = _said("dciodvfy", "dicom3tools", str(path))
    return [line for line in said.splitlines() if line.startswith("Error")]


def errors_of_dsrdump(path: Path) -> list[str]:
    """The errors and warnings of dsrdump; the test is skipped where it is not installed."""
    said = _said("dsrdump", "dcmtk", "--verbose", "--print-template-id", str(path))
    # It checks no text in UTF-8, and no templates.
    return [
        line
        for line in said.splitlines()
        if line.startswith(("E:", "F:", "W:")) and "Character Set" not in line and "not yet supported" not in line
    ]


def check_by_dicom_validator(path: Path) -> None:
    """Let dicom-validator look for errors; the test is skipped where it or the text of the standard is missing."""
    pytest.importorskip("dicom_validator", reason="dicom-validator is not installed (pip install dicom-validator)")
    standard = Path.home() / "dicom-validator"
    if not list(standard.glob("*/docbook/part03.xml")):
        pytest.skip(f"the text of the standard is not in {standard} (validate_iods fetches it)")
    command = [sys.executable, "-m", "dicom_validator.validate_iods", "--edition", "local", "-src", str(standard)]
    run = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr  # it is the number of errors


def as_enhanced(path: Path, into: Path) -> Path:
    """The same document under the class of the Enhanced SR, which dciodvfy of 2022 knows: value types and modules of
    the Simplified Adult Echo SR are a part of its own."""
    report = pydicom.dcmread(path)
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = ENHANCED_SR
    report.save_as(into)
    return into


def _said(program: str, package: str, *arguments: str) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (Debian: apt install {package})")
    run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return run.stderr


def written(result: RecordingResult, path: Path, kind: str = "sr", recording: str | None = None) -> Dataset:
    """A report of a result that nobody measured."""
    with REPORTS[kind].open(Asked(path, "clip", recording)) as output:
        for frame, reading in clip(75):
            output.write(frame, reading)
        output.finish(result)
    return pydicom.dcmread(path)
