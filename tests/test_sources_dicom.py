"""DICOM cines: their clock, their scale, and what is not a cine."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from echo_rt.errors import SourceError, SourceFormatError
from echo_rt.sources import open_source
from support import clips
from support.reading import images_of, read, refused


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


@pytest.mark.parametrize(
    ("syntax", "name"),
    [("1.2.840.10008.1.2.4.94", "JPIP Referenced"), ("1.2.3.4.5", "1.2.3.4.5"), ("Doe^Jane", "no UID")],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning")
def test_a_transfer_syntax_that_cannot_be_decoded_is_named(tmp_path: Path, syntax: str, name: str) -> None:
    ds = clips.dicom_dataset(clips.grey_images(2))
    ds.PixelData = encapsulate([b"\1\2\3\4" * 50] * 2)
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    ds.save_as(tmp_path / "a.dcm", enforce_file_format=False, implicit_vr=False, little_endian=True)
    message = refused(tmp_path / "a.dcm")
    assert name in message
    assert "Jane" not in message


def test_four_bytes_of_nothing_known_are_refused(tmp_path: Path) -> None:
    ds = clips.dicom_dataset(clips.grey_images(2), "HSV")
    assert "HSV" in refused(clips.write_dicom(tmp_path / "a.dcm", ds))
    ds = clips.dicom_dataset(np.random.default_rng(0).integers(0, 2**32, (2, 48, 64), np.uint32))
    assert "expected 8 or 16 bits a sample, found 32" in refused(clips.write_dicom(tmp_path / "a.dcm", ds))
    ds = clips.dicom_dataset(np.random.default_rng(0).integers(0, 256, (2, 48, 64, 4), np.uint8), "RGB")
    assert "expected 18432 bytes of pixels for 2 frames of 64x48, found 24576" in refused(
        clips.write_dicom(tmp_path / "a.dcm", ds)
    )


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
    images = np.broadcast_to(clips.grey_images(1), (800, 48, 64))
    path = clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images), syntax)
    with open_source(path) as source:
        next(source)
        tracemalloc.start()
        try:
            assert sum(1 for _ in source) == 799
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
