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
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

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
    from echo_rt.sources import open_source

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


def test_frames_that_are_not_there_are_missed(tmp_path: Path) -> None:
    ds = clips.dicom_dataset(GREY, NumberOfFrames=14)
    assert "expected 14 frames, found 12; the file is truncated" in refused(write(tmp_path, ds))


def test_a_length_that_fits_nothing_is_refused_with_both_lengths(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, GREY.size + 1030, np.uint8).tobytes()
    message = refused(write(tmp_path, clips.dicom_dataset(GREY, PixelData=noise)))
    assert f"expected {GREY.size} bytes of pixels for 12 frames of 128x96, found {GREY.size + 1030};" in message


def test_bytes_after_the_last_frame_are_left_out_and_said(tmp_path: Path) -> None:
    path = write(tmp_path, clips.dicom_dataset(GREY, PixelData=GREY.tobytes() + bytes(1030)))
    np.testing.assert_array_equal(images_of(path), GREY)
    assert said(path) == "1030 bytes follow the last frame and are not used"


# The order of bytes, and the bits.


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian])
def test_the_order_of_bytes_is_seen_in_the_picture(tmp_path: Path, syntax: Any, bits: int) -> None:
    levels = GREY.astype(np.uint16) << (bits - 8)
    wrong = levels.astype(">u2" if syntax.is_little_endian else "<u2")
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(wrong, BitsStored=bits, HighBit=bits - 1), syntax)
    np.testing.assert_array_equal(images_of(path), GREY)
    assert len(notes_of(path)) == (bits != 16)  # shifted by a whole byte, both orders are the same picture


def test_levels_that_fill_their_bits_from_above_come_down(tmp_path: Path) -> None:
    levels = GREY.astype(np.uint16) << 8
    ds = clips.dicom_dataset(levels, BitsStored=12, HighBit=15)
    np.testing.assert_array_equal(images_of(write(tmp_path, ds)), GREY)


def test_stored_bits_that_are_too_few_for_the_levels_are_not_believed(tmp_path: Path) -> None:
    ds = clips.dicom_dataset(GREY.astype(np.uint16) << 8, BitsStored=10, HighBit=9)
    path = write(tmp_path, ds)
    np.testing.assert_array_equal(images_of(path), GREY)
    assert said(path) == "the header says 10 stored bits, the data have 16"


@pytest.mark.parametrize(("width", "whole"), [("1", True), ("400", False)])
def test_a_window_that_leaves_no_picture_is_not_used(tmp_path: Path, width: str, whole: bool) -> None:
    levels = GREY.astype(np.uint16) << 4
    ds = clips.dicom_dataset(levels, WindowCenter="40000" if whole else "2000", WindowWidth=width)
    shown, notes = images_of(write(tmp_path, ds)), notes_of(tmp_path / "a.dcm")
    assert np.array_equal(shown, GREY) == whole
    assert [("window" in note) for note in notes] == [True] * whole


# The sign, and what is black.


@pytest.mark.parametrize("data", [GREY, GREY // 2])
def test_eight_bits_that_are_called_signed_and_are_not_read_as_they_are(tmp_path: Path, data: np.ndarray) -> None:
    ds = clips.dicom_dataset(np.asarray(data, np.uint8), PixelRepresentation=1)
    path = write(tmp_path, ds)
    np.testing.assert_array_equal(images_of(path), data)
    assert said(path) == "the header says signed samples, and the data are not: their black is 0"


def test_jpegs_that_are_called_signed_read_as_they_are(tmp_path: Path) -> None:
    path = compressed(tmp_path / "a.dcm", GREY, jpegs(GREY), PixelRepresentation=1)
    assert difference(images_of(path), GREY) < 30
    assert "signed" in said(path)


def test_twelve_bits_that_are_called_signed_and_are_not_keep_their_bright_tissue(tmp_path: Path) -> None:
    ds = clips.dicom_dataset(GREY.astype(np.uint16) << 4, BitsStored=12, HighBit=11, PixelRepresentation=1)
    np.testing.assert_array_equal(images_of(write(tmp_path, ds)), GREY)


@pytest.mark.parametrize("extended", [True, False])
def test_samples_that_are_signed_stay_so(tmp_path: Path, extended: bool) -> None:
    eight = (GREY.astype(np.int16) - 128).astype(np.int8)
    np.testing.assert_array_equal(images_of(write(tmp_path, clips.dicom_dataset(eight))), GREY)
    twelve = (GREY.astype(np.int16) << 4) - 2048
    twelve = twelve if extended else twelve & 0x0FFF
    path = write(tmp_path, clips.dicom_dataset(twelve, BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(images_of(path), GREY)
    assert notes_of(path) == []


@pytest.mark.parametrize("meaning", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("negative", [True, False])
def test_the_background_is_dark_whatever_the_header_calls_it(tmp_path: Path, meaning: str, negative: bool) -> None:
    path = write(tmp_path, clips.dicom_dataset(255 - GREY if negative else GREY, meaning))
    np.testing.assert_array_equal(images_of(path), GREY)
    assert ["negative" in note for note in notes_of(path)] == [True] * (negative != (meaning == "MONOCHROME1"))


@pytest.mark.parametrize("samples", [GREY, RGB])
def test_without_a_photometric_interpretation_the_samples_tell(tmp_path: Path, samples: np.ndarray) -> None:
    ds = clips.dicom_dataset(samples)
    ds.PhotometricInterpretation = ""
    np.testing.assert_array_equal(images_of(write(tmp_path, ds)), GREY if samples.ndim == 3 else COLOUR)


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
