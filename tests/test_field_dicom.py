"""DICOM files as people really have them: each has its figures, and says what is odd about it.

Every clip of `shared/field` is a drawn heart with an EF of 40 %; the same kinds with other numbers are in
`test_sources_dicom_*.py`.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import echo_rt
from echo_rt.sources import open_source


def followed(path: Path) -> tuple[float, float | None, list[str]]:
    """EF in percent, beats a minute, and the notes."""
    summary = echo_rt.process(path).to_dict()
    return summary["ef_percent"], summary["heart_rate_bpm"], summary["notes"]


@pytest.mark.parametrize(("name", "meaning"), [("holds_rgb.dcm", "RGB"), ("holds_ybr444.dcm", "YBR_FULL")])
def test_three_bytes_a_pixel_under_a_header_of_two(field: Path, tmp_path: Path, name: str, meaning: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.decompress((field / "ybr422-three-bytes" / f"{name}.gz").read_bytes()))
    ef_percent, _, notes = followed(path)
    assert ef_percent == pytest.approx(40, abs=2)
    assert notes == [f"the header says YBR_FULL_422, and the data are {meaning}"]


def test_the_clock_that_the_pointer_names(field: Path) -> None:
    ef_percent, bpm, notes = followed(field / "frame-increment-pointer" / "pointer_to_frametime.dcm")
    assert ef_percent == pytest.approx(40, abs=2)
    assert bpm == pytest.approx(90, abs=3)
    assert len(notes) == 1
    assert "FrameTime says 25 frames a second and is used, FrameTimeVector says 50" in notes[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [("missing", "no number of frames"), ("one", "1 frame"), ("two_too_many", "62 frames")],
)
def test_the_frames_that_are_there(field: Path, name: str, said: str) -> None:
    path = field / "frame-count-dicom" / f"{name}.dcm"
    ef_percent, bpm, notes = followed(path)
    assert ef_percent == pytest.approx(40, abs=2)
    assert bpm == pytest.approx(90, abs=3)
    assert notes == [f"the header says {said}, the file holds 60"]


@pytest.mark.parametrize("name", ["frame30_zeros", "frame30_half"])
def test_one_frame_that_is_no_picture(field: Path, name: str) -> None:
    path = field / "one-bad-jpeg-frame" / f"{name}.dcm"
    with open_source(path) as source:
        assert [frame.index for frame in source] == [index for index in range(60) if index != 30]
    ef_percent, bpm, notes = followed(path)
    assert ef_percent == pytest.approx(40, abs=2)
    assert bpm == pytest.approx(90, abs=3)
    assert notes == ["1 of 60 frames cannot be decoded and are left out"]


@pytest.mark.parametrize("name", ["h264", "mpeg2"])
def test_a_video_in_a_dicom_file(field: Path, name: str) -> None:
    path = field / "video-in-dicom" / f"{name}.dcm"
    ef_percent, bpm, notes = followed(path)
    assert ef_percent == pytest.approx(40, abs=2)
    assert bpm == pytest.approx(90, abs=3)
    assert notes == []
    with open_source(path) as source:
        assert source.spacing_mm == pytest.approx((1.4608, 1.4608), abs=1e-3)
    summary = echo_rt.process(path).to_dict()
    assert (summary["edv"], summary["volume_unit"]) == (pytest.approx(110, abs=6), "mL")


def test_a_scale_that_is_a_placeholder(field: Path) -> None:
    result = echo_rt.process(field / "placeholder-spacing" / "pixelspacing_1_1.dcm").to_dict()
    assert result["ef_percent"] == pytest.approx(40, abs=2)
    assert result["volume_unit"] == "px3"
    assert "exactly 1 unit square" in result["spacing_note"]
