"""Compressed frames against headers that describe others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from echo_rt.sources import open_source
from support import clips
from support.dicom_files import compressed, heart_images, jpegs, lossless_jpeg, notes_of, tinted_images, ybr
from support.reading import difference, images_of, refused

GREY, COLOUR = heart_images(), tinted_images()
RGB = np.ascontiguousarray(COLOUR[..., ::-1])
SMALL = np.ascontiguousarray(GREY[:3, 20:68, 30:94])


def said(path: Path) -> str:
    (note,) = notes_of(path)
    return note


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("frames", ["12", None])
def test_the_planar_configuration_of_jpeg_means_nothing(tmp_path: Path, planar: int, frames: str | None) -> None:
    path = compressed(tmp_path / "a.dcm", COLOUR, jpegs(COLOUR), PlanarConfiguration=planar, NumberOfFrames=frames)
    assert difference(images_of(path)[:, 20:], COLOUR[:, 20:]) < 40
    assert len(notes_of(path)) == (frames is None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Rows": 104}, "128x104 pixels, the frames have 128x96"),
        ({"Columns": 100, "Rows": 90}, "100x90 pixels, the frames have 128x96"),
        ({"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}, "1 samples a pixel, the data have 3"),
        ({"PhotometricInterpretation": "RGB"}, "RGB, and the data are YBR_FULL"),
        ({"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}, "16 bits a sample, the data have 8"),
    ],
)
def test_a_jpeg_is_what_its_own_head_says(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = compressed(tmp_path / "a.dcm", COLOUR, jpegs(COLOUR), **changes)
    assert np.abs(images_of(path)[:, 20:].astype(int) - COLOUR[:, 20:]).mean() < 3
    assert words in " ".join(notes_of(path))


@pytest.mark.parametrize("meaning", ["YBR_PARTIAL_420", "YBR_PARTIAL_422", "YBR_FULL_422"])
def test_jpegs_have_the_full_range_whatever_the_header_says(tmp_path: Path, meaning: str) -> None:
    path = compressed(tmp_path / "a.dcm", COLOUR, jpegs(COLOUR), PhotometricInterpretation=meaning)
    assert np.abs(images_of(path)[:, 20:].astype(int) - COLOUR[:, 20:]).mean() < 1
    assert len(notes_of(path)) == ("PARTIAL" in meaning)


def test_grey_jpegs_under_a_header_of_colours_are_grey(tmp_path: Path) -> None:
    path = compressed(
        tmp_path / "a.dcm", GREY, jpegs(GREY), SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0
    )
    assert images_of(path).shape == GREY.shape
    assert "3 samples a pixel, the data have 1" in " ".join(notes_of(path))


@pytest.mark.parametrize("real", [RLELossless, JPEG2000Lossless, JPEGLSLossless, JPEGBaseline8Bit])
@pytest.mark.parametrize(
    "stated", [RLELossless, JPEG2000Lossless, JPEGBaseline8Bit, ExplicitVRLittleEndian, UID("1.2.3.4.5")]
)
def test_frames_tell_their_own_transfer_syntax(tmp_path: Path, real: UID, stated: UID) -> None:
    if real == JPEGBaseline8Bit:
        path = compressed(tmp_path / "a.dcm", GREY, jpegs(GREY), stated)
    else:
        ds = clips.dicom_dataset(GREY)
        ds.compress(real, generate_instance_uid=False)
        ds.file_meta.TransferSyntaxUID = stated
        path = tmp_path / "a.dcm"
        ds.save_as(path, enforce_file_format=False, implicit_vr=False, little_endian=True)
    assert difference(images_of(path), GREY) < (40 if real == JPEGBaseline8Bit else 1)
    assert len(notes_of(path)) == (real != stated)


def test_pixels_that_are_not_compressed_as_the_header_says_read_as_they_are(tmp_path: Path) -> None:
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(GREY))
    path.write_bytes(path.read_bytes().replace(ExplicitVRLittleEndian.encode(), RLELossless.encode(), 1))
    np.testing.assert_array_equal(images_of(path), GREY)
    assert "the pixels are not compressed" in said(path)


@pytest.mark.parametrize("table", [None, b"\1\2\3"])
def test_palette_colours_without_a_palette_that_can_be_used_are_grey(tmp_path: Path, table: bytes | None) -> None:
    ds = clips.dicom_dataset(GREY, "PALETTE COLOR")
    for colour in ("Red", "Green", "Blue") if table else ():
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", table)
    path = clips.write_dicom(tmp_path / "a.dcm", ds)
    np.testing.assert_array_equal(images_of(path), GREY)
    assert said(path) == "the header has no palette that can be used: its samples are shown as grey levels"


# JPEG Lossless, decoded by PyAV.


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1])
def test_lossless_jpeg_comes_back_bit_for_bit(tmp_path: Path, syntax: UID) -> None:
    path = compressed(tmp_path / "a.dcm", SMALL, [lossless_jpeg(image, 8) for image in SMALL], syntax)
    np.testing.assert_array_equal(images_of(path), SMALL)
    assert notes_of(path) == []


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_lossless_jpeg_of_more_bits_keeps_each_of_them(tmp_path: Path, bits: int, signed: bool) -> None:
    from echo_rt.sources.dicom_decode import decoder_of
    from echo_rt.sources.dicom_pixels import Pixels

    levels = np.random.default_rng(bits).integers(0, 1 << bits, (8, 12), np.uint16)
    pixels = Pixels(8, 12, 1, 16, bits, bits - 1, signed, False, "MONOCHROME2")
    found, meaning = decoder_of(JPEGLosslessSV1, pixels)(lossless_jpeg(levels, bits))
    expected = np.where(levels >> (bits - 1), levels.astype(int) - (1 << bits), levels) if signed else levels
    np.testing.assert_array_equal(found, expected)
    assert meaning == "MONOCHROME2"


@pytest.mark.parametrize("meaning", ["RGB", "YBR_FULL"])
def test_lossless_jpeg_in_colour_keeps_the_order_of_its_components(tmp_path: Path, meaning: str) -> None:
    small = COLOUR[:2, :48, :64]
    samples = small[..., ::-1] if meaning == "RGB" else ybr(small)
    path = compressed(
        tmp_path / "a.dcm", small, [lossless_jpeg(image, 8) for image in samples], JPEGLosslessSV1,
        PhotometricInterpretation=meaning,
    )  # fmt: skip
    assert difference(images_of(path), small) <= 2 * (meaning != "RGB")


def test_a_broken_lossless_frame_is_skipped(tmp_path: Path) -> None:
    frames = [lossless_jpeg(image, 8) for image in SMALL]
    frames[1] = frames[1][: len(frames[1]) // 2]
    path = compressed(tmp_path / "a.dcm", SMALL, frames, JPEGLosslessSV1)
    np.testing.assert_array_equal(images_of(path), SMALL[[0, 2]])


# GE's private transfer syntax: implicit little endian, with big-endian words of pixels.


@pytest.mark.parametrize("bits", [8, 12])
def test_the_private_transfer_syntax_of_ge_is_read(tmp_path: Path, bits: int) -> None:
    from pydicom.filewriter import dcmwrite

    samples = GREY if bits == 8 else (GREY.astype(np.uint16) << 4).astype(">u2")
    ds = clips.dicom_dataset(samples, BitsStored=bits, HighBit=bits - 1)
    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dcmwrite(tmp_path / "a.dcm", ds, implicit_vr=True, little_endian=True, enforce_file_format=True)
    data = (tmp_path / "a.dcm").read_bytes()
    implicit, private = b"1.2.840.10008.1.2\0", b"1.2.840.113619.5.2"
    assert len(implicit) == len(private)
    (tmp_path / "a.dcm").write_bytes(data.replace(implicit, private, 1))
    np.testing.assert_array_equal(images_of(tmp_path / "a.dcm"), GREY)
    assert notes_of(tmp_path / "a.dcm") == []


# What is said of them.


def test_messages_hold_neither_a_name_nor_the_address_of_an_object(tmp_path: Path) -> None:
    broken = [b"\xff\xd8\xff" + bytes(200) + b"\xff\xd9"] * 4
    ds = {"PatientName": "Doe^Jane", "PhotometricInterpretation": "DOE JANE", "ViewName": "Doe Jane"}
    message = refused(compressed(tmp_path / "a.dcm", GREY[:4], broken, **ds))
    assert "4 frames, found 3 that cannot be decoded" in message
    assert "0x" not in message
    assert "jane" not in message.lower()


def test_the_region_of_a_picture_before_it_was_enlarged_gives_no_scale(tmp_path: Path) -> None:
    region = clips.ultrasound_region(RegionLocationMaxX1=40, RegionLocationMaxY1=40, PhysicalDeltaX=0.3)
    path = compressed(tmp_path / "a.dcm", COLOUR, jpegs(COLOUR), SequenceOfUltrasoundRegions=[region])
    with open_source(path) as source:
        assert source.spacing_mm is None
        assert "% of what moves: they are stale" in str(source.spacing_note)
    whole = clips.ultrasound_region(RegionLocationMaxX1=127, RegionLocationMaxY1=95, PhysicalDeltaX=0.3)
    path = compressed(tmp_path / "b.dcm", COLOUR, jpegs(COLOUR), SequenceOfUltrasoundRegions=[whole])
    with open_source(path) as source:
        assert source.spacing_mm == pytest.approx((3, 3))
