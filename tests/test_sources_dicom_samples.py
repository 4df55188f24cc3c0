"""Headers that lie about bits, order of bytes, sign, windows and black: the samples tell what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from support import clips
from support.dicom_files import compressed, heart_images, jpegs, notes_of, tinted_images
from support.reading import difference, images_of

GREY, COLOUR = heart_images(), tinted_images()
RGB = np.ascontiguousarray(COLOUR[..., ::-1])


def write(tmp_path: Path, ds: Dataset) -> Path:
    return clips.write_dicom(tmp_path / "a.dcm", ds)


def said(path: Path) -> str:
    """The one note of a file."""
    (note,) = notes_of(path)
    return note


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


@pytest.mark.parametrize(
    ("centre", "width", "used"),
    [
        (40000, 1, False),  # white
        (9000, 2000, False),  # black
        (128, 256, False),  # of 8 bits
        (32768, 65536, False),  # of 16 bits
        (3000, 500, False),
        (2048, 4096, True),
        (1400, 2400, True),
        (1200, 2400, True),
    ],
)
def test_a_window_that_leaves_little_of_the_picture_is_not_used(
    tmp_path: Path, centre: int, width: int, used: bool
) -> None:
    levels = GREY.astype(np.uint16) << 4
    path = write(tmp_path, clips.dicom_dataset(levels, WindowCenter=centre, WindowWidth=width))
    through = np.clip((levels - (centre - 0.5)) / max(width - 1, 1) + 0.5, 0, 1) * 255
    assert difference(images_of(path), np.rint(through) if used else GREY) <= 1
    assert [("window" in note) for note in notes_of(path)] == [True] * (not used)


def test_a_window_of_twelve_bits_over_eight_in_words_is_not_used(tmp_path: Path) -> None:
    path = write(tmp_path, clips.dicom_dataset(GREY.astype(np.uint16), WindowCenter=2048, WindowWidth=4096))
    np.testing.assert_array_equal(images_of(path), GREY)


@pytest.mark.parametrize("shift", [0, 4, 8])
def test_colours_in_words_fill_the_range(tmp_path: Path, shift: int) -> None:
    path = write(tmp_path, clips.dicom_dataset(RGB.astype(np.uint16) << shift, "RGB"))
    np.testing.assert_array_equal(images_of(path), COLOUR)


def test_bright_tissue_above_the_stored_bits_is_tissue(tmp_path: Path) -> None:
    dim = np.asarray(GREY * 0.6, np.uint8)  # few pixels need the eighth bit
    assert 0 < np.mean(dim >= 128) < 0.05
    path = write(tmp_path, clips.dicom_dataset(dim, BitsStored=7, HighBit=6))
    np.testing.assert_array_equal(images_of(path), dim)
    assert said(path) == "the header says 7 stored bits, the data have 8"


@pytest.mark.parametrize("above", [0xF000, 0x1000])
def test_bits_above_the_stored_ones_that_never_change_or_are_drawn_are_no_levels(tmp_path: Path, above: int) -> None:
    levels = GREY.astype(np.uint16) << 4
    levels[:, 30:40:3, 20:90:2] |= above
    if above == 0xF000:
        levels |= above
    path = write(tmp_path, clips.dicom_dataset(levels, BitsStored=12, HighBit=11))
    np.testing.assert_array_equal(images_of(path), GREY)


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


@pytest.mark.parametrize(("bits", "extended"), [(8, True), (12, True), (12, False), (16, True)])
@pytest.mark.parametrize("dim", [1, 2])
def test_samples_that_are_called_unsigned_and_are_signed_are_read_as_signed(
    tmp_path: Path, bits: int, extended: bool, dim: int
) -> None:
    levels = (GREY // dim).astype(np.int16)
    signed = (levels - 128).astype(np.int8) if bits == 8 else (levels << 4) - 2048
    samples = signed.view(f"u{signed.itemsize}")
    samples = samples if extended else samples & 0x0FFF
    ds = clips.dicom_dataset(samples, BitsStored=bits if bits != 12 or not extended else 16)
    ds.HighBit = ds.BitsStored - 1
    path = write(tmp_path, ds)
    if dim == 2 and bits > 8:  # all below 0: nothing runs across the end, and the range fits the levels
        assert difference(images_of(path), GREY // 2 * 2) <= 1
    else:
        assert difference(images_of(path), GREY // dim) <= 16 * (bits > 8)
        assert said(path) == "the header says unsigned samples, and the data are signed: their black is below 0"


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
