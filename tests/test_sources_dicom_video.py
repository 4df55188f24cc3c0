"""Videos in DICOM files: MPEG-2, H.264 and HEVC."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from pydicom.uid import UID, JPEGBaseline8Bit

from echo_rt.errors import SourceFormatError
from echo_rt.sources import open_source
from support import clips
from support.dicom_files import ITEM, compressed, notes_of, sequence, tinted_images
from support.reading import read, refused

IMAGES = tinted_images(12)
MPEG = "1.2.840.10008.1.2.4."

CODINGS = {
    "H.264 in MP4": ("a.mp4", "libx264", "102"), "H.264 in a transport stream": ("a.ts", "libx264", "104"),
    "H.264 alone": ("a.h264", "libx264", "103"), "MPEG-2 in a program stream": ("a.mpg", "mpeg2video", "100"),
    "MPEG-2 alone": ("a.m2v", "mpeg2video", "101"), "HEVC in MP4": ("b.mp4", "libx265", "107"),
}  # fmt: skip


def stream(folder: Path, coding: str, count: int = 12, fps: int = 25) -> bytes:
    name, codec, _ = CODINGS[coding]
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    images = np.concatenate([IMAGES] * (count // 12 + 1))[:count]
    return clips.write_video(folder / name, images, fps, codec, options=options).read_bytes()


def embedded(path: Path, data: bytes | list[bytes], syntax: str = "102", **elements: Any) -> Path:
    fragments = [data] if isinstance(data, bytes) else data
    elements = {"PhotometricInterpretation": "YBR_PARTIAL_420", **elements}
    return compressed(path, IMAGES, sequence(fragments), UID(MPEG + syntax), **elements)


@pytest.fixture(scope="module", params=CODINGS)
def coded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    if CODINGS[request.param][1] not in av.codecs_available:
        pytest.skip("this FFmpeg has no such encoder")
    return stream(tmp_path_factory.mktemp("video"), request.param), CODINGS[request.param][2]


def test_every_coding_gives_its_pictures_by_the_clock_and_the_scale_of_the_header(
    tmp_path: Path, coded: tuple[bytes, str]
) -> None:
    region = clips.ultrasound_region(RegionLocationMaxX1=127, RegionLocationMaxY1=95)
    path = embedded(tmp_path / "a.dcm", *coded, SequenceOfUltrasoundRegions=[region], ViewName="A4C")
    with open_source(path) as source:
        frames = list(source)
        assert (len(frames), source.view, source.notes) == (12, "A4C", [])
        assert source.fps == pytest.approx(25)
        assert source.spacing_mm == pytest.approx((3, 2))
    assert [frame.t_s for frame in frames] == pytest.approx([0.04 * index for index in range(12)])
    for frame, image in zip(frames, IMAGES, strict=True):
        assert frame.image.shape == image.shape
        assert np.abs(frame.image.astype(int) - image).mean() < 8


@pytest.mark.parametrize("syntax", ["100.1", "102", "102.1", "103.1", "104.1", "105", "106", "106.1", "108"])
def test_the_video_counts_and_not_the_profile_that_is_named(tmp_path: Path, syntax: str) -> None:
    data = stream(tmp_path, "H.264 in MP4")
    parts = [data[at : at + 1000] for at in range(0, len(data), 1000)]
    assert len(read(embedded(tmp_path / "a.dcm", parts if syntax.endswith(".1") else data, syntax))) == 12


def test_a_video_under_the_name_of_still_images_is_a_video_all_the_same(tmp_path: Path) -> None:
    path = compressed(tmp_path / "a.dcm", IMAGES, sequence([stream(tmp_path, "H.264 in MP4")]), JPEGBaseline8Bit)
    assert len(read(path)) == 12


@pytest.mark.parametrize("claimed", ["14", "9", "1", None])
def test_the_stream_has_the_number_of_frames(tmp_path: Path, claimed: str | None) -> None:
    path = embedded(tmp_path / "a.dcm", stream(tmp_path, "H.264 in MP4"), NumberOfFrames=claimed)
    times = [frame.t_s for frame in read(path)]
    assert times == pytest.approx([0.04 * index for index in range(12)])
    (note,) = notes_of(path)
    assert note.endswith("its video has 12")


def test_without_a_clock_in_the_header_the_video_has_its_own(tmp_path: Path) -> None:
    path = embedded(tmp_path / "a.dcm", stream(tmp_path, "H.264 in MP4", fps=30), FrameTime=None)
    assert read(path)[-1].t_s == pytest.approx(11 / 30)
    assert notes_of(path) == []


def test_a_clock_of_the_header_that_no_heart_has_loses_to_that_of_the_video(tmp_path: Path) -> None:
    path = embedded(tmp_path / "a.dcm", stream(tmp_path, "H.264 in MP4", fps=30), FrameTime="1000")
    assert read(path)[-1].t_s == pytest.approx(11 / 30)
    assert notes_of(path) == ["the header says 1 frames a second, its video says 30 and is used"]


def test_a_duration_is_no_clock_of_frames_that_nobody_has_counted(tmp_path: Path) -> None:
    elements = {"FrameTime": None, "NumberOfFrames": None, "EffectiveDuration": "0.48"}
    path = embedded(tmp_path / "a.dcm", stream(tmp_path, "MPEG-2 in a program stream"), "100", **elements)
    assert np.diff([frame.t_s for frame in read(path)]) == pytest.approx(0.04)


def test_a_bare_stream_without_any_clock_asks_for_one(tmp_path: Path) -> None:
    path = embedded(tmp_path / "a.dcm", stream(tmp_path, "H.264 alone"), FrameTime=None)
    assert "--fps" in refused(path)
    assert read(path, fps=50)[-1].t_s == pytest.approx(0.22)


def test_clocks_that_disagree_are_noted_and_that_of_the_header_counts(tmp_path: Path) -> None:
    path = embedded(tmp_path / "a.dcm", stream(tmp_path, "H.264 in MP4", fps=30), FrameTime="20")
    assert read(path)[-1].t_s == pytest.approx(0.22)
    assert notes_of(path) == ["the header says 50 frames a second and is used, its video says 30"]


def test_a_video_of_another_size_than_the_header_says_has_no_scale(tmp_path: Path) -> None:
    region = clips.ultrasound_region()
    path = embedded(
        tmp_path / "a.dcm", stream(tmp_path, "H.264 in MP4"), Rows=480, Columns=640,
        SequenceOfUltrasoundRegions=[region],
    )  # fmt: skip
    with open_source(path) as source:
        assert len(list(source)) == 12
        assert source.spacing_mm is None
        assert source.notes == ["the header says 640x480 pixels, its video has 128x96"]


@pytest.mark.parametrize("missing", ["Rows", "Columns"])
def test_a_video_knows_its_size_where_the_header_does_not(missing: str, tmp_path: Path) -> None:
    path = embedded(tmp_path / "a.dcm", stream(tmp_path, "H.264 in MP4"), **{missing: None})
    assert len(read(path)) == 12
    assert notes_of(path) == ["the header says no number of pixels, its video has 128x96"]


def test_pixels_that_are_not_square_are_shown_square_and_keep_their_scale(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mpg"), "w") as file:
        stream = file.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        for image in IMAGES:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        file.mux(stream.encode())
    region = clips.ultrasound_region(RegionLocationMaxX1=127, RegionLocationMaxY1=95, PhysicalDeltaX=0.33)
    region.PhysicalDeltaY = 0.2
    data = (tmp_path / "a.mpg").read_bytes()
    with open_source(embedded(tmp_path / "a.dcm", data, "100", SequenceOfUltrasoundRegions=[region])) as source:
        frames = list(source)
        assert frames[0].image.shape == (96, 212, 3)
        assert frames[0].spacing_mm == source.spacing_mm == pytest.approx((2, 2), rel=0.02)
        assert len(source.notes) == 1
        assert "scaled to 212x96" in source.notes[0]


def test_a_file_cut_within_its_video_is_refused(tmp_path: Path) -> None:
    data = stream(tmp_path, "H.264 in a transport stream")
    path = embedded(tmp_path / "a.dcm", [data[at : at + 2000] for at in range(0, len(data), 2000)], "104.1")
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(ITEM) + int(0.7 * len(data))])
    with open_source(path) as source, pytest.raises(SourceFormatError, match="truncated, copy it again"):
        assert 2 < sum(1 for _ in source) < 12


@pytest.mark.parametrize("data", [b"not a video at all" * 40, b"#EXTM3U\nfile:///etc/passwd\n", bytes(500), b""])
def test_what_is_no_video_is_refused_in_a_line(tmp_path: Path, data: bytes) -> None:
    message = refused(embedded(tmp_path / "a.dcm", data))
    assert "expected a video in the pixel data" in message
    assert "0x" not in message


def test_memory_does_not_grow_with_the_video(tmp_path: Path) -> None:
    count = 240
    with open_source(embedded(tmp_path / "a.dcm", stream(tmp_path, "H.264 in MP4", count))) as source:
        next(source)
        tracemalloc.start()
        try:
            assert sum(1 for _ in source) == count - 1
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < count * IMAGES[0].nbytes / 20
