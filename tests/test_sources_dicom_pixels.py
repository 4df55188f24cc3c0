"""DICOM pixels of every kind come back as the images that they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
)

from support import clips
from support.dicom_files import subsampled, ybr
from support.reading import difference, images_of


@pytest.mark.parametrize("syntax", clips.SYNTAXES, ids=lambda uid: uid.keyword)
def test_grey_comes_back_bit_for_bit_from_every_lossless_transfer_syntax(tmp_path: Path, syntax: UID) -> None:
    images = clips.grey_images(3)
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images), syntax)
    np.testing.assert_array_equal(images_of(path), images)


@pytest.mark.parametrize("syntax", clips.SYNTAXES, ids=lambda uid: uid.keyword)
def test_rgb_comes_back_as_bgr_bit_for_bit_from_every_lossless_transfer_syntax(tmp_path: Path, syntax: UID) -> None:
    images = clips.colour_images(3)
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images[..., ::-1], "RGB"), syntax)
    np.testing.assert_array_equal(images_of(path), images)


@pytest.mark.parametrize("syntax", clips.SYNTAXES[:5] + clips.SYNTAXES[6:], ids=lambda uid: uid.keyword)
def test_ybr_full_is_converted_to_bgr(tmp_path: Path, syntax: UID) -> None:
    images = clips.colour_images(3)
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(ybr(images), "YBR_FULL"), syntax)
    assert difference(images_of(path), images) <= 2


def test_the_colour_transform_of_jpeg_2000_is_undone_once(tmp_path: Path) -> None:
    images = clips.colour_images(2)
    ds = clips.dicom_dataset(images[..., ::-1], "RGB")
    ds.compress(JPEG2000Lossless, generate_instance_uid=False)
    ds.PhotometricInterpretation = "YBR_RCT"
    ds.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    shown = images_of(tmp_path / "a.dcm")
    assert shown.shape == images.shape
    assert difference(shown, images) == 0


def test_uncompressed_ybr_full_422_is_brought_to_full_size(tmp_path: Path) -> None:
    images = clips.colour_images(2)
    ds = clips.dicom_dataset(ybr(images), "YBR_FULL_422", PixelData=subsampled(ybr(images)))
    shown = images_of(clips.write_dicom(tmp_path / "a.dcm", ds))
    assert difference(shown[:, 28:40, 4:16], images[:, 28:40, 4:16]) <= 2
    assert difference(shown[:, 28:40, 36:48], images[:, 28:40, 36:48]) <= 2


def test_ybr_partial_422_has_the_range_of_television(tmp_path: Path) -> None:
    samples = np.zeros((2, 48, 64, 3), np.uint8)
    samples[..., 1:] = 128
    samples[:, :16, :, 0], samples[:, 16:32, :, 0] = 16, 235
    samples[:, 32:] = 81, 90, 240  # the red of colour bars
    ds = clips.dicom_dataset(samples, "YBR_PARTIAL_422", PixelData=subsampled(samples))
    shown = images_of(clips.write_dicom(tmp_path / "a.dcm", ds))
    assert np.all(shown[:, :16] == 0)
    assert np.all(shown[:, 16:32] == 255)
    assert difference(shown[:, 32:], np.broadcast_to(np.uint8([0, 0, 255]), shown[:, 32:].shape)) <= 2


def test_rgb_by_planes_is_the_same_picture(tmp_path: Path) -> None:
    images = clips.colour_images(2)
    planes = np.ascontiguousarray(images[..., ::-1].transpose(0, 3, 1, 2)).tobytes()
    ds = clips.dicom_dataset(images[..., ::-1], "RGB", PixelData=planes, PlanarConfiguration=1)
    np.testing.assert_array_equal(images_of(clips.write_dicom(tmp_path / "a.dcm", ds)), images)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    images = clips.grey_images(2)
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(255 - images, "MONOCHROME1"))
    np.testing.assert_array_equal(images_of(path), images)


@pytest.mark.parametrize("bits", [8, 16])
def test_palette_colours_are_looked_up(tmp_path: Path, bits: int) -> None:
    indices = clips.grey_images(2)
    ramp = np.arange(256)
    tables = {"Red": ramp, "Green": 255 - ramp, "Blue": ramp // 2}
    elements: dict[str, Any] = {}
    for colour, table in tables.items():
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, bits]
        levels = (table * 257).astype("<u2") if bits == 16 else table.astype(np.uint8)
        elements[f"{colour}PaletteColorLookupTableData"] = levels.tobytes()
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(indices, "PALETTE COLOR", **elements))
    expected = np.stack([tables[colour][indices] for colour in ("Blue", "Green", "Red")], axis=-1)
    np.testing.assert_array_equal(images_of(path), expected)


@pytest.mark.parametrize("syntax", clips.SYNTAXES, ids=lambda uid: uid.keyword)
def test_twelve_bits_in_sixteen_are_brought_to_eight(tmp_path: Path, syntax: UID) -> None:
    images = clips.grey_images(3)
    samples = (images.astype(np.uint16) * 16 + 7).astype("<u2" if syntax.is_little_endian else ">u2")
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(samples), syntax)
    np.testing.assert_array_equal(images_of(path), images)


def test_eight_bit_levels_in_a_sixteen_bit_file_are_not_black(tmp_path: Path) -> None:
    images = clips.grey_images(3)
    np.testing.assert_array_equal(
        images_of(clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images.astype(np.uint16)))), images
    )


def test_signed_samples_keep_their_order(tmp_path: Path) -> None:
    images = clips.grey_images(3)
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images.astype(np.int16) - 1000))
    np.testing.assert_array_equal(images_of(path), images - images[0].min())


@pytest.mark.parametrize(
    ("window", "levels"),
    [
        ({"VOILUTFunction": "LINEAR_EXACT"}, {500: 0, 1000: 0, 1500: 128, 2000: 255, 3000: 255}),
        ({}, {500: 0, 1000: 0, 1500: 128, 2000: 255, 3000: 255}),
        ({"VOILUTFunction": "SIGMOID"}, {500: 5, 1500: 128, 2500: 250}),
        ({"RescaleSlope": "2", "RescaleIntercept": "-1000"}, {1000: 0, 1250: 128, 1500: 255}),
    ],
)
def test_sixteen_bits_are_windowed_as_the_header_says(
    tmp_path: Path, window: dict[str, str], levels: dict[int, int]
) -> None:
    samples = np.zeros((2, 8, 8), np.uint16)
    samples[:, : len(levels), 0] = list(levels)
    ds = clips.dicom_dataset(samples, WindowCenter="1500", WindowWidth="1000", **window)
    shown = images_of(clips.write_dicom(tmp_path / "a.dcm", ds))
    assert difference(shown[0, : len(levels), 0], np.array(list(levels.values()))) <= 1


def test_monochrome1_is_inverted_after_the_window(tmp_path: Path) -> None:
    samples = np.zeros((2, 8, 8), np.uint16)
    samples[:, 0] = 3000
    ds = clips.dicom_dataset(samples, "MONOCHROME1", WindowCenter="1500", WindowWidth="1000")
    shown = images_of(clips.write_dicom(tmp_path / "a.dcm", ds))
    assert shown[0, 0, 0] == 0
    assert shown[0, 1, 0] == 255


def test_the_real_cine_has_the_colours_that_pydicom_gives_it(cine: Path) -> None:
    from pydicom.pixels import iter_pixels

    expected = np.stack(list(iter_pixels(cine)))[..., ::-1]
    assert difference(images_of(cine), expected) <= 1
