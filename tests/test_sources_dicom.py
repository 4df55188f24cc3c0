"""DICOM cines: pixels of every kind, and files that are refused."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from echo_rt.errors import SourceError, SourceFormatError
from echo_rt.frame import Frame
from echo_rt.sources import open_source
from support import clips

SYNTAXES = [
    ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian,
    RLELossless, JPEG2000Lossless, JPEGLSLossless,
]  # fmt: skip
MATRIX = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def read(path: Path, fps: float | None = None) -> list[Frame]:
    with open_source(path, fps) as source:
        return list(source)


def images_of(path: Path) -> np.ndarray:
    return np.stack([frame.image for frame in read(path)])


def ybr(bgr: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(bgr[..., ::-1] @ MATRIX.T + [0, 128, 128], 0, 255)).astype(np.uint8)


def difference(one: np.ndarray, other: np.ndarray) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
def test_grey_comes_back_bit_for_bit_from_every_lossless_transfer_syntax(tmp_path: Path, syntax: UID) -> None:
    images = clips.grey_images(3)
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images), syntax)
    np.testing.assert_array_equal(images_of(path), images)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
def test_rgb_comes_back_as_bgr_bit_for_bit_from_every_lossless_transfer_syntax(tmp_path: Path, syntax: UID) -> None:
    images = clips.colour_images(3)
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images[..., ::-1], "RGB"), syntax)
    np.testing.assert_array_equal(images_of(path), images)


@pytest.mark.parametrize("syntax", SYNTAXES[:5] + SYNTAXES[6:], ids=lambda uid: uid.keyword)
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


def subsampled(samples: np.ndarray) -> bytes:
    """(N, H, W, 3) as Y1 Y2 Cb Cr for each pair of pixels in a row."""
    pairs = samples.reshape(*samples.shape[:2], -1, 2, 3)
    return np.stack([pairs[..., 0, 0], pairs[..., 1, 0], pairs[..., 0, 1], pairs[..., 0, 2]], axis=-1).tobytes()


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


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
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


def test_the_real_cine_reads_with_its_clock_and_its_colours_and_without_its_stale_scale(cine: Path) -> None:
    with open_source(cine) as source:
        assert (source.name, source.frames, source.view) == (cine.name, 30, None)
        assert source.fps == pytest.approx(30, abs=0.01)
        assert source.spacing_mm is None
        assert "595" in str(source.spacing_note)
        assert "stale" in str(source.spacing_note)
        frames = list(source)
    assert [frame.index for frame in frames] == list(range(30))
    assert [frame.t_s for frame in frames] == pytest.approx([index * 0.033333 for index in range(30)])
    images = np.stack([frame.image for frame in frames]).astype(int)
    assert images.shape == (30, 240, 320, 3)
    # Tissue is grey, the scanner's own marker is green-blue, the corner black; with red and blue exchanged it would be
    # brown.
    assert np.abs(np.ptp(images[:, 60:180, 120:200], axis=-1)).mean() < 3
    assert images[:, 60:180, 120:200].mean() > 20
    blue, green, red = images[0, 18:22, 188:193].reshape(-1, 3).mean(0)
    assert green > red + 40
    assert blue > red + 20
    assert images[0, 232:238, 20:300, 0].mean() > images[0, 232:238, 20:300, 2].mean() + 5  # the blue button bar


def test_the_real_cine_has_the_colours_that_pydicom_gives_it(cine: Path) -> None:
    from pydicom.pixels import iter_pixels

    expected = np.stack(list(iter_pixels(cine)))[..., ::-1]
    assert difference(images_of(cine), expected) <= 1


def test_fps_replaces_the_clock_of_the_header(tmp_path: Path) -> None:
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(clips.grey_images(4)))
    with open_source(path, fps=100) as source:
        assert source.fps == 100
        assert [frame.t_s for frame in source] == pytest.approx([0, 0.01, 0.02, 0.03])


def test_without_a_clock_the_error_asks_for_fps_and_fps_is_enough(tmp_path: Path) -> None:
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(clips.grey_images(4), FrameTime=None))
    with pytest.raises(SourceFormatError, match="--fps"):
        read(path)
    assert len(read(path, fps=25)) == 4


def test_scale_and_view_stand_in_every_frame_and_in_the_source(tmp_path: Path) -> None:
    ds = clips.dicom_dataset(
        clips.grey_images(3), SequenceOfUltrasoundRegions=[clips.ultrasound_region()], ViewName="Apical 4 chamber"
    )
    with open_source(clips.write_dicom(tmp_path / "a.dcm", ds)) as source:
        assert source.spacing_mm == pytest.approx((3, 2))
        assert (source.spacing_note, source.view) == (None, "A4C")
        assert [frame.spacing_mm for frame in source] == [source.spacing_mm] * 3


def test_a_dicom_is_known_by_its_content(tmp_path: Path) -> None:
    path = clips.write_dicom(tmp_path / "IM_0001.avi", clips.dicom_dataset(clips.grey_images(3)))
    assert len(read(path)) == 3


@pytest.mark.parametrize("implicit", [True, False])
def test_a_dicom_without_preamble_and_meta_information_reads(tmp_path: Path, implicit: bool) -> None:
    images = clips.grey_images(3)
    path = tmp_path / "IM_0001"
    ds = clips.dicom_dataset(images)
    del ds.file_meta
    ds.save_as(path, enforce_file_format=False, implicit_vr=implicit, little_endian=True)
    assert path.read_bytes()[:4] == struct.pack("<HH", 8, 0x16)
    np.testing.assert_array_equal(images_of(path), images)


@pytest.mark.parametrize("frames", ["1", None])
def test_a_still_image_is_refused(tmp_path: Path, frames: str | None) -> None:
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(clips.grey_images(1), NumberOfFrames=frames))
    with pytest.raises(SourceFormatError, match="at least 2 frames, found 1"):
        read(path)


def refused(path: Path) -> str:
    """The message with which a recording is refused: one line, without a traceback's debris."""
    with pytest.raises(SourceFormatError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: expected ")
    assert ", found " in message
    assert "; " in message
    return message


def test_a_dicom_without_pixels_is_refused(tmp_path: Path) -> None:
    ds = clips.dicom_dataset(clips.grey_images(2))
    del ds.PixelData
    assert "without pixel data" in refused(clips.write_dicom(tmp_path / "a.dcm", ds))
    del ds.Rows
    assert "without images (Ultrasound Multi-frame Image Storage)" in refused(clips.write_dicom(tmp_path / "b.dcm", ds))


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"garbage." * 100, b"no DICOM at all" * 30]
)
def test_a_file_that_only_claims_to_be_dicom_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.dcm").write_bytes(content)
    refused(tmp_path / "a.dcm")


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.keyword)
def test_a_number_of_frames_that_cannot_be_true_is_refused_before_it_is_allocated(tmp_path: Path, syntax: UID) -> None:
    ds = clips.dicom_dataset(clips.grey_images(2))
    if syntax.is_compressed and not syntax.is_deflated:
        ds.compress(syntax, generate_instance_uid=False)
    ds.NumberOfFrames = 2**31 - 1
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(
        tmp_path / "a.dcm",
        enforce_file_format=True,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
    )
    assert "too short" in refused(tmp_path / "a.dcm")


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_gives_frames_or_an_error_of_ours_and_nothing_else(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ds = clips.dicom_dataset(
        clips.colour_images(3), "RGB", SequenceOfUltrasoundRegions=[clips.ultrasound_region()], ViewName="A4C"
    )
    ds.PatientName = "Doe^Jane"
    whole = clips.write_dicom(tmp_path / "a.dcm", ds, SYNTAXES[seed]).read_bytes()
    read_well, messages = 0, []
    for _ in range(40):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(128, 1000, rng.integers(1, 12))] = rng.integers(0, 256)
        (tmp_path / "a.dcm").write_bytes(data.tobytes())
        try:
            times = [frame.t_s for frame in read(tmp_path / "a.dcm")]
        except SourceFormatError as error:
            messages.append(str(error).removeprefix(str(tmp_path)))
        else:
            assert np.all(np.diff(times) > 0)
            read_well += 1
    assert read_well
    assert messages
    for message in messages:
        assert message.isprintable()
        assert len(message) < 400
        assert "Jane" not in message


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.keyword
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.97])
def test_a_truncated_dicom_is_refused_after_its_last_whole_frame(tmp_path: Path, syntax: UID, share: float) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 48, 64), np.uint8)
    path = clips.cut(clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images), syntax), share)
    whole = []
    with (
        open_source(path) as source,
        pytest.raises(SourceFormatError, match=r"expected 12 frames, found \d+.* truncated"),
    ):
        whole.extend(frame.image for frame in source)
    assert len(whole) < 12 * share + 1
    np.testing.assert_array_equal(whole, images[: len(whole)])


def test_a_transfer_syntax_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    for uid, name in (("1.2.840.10008.1.2.4.102", "MPEG-4"), ("1.2.3.4.5", "1.2.3.4.5")):
        ds = clips.dicom_dataset(clips.grey_images(2))
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.file_meta.TransferSyntaxUID = uid
        ds.save_as(tmp_path / "a.dcm", enforce_file_format=True, implicit_vr=False, little_endian=True)
        assert name in refused(tmp_path / "a.dcm")


def test_pixel_data_in_another_syntax_than_stated_is_refused(tmp_path: Path) -> None:
    ds = clips.dicom_dataset(clips.grey_images(2))
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    ds.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert "cannot be decoded" in refused(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"PhotometricInterpretation": "HSV"}, "HSV"),
        ({"BitsAllocated": 32}, "32"),
        ({"SamplesPerPixel": 3}, "samples a pixel"),
    ],
)
def test_pixels_of_a_kind_that_no_scanner_writes_are_refused(
    tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    assert word in refused(clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(clips.grey_images(2), **changes)))


def test_frames_past_the_promised_number_are_left_out(tmp_path: Path) -> None:
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(clips.grey_images(5), NumberOfFrames=3))
    assert len(read(path)) == 3


def test_a_source_is_read_inside_with_and_starts_again_when_it_is_entered_again(tmp_path: Path) -> None:
    source = open_source(clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(clips.grey_images(3))))
    with pytest.raises(SourceError, match="open_source"):
        next(source)
    for _ in range(2):
        with source:
            assert next(source).index == 0
            assert [frame.index for frame in source] == [1, 2]
    with pytest.raises(SourceError, match="closed"):
        next(source)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=lambda uid: uid.keyword)
def test_a_long_cine_needs_the_memory_of_one_frame(tmp_path: Path, syntax: UID) -> None:
    images = np.broadcast_to(clips.grey_images(1), (2000, 48, 64))
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images), syntax)
    with open_source(path) as source:
        next(source)
        tracemalloc.start()
        try:
            assert sum(1 for _ in source) == 1999
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < images.nbytes / 6


def test_reading_prints_nothing(cine: Path, tmp_path: Path) -> None:
    bad = clips.cut(
        clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(clips.grey_images(12)), JPEG2000Lossless), 0.8
    )
    code = (
        "from echo_rt.sources import open_source\n"
        f"for path in {[str(cine), str(bad)]!r}:\n"
        "    try:\n"
        "        with open_source(path) as source: list(source)\n"
        "    except OSError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
