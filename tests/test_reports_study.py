"""What a report tells of the study, by the header of a DICOM file: UIDs and moments as they may be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.outputs.reports.study import Study
from support.clips import dicom_dataset, grey_images, write_dicom


def study_of(folder: Path, **elements: Any) -> Study:
    return Study.of(str(write_dicom(folder / "clip.dcm", dicom_dataset(grey_images(2), **elements))))


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # pydicom's, of what is written here
@pytest.mark.parametrize(("header", "expected"), [
    ({"AcquisitionDateTime": "20240517101112.250000+0200"}, "2024-05-17T10:11:12+02:00"),
    ({"AcquisitionDateTime": "20240517101112", "TimezoneOffsetFromUTC": "-0330"}, "2024-05-17T10:11:12-03:30"),
    ({"AcquisitionDateTime": "20240517101112"}, "2024-05-17"),  # a time without a zone is none
    ({"AcquisitionDateTime": "20240517"}, "2024-05-17"),
    ({"AcquisitionDateTime": "202405", "StudyDate": "20240518"}, "2024-05-18"),
    ({"AcquisitionDate": "20240517", "AcquisitionTime": "101112.5", "TimezoneOffsetFromUTC": "+0000",
      "StudyDate": "20240101"}, "2024-05-17T10:11:12+00:00"),
    ({"AcquisitionDate": "20240230", "StudyDate": "20240229"}, "2024-02-29"),  # there is no 30 February
    ({"AcquisitionDate": "20240517", "AcquisitionTime": "250000", "TimezoneOffsetFromUTC": "+0000"}, "2024-05-17"),
    ({"AcquisitionDate": "20240517", "AcquisitionTime": "101112", "TimezoneOffsetFromUTC": "+9900"}, "2024-05-17"),
    ({"StudyDate": "2024.05.17"}, "2024-05-17"),
    ({"StudyDate": "yesterday"}, None),
    ({}, None),
])  # fmt: skip
def test_the_moment_is_as_exact_as_the_header_and_no_more(
    header: dict[str, str], expected: str | None, tmp_path: Path
) -> None:
    assert study_of(tmp_path, **header).acquired == expected


@pytest.mark.filterwarnings("ignore:.*:UserWarning")
@pytest.mark.parametrize(
    "uid", ["1.2.840.113619.2.1", "2.25.1", "1.02.3", "3.1", "1..2", "1.2\nEVIL", "1." + "2" * 70, ""]
)
def test_a_uid_that_is_none_is_not_told(uid: str, tmp_path: Path) -> None:
    good = uid in ("1.2.840.113619.2.1", "2.25.1")
    assert study_of(tmp_path, StudyInstanceUID=uid).study_uid == (uid if good else None)


def test_what_is_no_dicom_file_is_of_no_study(tmp_path: Path) -> None:
    film = tmp_path / "clip.avi"
    film.write_bytes(b"RIFF" + bytes(500))
    for recording in (str(film), str(tmp_path), str(tmp_path / "missing.dcm"), "phantom:?ef=55", "rtsp://probe/1", ""):
        assert Study.of(recording) == Study()


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 400), where=st.integers(132, 700), noise=st.binary(max_size=12))
def test_a_damaged_header_raises_nothing(cut: int, where: int, noise: bytes, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("damaged", numbered=True) / "clip.dcm"
    write_dicom(path, dicom_dataset(grey_images(2, 8, 8), StudyInstanceUID="1.2.3", StudyDate="20240517"))
    data = bytearray(path.read_bytes())
    data[where : where + len(noise)] = noise
    path.write_bytes(data[: len(data) - cut])
    found = Study.of(str(path))
    assert found.study_uid is None or found.study_uid[0] in "012"
