"""Videos that are damaged, cut off or none at all."""

from __future__ import annotations

import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from echo_rt.errors import SourceFormatError
from echo_rt.sources import open_source
from support import clips
from support.reading import read, refused

AVI = {"codec": "mjpeg", "pix_fmt": "yuvj420p"}


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_a_truncated_avi_is_refused(tmp_path: Path, codec: str, share: float) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 48, 64), np.uint8)
    path = clips.write_video(
        tmp_path / "a.avi", images, codec=codec, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p"
    )
    message = refused(clips.cut(path, share))
    assert "expected 60 frames" in message
    assert "truncated" in message


def test_an_avi_cut_within_its_first_frames_is_refused(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(60), **AVI)
    position = clips.packets_of(path)[1][0]
    path.write_bytes(path.read_bytes()[: position + 20])
    assert "60 frames" in refused(path) or "at least 2 frames" in refused(path)


def test_an_avi_that_lost_only_its_index_is_whole(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), **AVI)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"idx1")])
    assert len(read(path)) == 20


def test_a_truncated_mp4_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 48, 64), np.uint8)
    assert "cut off before its index" in refused(clips.cut(clips.write_video(tmp_path / "a.mp4", images), 0.6))
    front = clips.write_video(tmp_path / "b.mp4", images, container={"movflags": "faststart"})
    assert "expected 60 frames" in refused(clips.cut(front, 0.6))


def test_a_truncated_mkv_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 48, 64), np.uint8)
    path = clips.write_video(tmp_path / "a.mkv", images, codec="mjpeg", pix_fmt="yuvj420p")
    assert "expected 4.00 s" in refused(clips.cut(path, 0.7))


def with_sound(path: Path, images: np.ndarray) -> Path:
    """A video of pictures at 25 fps, and of sound that goes on for 4 s after them."""
    end_s = len(images) / 25 + 4
    with av.open(str(path), "w") as file:
        video = file.add_stream("mjpeg", rate=25)
        video.height, video.width, video.pix_fmt = *images.shape[1:3], "yuvj420p"
        sound = file.add_stream("pcm_s16le", rate=8000, layout="mono")
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, "gray").reformat(format="yuvj420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(video.encode(frame))
        for number in range(int(end_s * 10)):
            quiet = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            quiet.sample_rate, quiet.pts, quiet.time_base = 8000, 800 * number, Fraction(1, 8000)
            file.mux(sound.encode(quiet))
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mov", "avi"])
def test_sound_that_goes_on_after_the_pictures_is_no_missing_picture(tmp_path: Path, suffix: str) -> None:
    path = with_sound(tmp_path / f"a.{suffix}", clips.grey_images(50))
    with open_source(path) as source:
        assert len(list(source)) == 50
        assert source.notes == []
    if suffix == "mkv":
        assert "expected 6.00 s" in refused(clips.cut(path, 0.7))


def test_a_corrupt_packet_is_skipped_counted_and_leaves_its_gap_in_time(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), 50, **AVI)
    position, length = clips.packets_of(path)[7]
    data = bytearray(path.read_bytes())
    data[position + 8 : position + length] = bytes(length - 8)
    path.write_bytes(data)
    with open_source(path) as source:
        frames = list(source)
        assert (source.skipped, source.notes) == (1, ["1 of 20 frames cannot be decoded: left out"])
    assert [frame.index for frame in frames] == [index for index in range(20) if index != 7]
    assert [frame.t_s for frame in frames] == pytest.approx([frame.index / 50 for frame in frames])
    assert [frame.t_s for frame in read(path, fps=10)] == pytest.approx([frame.index / 10 for frame in frames])


def test_a_video_of_which_most_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), **AVI)
    data = bytearray(path.read_bytes())
    for position, length in clips.packets_of(path)[4:]:
        data[position + 8 : position + length] = bytes(length - 8)
    path.write_bytes(data)
    assert "found 16 that cannot and 4 that can" in refused(path)


def with_count(path: Path, count: int) -> Path:
    """The AVI at `path`, whose header promises that many frames."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"avih") + 8 + 16, count)
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, count)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("count", [12, 29, 200])
def test_a_whole_avi_whose_header_counts_wrongly_gives_what_it_holds_and_a_note(tmp_path: Path, count: int) -> None:
    path = with_count(clips.write_video(tmp_path / "a.avi", clips.grey_images(20), 50, **AVI), count)
    with open_source(path) as source:
        assert [frame.t_s for frame in source] == pytest.approx([index / 50 for index in range(20)])
        assert source.notes == [f"the header promises {count} frames, found 20"]
    without_index = path.read_bytes()
    path.write_bytes(without_index[: without_index.rindex(b"idx1")])
    if count > 20:
        assert f"expected {count} frames, as its header says, found 20; the file is truncated" in refused(path)


def with_empty_chunks(path: Path, pattern: list[int]) -> Path:
    """The AVI at `path` with as many empty chunks after each frame as the pattern says, frame by frame and again from
    its start."""
    data = path.read_bytes()
    start, end = data.index(b"movi") + 4, data.rindex(b"idx1")
    chunks, at = b"", start
    count = index = 0
    while at < end:
        length = struct.unpack_from("<I", data, at + 4)[0]
        whole = data[at : at + 8 + length + length % 2]
        empty = pattern[index % len(pattern)]
        chunks += whole + b"00dc\0\0\0\0" * empty
        at, count, index = at + len(whole), count + 1 + empty, index + 1
    head = bytearray(data[:start])
    struct.pack_into("<I", head, head.rindex(b"movi") - 4, len(chunks) + 4)
    struct.pack_into("<I", head, head.index(b"avih") + 8 + 16, count)
    struct.pack_into("<I", head, head.index(b"strh") + 8 + 32, count)
    path.write_bytes(bytes(head) + chunks)
    return path


@pytest.mark.parametrize("codec", ["mjpeg", "libx264"])
@pytest.mark.parametrize("pattern", [[0, 0, 0, 0, 1], [0, 0, 3, 0], [2, 0, 0], [11]])
def test_empty_chunks_of_an_avi_are_gaps_in_time_and_neither_damage_nor_its_end(
    tmp_path: Path, codec: str, pattern: list[int]
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = with_empty_chunks(clips.write_video(tmp_path / "a.avi", clips.grey_images(20), 50, codec, pix_fmt), pattern)
    with open_source(path) as source:
        frames = list(source)
        assert source.skipped == 0
    places = [index + sum((pattern * 20)[:index]) for index in range(20)]
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.t_s for frame in frames] == pytest.approx([place / 50 for place in places])


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"this is a text file, whatever its name says\n" * 50, "a text file"),
        (b"ffconcat version 1.0\nfile secret.mp4\n", "a text file"),
        (b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n", "a playlist"),
        (bytes(range(256)) * 20, "none"),
        (b"RIFF\x00\x10\x00\x00AVI LIST", "none"),
    ],
)
def test_a_file_that_is_only_named_avi_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "a.avi").write_bytes(content)
    assert f"found {found}" in refused(tmp_path / "a.avi")


def test_a_file_with_sound_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    assert "no video stream" in refused(path)


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv"])
def test_a_video_of_one_frame_is_refused(tmp_path: Path, name: str) -> None:
    path = clips.write_video(tmp_path / name, clips.grey_images(1), codec="mpeg4")
    assert "at least 2 frames, found 1" in refused(path)


def test_a_still_image_is_refused(tmp_path: Path) -> None:
    folder = clips.write_images(tmp_path, clips.grey_images(1))
    with pytest.raises(SourceFormatError, match="found 1"):
        read(folder / "frame1.png")


def test_damaged_files_print_nothing(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.avi", clips.grey_images(20), codec="mpeg4")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = b"\xaa" * 300
    path.write_bytes(data)
    code = (
        "from echo_rt.sources import open_source\n"
        "try:\n"
        f"    with open_source({str(path)!r}) as source: list(source)\n"
        "except OSError: pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
