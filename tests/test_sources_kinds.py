"""What a file is by its first bytes: archives and other things of which FFmpeg makes a video."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from echo_rt.errors import ParameterError, SourceFormatError
from echo_rt.sources import open_source
from echo_rt.sources.kinds import Kind, kind_of
from support import clips
from support.reading import read, refused


def jpegs(count: int = 6) -> bytes:
    """A cine as bare JPEGs: what FFmpeg finds in anything."""
    return b"".join(cv2.imencode(".jpg", image)[1].tobytes() for image in clips.grey_images(count))


def animated_webp() -> bytes:
    file = io.BytesIO()
    pictures = [Image.fromarray(image) for image in clips.grey_images(4)]
    pictures[0].save(file, "WEBP", save_all=True, append_images=pictures[1:], duration=40)
    return file.getvalue()


def zipped(names: list[str], how: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name in names:
            archive.writestr(name, jpegs())
    return file.getvalue()


def tarred(form: int, name: str = "P1/IM00001") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(jpegs())
        archive.addfile(entry, io.BytesIO(jpegs()))
    return file.getvalue()


def without_mark(archive: bytes) -> bytes:
    """A tar of before POSIX: no mark, and a check sum to match."""
    head = bytearray(archive[:512])
    head[257:265] = bytes(8)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + archive[512:]


def saved(array: Callable[..., None], **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    array(file, **arrays)
    return file.getvalue()


DICOM = bytes(128) + b"DICM"

NAMED: list[tuple[str, Callable[[], bytes]]] = [
    ("a zip archive; unpack it", lambda: zipped(["P1/IM1", "P2/IM1"])),
    ("a zip archive; unpack it", lambda: zipped(["P1/IM1"], zipfile.ZIP_DEFLATED)),
    ("an Office document; save the film in it", lambda: zipped(["[Content_Types].xml", "ppt/media/clip.avi"])),
    ("NumPy arrays (.npz)", lambda: saved(np.savez, frames=np.zeros((4, 8, 8), np.uint8))),
    ("a NumPy array", lambda: saved(np.save, arr=np.zeros((4, 8, 8), np.uint8)) + jpegs()),
    ("a tar archive; unpack it", lambda: tarred(tarfile.USTAR_FORMAT)),
    ("a tar archive; unpack it", lambda: tarred(tarfile.GNU_FORMAT)),
    ("a tar archive; unpack it", lambda: tarred(tarfile.PAX_FORMAT)),
    ("a tar archive; unpack it", lambda: without_mark(tarred(tarfile.USTAR_FORMAT))),
    ("a tar archive packed by gzip", lambda: gzip.compress(tarred(tarfile.USTAR_FORMAT))),
    ("a DICOM file packed by gzip; unpack it", lambda: gzip.compress(DICOM + jpegs())),
    ("a file packed by gzip; unpack it", lambda: gzip.compress(jpegs())),
    ("a file packed by bzip2; unpack it", lambda: bz2.compress(jpegs())),
    ("a file packed by xz; unpack it", lambda: lzma.compress(jpegs())),
    ("a 7z archive; unpack it", lambda: b"7z\xbc\xaf\x27\x1c\0\4" + jpegs()),
    ("a rar archive; unpack it", lambda: b"Rar!\x1a\x07\1\0" + jpegs()),
    ("an image of a CD or DVD; open it", lambda: bytes(32768) + b"\1CD001\1\0" + jpegs()),
    ("an HDF5 file", lambda: b"\x89HDF\r\n\x1a\n\0" + jpegs()),
    ("a MATLAB file", lambda: b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(128) + jpegs()),
    ("a PDF document", lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + jpegs()),
    ("an Office document", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + jpegs()),
    ("a program", lambda: b"\x7fELF\2\1\1\0" + bytes(60) + jpegs()),
    ("a Windows program", lambda: b"MZ".ljust(60, b"\0") + b"\x80\0\0\0".ljust(68, b"\0") + b"PE\0\0" + jpegs()),
    ("a sound file", lambda: b"RIFF\0\0\1\0WAVEfmt " + bytes(4000)),
    ("a sound file", lambda: b"ID3\4\0\0\0\0\0\0" + jpegs()),
    ("an animated WebP; convert it to MP4", animated_webp),
    ("a picture; a still image has no ejection fraction", lambda: cv2.imencode(".png", np.eye(9))[1].tobytes()),
    ("a web page; the download gave a page", lambda: b"\n<!DOCTYPE html>\n<html lang=de>" + b"<p>Anmelden" * 200),
    ("an XML file", lambda: b"\xef\xbb\xbf<?xml version='1.0'?>\n<a/>"),
    ("a JSON file", lambda: b'{\n "frames": [1, 2]\n}\n'),
    ("a pointer of Git", lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n"),
    ("a playlist; give the address of the stream", lambda: b"#EXTM3U\n#EXTINF:2,\na.ts\n"),
    ("a text file", lambda: "Patientin unruhig, Schallfenster mäßig.\n".encode("latin-1") * 40),
    ("a text file", lambda: "患者心尖四腔切面。".encode() * 300),
    ("a text file", lambda: "EF 55 %\r\n".encode("utf-16") * 9),
    ("an empty file; copy or download it again", lambda: b""),
    ("a file that begins with zeros alone; it was not copied", lambda: bytes(100_000)),
]


@pytest.mark.parametrize("fps", [None, 25])
@pytest.mark.parametrize("name", ["clip.mp4", "IM00001", "clip.dcm"])
def test_what_is_no_recording_is_named_with_what_to_do_whatever_its_name_and_fps_say(
    tmp_path: Path, name: str, fps: float | None
) -> None:
    for found, content in NAMED:
        (tmp_path / name).write_bytes(content())
        assert f"found {found}" in refused(tmp_path / name, fps)


@pytest.mark.parametrize("fps", [None, 25])
@pytest.mark.parametrize("before", [777, 40_000])
def test_a_stream_that_ffmpeg_finds_in_the_middle_of_something_unknown_is_no_recording(
    tmp_path: Path, before: int, fps: float | None
) -> None:
    rng = np.random.default_rng(before)
    (tmp_path / "a.img").write_bytes(b"\x01vendor" + rng.integers(0, 256, before, np.uint8).tobytes() + jpegs(40))
    message = refused(tmp_path / "a.img", fps)
    assert "a file of an unknown kind" in message or "found none (" in message


@pytest.mark.parametrize("name", ["a.mjpeg", "a.bin", "a.avi", "IM1"])
def test_a_bare_stream_of_jpegs_is_read_at_the_rate_given_and_at_no_other(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(jpegs(9))
    with pytest.raises(ParameterError, match=r"bare m?jpeg stream; give its frame rate with --fps"):
        read(tmp_path / name)
    frames = read(tmp_path / name, fps=40)
    assert [frame.t_s for frame in frames] == pytest.approx([index / 40 for index in range(9)])
    shown = np.stack([frame.image for frame in frames]).astype(int)  # grey JPEGs
    assert np.abs(shown - clips.grey_images(9)).mean() < 4


@pytest.mark.parametrize(("codec", "name"), [("libx264", "a.h264"), ("libx265", "a.hevc"), ("mpeg2video", "a.m2v")])
def test_other_bare_streams_begin_with_a_mark_of_their_own(tmp_path: Path, codec: str, name: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = clips.write_video(tmp_path / name, clips.grey_images(8, 64, 96), 25, codec, "yuv420p", options=options)
    assert len(read(path, fps=25)) >= 7
    data = path.read_bytes()
    path.write_bytes(b"vendor\0\1" * 90 + data)
    with pytest.raises(SourceFormatError, match=r"unknown kind|found none"):
        read(path, fps=25)


def test_a_video_in_which_an_archive_lies_is_a_video(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.mp4", clips.grey_images(5))
    path.write_bytes(path.read_bytes() + zipped(["IM1"]))
    assert len(read(path)) == 5


def test_a_stack_of_pictures_in_one_file_is_named(tmp_path: Path) -> None:
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), list(clips.grey_images(7)))
    with pytest.raises(SourceFormatError, match=r"found a stack of 7 pictures in one file; save them as numbered"):
        open_source(tmp_path / "a.tif")


def test_a_pipe_is_named_and_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("Windows has no such files")
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(SourceFormatError, match="found a pipe or a device"):
        open_source(tmp_path / "a.mp4")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_have_a_kind_or_none_and_never_an_error(head: bytes) -> None:
    found = kind_of(head)
    assert found is None or (isinstance(found, Kind) and found.name and found.todo)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=300))
def test_a_text_in_any_language_is_a_text(text: str) -> None:
    kind = kind_of(b"Bericht: " + text.encode())
    assert kind is not None
    assert kind.name == "a text file"
