"""Headers that lie about their samples: the data are read as they are, with a note, or are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import (
    RLELossless,
)

from echo_rt.sources import open_source
from support import clips
from support.dicom_files import compressed, heart_images, jpegs, notes_of, subsampled, tinted_images, ybr
from support.reading import difference, images_of, refused

GREY, COLOUR = heart_images(), tinted_images()
RGB = np.ascontiguousarray(COLOUR[..., ::-1])


def write(tmp_path: Path, ds: Dataset) -> Path:
    return clips.write_dicom(tmp_path / "a.dcm", ds)


def said(path: Path) -> str:
    """The one note of a file."""
    (note,) = notes_of(path)
    return note


# The length of uncompressed pixels.


def test_a_header_of_422_over_rgb_of_three_bytes_reads_as_rgb(tmp_path: Path) -> None:
    path = write(tmp_path, clips.dicom_dataset(RGB, "YBR_FULL_422"))
    np.testing.assert_array_equal(images_of(path), COLOUR)
    assert said(path) == "the header says YBR_FULL_422, and the data are RGB"


@pytest.mark.parametrize("meaning", ["YBR_FULL_422", "RGB"])
def test_three_bytes_of_ybr_are_known_by_their_grey(tmp_path: Path, meaning: str) -> None:
    path = write(tmp_path, clips.dicom_dataset(ybr(COLOUR), meaning))
    assert difference(images_of(path), COLOUR) <= 2
    assert said(path) == f"the header says {meaning}, and the data are YBR_FULL"


def test_a_header_of_ybr_full_over_subsampled_pixels_reads_as_422(tmp_path: Path) -> None:
    path = write(tmp_path, clips.dicom_dataset(ybr(COLOUR), "YBR_FULL", PixelData=subsampled(ybr(COLOUR))))
    assert difference(images_of(path)[:, 16:], COLOUR[:, 16:]) <= 12  # two pixels share their tint
    assert said(path) == "the header says YBR_FULL, and the data are YBR_FULL_422"


def test_colours_of_the_right_length_and_the_wrong_name_are_known_too(tmp_path: Path) -> None:
    path = write(tmp_path, clips.dicom_dataset(RGB, "YBR_FULL"))
    np.testing.assert_array_equal(images_of(path), COLOUR)
    assert said(path) == "the header says YBR_FULL, and the data are RGB"


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("stored", [0, 1])
@pytest.mark.parametrize("meaning", ["RGB", "YBR_FULL"])
def test_colour_by_plane_or_by_pixel_is_seen_in_the_picture(
    tmp_path: Path, meaning: str, planar: int, stored: int
) -> None:
    samples = RGB if meaning == "RGB" else ybr(COLOUR)
    data = np.ascontiguousarray(samples.transpose(0, 3, 1, 2) if stored else samples).tobytes()
    path = write(tmp_path, clips.dicom_dataset(samples, meaning, PlanarConfiguration=planar, PixelData=data))
    assert difference(images_of(path), COLOUR) <= 2
    assert len(notes_of(path)) == (planar != stored)


@pytest.mark.parametrize(
    ("samples", "meaning", "changes", "words"),
    [
        (GREY, "MONOCHROME2", {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}, "16 bits a sample"),
        (GREY, "MONOCHROME2", {"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "12 bits a sample"),
        (GREY, "MONOCHROME2", {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits a sample"),
        (GREY, "RGB", {"SamplesPerPixel": 3}, "3 samples a pixel"),
        (GREY, "MONOCHROME2", {"SamplesPerPixel": 3}, "3 samples a pixel"),
        (GREY, "YBR_FULL_422", {"SamplesPerPixel": 3}, "3 samples a pixel"),
        (GREY.astype(np.uint16) * 16, "MONOCHROME2", {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}, "8 bits"),
        (RGB, "MONOCHROME2", {"SamplesPerPixel": 1}, "1 samples a pixel"),
        (RGB, "RGB", {"SamplesPerPixel": 1}, "1 samples a pixel"),
    ],
)
def test_bits_and_samples_are_told_by_the_length(
    tmp_path: Path, samples: np.ndarray, meaning: str, changes: dict[str, Any], words: str
) -> None:
    path = write(tmp_path, clips.dicom_dataset(samples, meaning, **changes))
    np.testing.assert_array_equal(images_of(path), COLOUR if samples.ndim == 4 else GREY)
    assert words in " ".join(notes_of(path))


@pytest.mark.parametrize("cropped", [{"Rows": 88}, {"Rows": 104}, {"Columns": 124}, {"Columns": 136}])
def test_another_size_of_the_picture_is_found_and_has_no_scale(tmp_path: Path, cropped: dict[str, int]) -> None:
    region = clips.ultrasound_region(PhysicalDeltaX=0.1)
    path = write(tmp_path, clips.dicom_dataset(GREY, SequenceOfUltrasoundRegions=[region], **cropped))
    np.testing.assert_array_equal(images_of(path), GREY)
    width, height = cropped.get("Columns", 128), cropped.get("Rows", 96)
    assert said(path) == f"the header says {width}x{height} pixels, the frames have 128x96"
    with open_source(path) as source:
        assert source.spacing_mm is None
        assert f"pictures of {width}x{height}, and these have 128x96" in str(source.spacing_note)


@pytest.mark.parametrize("claimed", ["5", "1", "0", None])
@pytest.mark.parametrize("samples", [GREY, RGB, np.ascontiguousarray(RGB.transpose(0, 3, 1, 2))])
def test_frames_past_the_number_in_the_header_are_read(
    tmp_path: Path, samples: np.ndarray, claimed: str | None
) -> None:
    planar = samples.ndim == 4 and samples.shape[1] == 3
    ds = clips.dicom_dataset(RGB if planar else samples, "RGB" if samples.ndim == 4 else "MONOCHROME2")
    ds.PixelData = samples.tobytes()
    if planar:
        ds.PlanarConfiguration = 1
    ds.NumberOfFrames = claimed
    path = write(tmp_path, ds)
    np.testing.assert_array_equal(images_of(path), GREY if samples.ndim == 3 else COLOUR)
    assert re.fullmatch(r"the header says (5 frames|1 frame|no number of frames), the file holds 12", said(path))


@pytest.mark.parametrize("claimed", [13, 14, 24, 600])
def test_frames_that_neither_length_nor_file_has_are_not_missed(tmp_path: Path, claimed: int) -> None:
    path = write(tmp_path, clips.dicom_dataset(GREY, NumberOfFrames=claimed))
    np.testing.assert_array_equal(images_of(path), GREY)
    assert said(path) == f"the header says {claimed} frames, the file holds 12"


def test_frames_that_the_length_has_and_the_file_has_not_are_missed(tmp_path: Path) -> None:
    path = write(tmp_path, clips.dicom_dataset(GREY))
    path.write_bytes(path.read_bytes()[: -2 * GREY[0].size])
    assert "expected 12 frames, found 10; the file is truncated" in refused(path)


@pytest.mark.parametrize("samples", [GREY, GREY.astype(np.uint16) << 4, RGB])
def test_rows_in_place_of_columns_are_seen_in_the_picture(tmp_path: Path, samples: np.ndarray) -> None:
    region = clips.ultrasound_region(PhysicalDeltaX=0.1, RegionLocationMaxX1=127, RegionLocationMaxY1=95)
    meaning = "RGB" if samples.ndim == 4 else "MONOCHROME2"
    ds = clips.dicom_dataset(samples, meaning, Rows=128, Columns=96, SequenceOfUltrasoundRegions=[region])
    path = write(tmp_path, ds)
    np.testing.assert_array_equal(images_of(path), COLOUR if samples.ndim == 4 else GREY)
    assert said(path) == "the header says 96x128 pixels, the frames have 128x96"
    with open_source(path) as source:
        assert source.spacing_mm == pytest.approx((3, 1))


@pytest.mark.parametrize("size", [{}, {"Rows": 128, "Columns": 96}, {"Rows": 97}, {"Columns": 127}, {"Rows": 40}])
def test_runs_tell_the_size_of_rle(tmp_path: Path, size: dict[str, int]) -> None:
    ds = clips.dicom_dataset(GREY)
    ds.compress(RLELossless, generate_instance_uid=False)
    for keyword, value in size.items():
        setattr(ds, keyword, value)
    ds.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(images_of(tmp_path / "a.dcm"), GREY)
    assert len(notes_of(tmp_path / "a.dcm")) == bool(size)


@pytest.mark.parametrize("size", [{"Rows": None}, {"Columns": 0}, {"Rows": 0, "Columns": None}])
def test_a_compressed_frame_tells_the_size_that_the_header_lacks(tmp_path: Path, size: dict[str, Any]) -> None:
    path = compressed(tmp_path / "a.dcm", GREY, jpegs(GREY), **size)
    assert difference(images_of(path), GREY) < 30
    assert said(path) == "the header says no number of pixels, the frames have 128x96"
    bare = clips.dicom_dataset(GREY, **size)
    assert "a DICOM file without images" in refused(write(tmp_path, bare))


def test_a_length_that_fits_nothing_is_refused_with_both_lengths(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, GREY.size + 1030, np.uint8).tobytes()
    message = refused(write(tmp_path, clips.dicom_dataset(GREY, PixelData=noise)))
    assert f"expected {GREY.size} bytes of pixels for 12 frames of 128x96, found {GREY.size + 1030};" in message


@pytest.mark.parametrize("extra", [1030, 5 * 96 * 128 // 2, 12 * 128 * 4])
def test_bytes_after_the_last_frame_are_left_out_and_said(tmp_path: Path, extra: int) -> None:
    path = write(tmp_path, clips.dicom_dataset(GREY, PixelData=GREY.tobytes() + bytes(extra)))
    np.testing.assert_array_equal(images_of(path), GREY)
    assert said(path) == f"{extra} bytes follow the last frame and are not used"


# Everything at once.


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["grey", "rgb", "ybr", "twelve"]),
    st.integers(3, 12),
    st.integers(80, 96),
    st.integers(56, 64),
    st.sampled_from([{}, {"BitsAllocated": 16}, {"BitsAllocated": 8}, {"SamplesPerPixel": 3}, {"SamplesPerPixel": 1}]),
)
@example("twelve", 3, 80, 56, {"SamplesPerPixel": 3})
def test_one_wrong_claim_changes_no_picture(
    tmp_path_factory: pytest.TempPathFactory, kind: str, frames: int, rows: int, half: int, lie: dict[str, int]
) -> None:
    crop = np.s_[:frames, 96 - rows :, 64 - half : 64 + half]
    grey, colour = GREY[crop], COLOUR[crop]
    samples = {"grey": grey, "rgb": colour[..., ::-1], "ybr": ybr(colour), "twelve": grey.astype(np.uint16) << 4}[kind]
    ds = clips.dicom_dataset(samples, {"rgb": "RGB", "ybr": "YBR_FULL"}.get(kind, "MONOCHROME2"), **lie)
    path = clips.write_dicom(tmp_path_factory.mktemp("lie") / "a.dcm", ds)
    assert difference(images_of(path), colour if samples.ndim == 4 else grey) <= 2
