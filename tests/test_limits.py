"""What a recording may ask for: held before the work, told in a line, and set by the environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from echo_rt.errors import ParameterError, SourceFormatError
from echo_rt.sources import aside as aside_module
from echo_rt.sources import find_recordings, open_source
from echo_rt.sources.aside import Aside
from echo_rt.sources.dicom_decode import decoder_of
from echo_rt.sources.dicom_pixels import Pixels
from echo_rt.sources.limits import Limits, limits, variable
from support import clips
from support.dicom_files import compressed, jpegs, notes_of
from support.reading import read, refused
from support.volumes import along_x, metaimage, nifti, nrrd_file

IMAGES = clips.grey_images(6)

RECORDINGS = {
    "a.mp4": lambda path: clips.write_video(path, IMAGES),
    "a.gif": lambda path: clips.write_video(path, IMAGES, codec="gif", pix_fmt="gray"),
    "images": lambda path: clips.write_images(path, IMAGES),
    "a.mha": lambda path: metaimage(path, IMAGES),
    "a.nii": lambda path: nifti(path, along_x(IMAGES)),
    "a.nrrd": lambda path: nrrd_file(path, along_x(IMAGES)),
    **{
        f"{syntax.keyword}.dcm": lambda path, syntax=syntax: clips.write_dicom(
            path, clips.dicom_dataset(IMAGES), syntax
        )
        for syntax in (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000Lossless,
                       JPEGLSLossless)
    },
}  # fmt: skip

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and signals of POSIX")


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize(("limit", "least"), [("frame_pixels", 48 * 64), ("decoded_bytes", 6 * 48 * 64), ("frames", 6)])
def test_a_limit_is_told_with_the_variable_that_sets_it(
    name: str, limit: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = RECORDINGS[name](tmp_path / name)
    monkeypatch.setattr("echo_rt.sources.base.stored_bytes", lambda path: 0)
    monkeypatch.setattr("echo_rt.sources.volumes.stored.stored_bytes", lambda path: 0)
    monkeypatch.setenv(variable(limit), str(4 * least))  # of colour and a margin
    assert len(read(path, 25)) == 6
    monkeypatch.setenv(variable(limit), str(least - 1))
    with pytest.raises(SourceFormatError, match="expected at most") as caught:
        read(path, 25)
    assert variable(limit) in str(caught.value)


def test_what_must_be_held_in_memory_as_a_whole_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("held_bytes"), "4000")
    for name in ("DeflatedExplicitVRLittleEndian.dcm", "a.nrrd"):
        assert variable("held_bytes") in refused(RECORDINGS[name](tmp_path / name), 25)


def test_a_frame_that_takes_too_long_ends_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable("frame_s"), "1e-9")
    for name in ("a.mp4", "JPEGLSLossless.dcm"):
        assert "s of work for a frame" in refused(RECORDINGS[name](tmp_path / name))


@pytest.mark.parametrize("text", ["", "many", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECHO_RT_MAX_FRAME_PIXELS", text)
    with pytest.raises(
        ParameterError, match=r"ECHO_RT_MAX_FRAME_PIXELS: expected a positive number, found .*10,000,000"
    ):
        limits()
    monkeypatch.setenv("ECHO_RT_MAX_FRAME_PIXELS", "5e6")
    assert limits() == Limits(frame_pixels=5_000_000)


@posix
@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
@pytest.mark.parametrize("name", ["a.dcm", "a.mp4", "a.nii", "a.png", "a"])
def test_a_pipe_or_a_device_is_named_and_never_waited_for(kind: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        import socket

        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    find_recordings([tmp_path])
    with pytest.raises(SourceFormatError, match="found a pipe or a device"):
        read(path)


@posix
def test_a_pipe_among_the_images_of_a_folder_is_named(tmp_path: Path) -> None:
    folder = clips.write_images(tmp_path / "images", IMAGES)
    (folder / "frame3.png").unlink()
    os.mkfifo(folder / "frame3.png")
    with open_source(folder, 25) as source:
        assert len(list(source)) == len(IMAGES) - 1
        assert source.notes[0].endswith("first frame3.png")


def test_a_video_that_grows_while_it_is_read_ends(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.ts", IMAGES, codec="mpeg2video")
    more, count = path.read_bytes(), 0
    with pytest.raises(SourceFormatError, match="found one that grew"), open_source(path) as source:
        for _ in source:
            count += 1
            with path.open("ab") as file:
                file.write(more)
    assert 6 <= count < 60, "all that was there"


def test_a_frame_that_its_decoder_hangs_on_costs_that_frame_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = clips.grey_images(5, 1000, 1000)
    frames = jpegs(images)
    whole = cv2.imencode(".jpg", images[2], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    frames[2] = whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2][:12] * 20_000 + b"\xff\xd9"
    path = compressed(tmp_path / "a.dcm", images, frames)
    monkeypatch.setenv(variable("frame_s"), "0.5")
    assert [frame.index for frame in read(path)] == [0, 1, 3, 4]
    assert notes_of(path)[-1] == "1 of 5 frames cannot be decoded and are left out"


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.keyword)
def test_a_frame_decodes_aside_as_it_does_here_and_a_process_that_dies_is_begun_again(syntax, tmp_path: Path) -> None:
    dataset = clips.dicom_dataset(IMAGES)
    clips.write_dicom(tmp_path / "a.dcm", dataset, syntax)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=6))
    pixels = Pixels.of(dataset)
    here, meaning = decoder_of(syntax, pixels)(frame)
    aside = Aside()
    with closing(aside_module):
        samples, meant = aside.decode(frame, syntax, pixels)
        np.testing.assert_array_equal(samples, here)
        assert meant == meaning
        with pytest.raises(ValueError, match=r"\w"):
            aside.decode(frame[:30], syntax, pixels)
        assert aside_module._process is not None
        aside_module._process.kill()
        with pytest.raises(ValueError, match="its decoder ended"):
            aside.decode(frame, syntax, pixels)
        np.testing.assert_array_equal(aside.decode(frame, syntax, pixels)[0], here)


def test_an_end_marker_that_encoders_leave_out_is_no_damage(tmp_path: Path) -> None:
    """Such frames go aside, and come back whole."""
    dataset = clips.dicom_dataset(IMAGES)
    clips.write_dicom(tmp_path / "a.dcm", dataset, JPEG2000Lossless)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=6))
    path = compressed(tmp_path / "b.dcm", IMAGES, [frame[: frame.rindex(b"\xff\xd9")]] * 6, JPEG2000Lossless)
    np.testing.assert_array_equal([frame.image for frame in read(path)], IMAGES[[0] * 6])


@pytest.mark.parametrize("address", ["http://[", "http://", "rtsp://[::1", "https:///x", "igtl://[", "phantom://["])
def test_an_address_without_a_host_is_one_line(address: str) -> None:
    with pytest.raises(ParameterError) as caught:
        open_source(address)
    assert "\n" not in str(caught.value)


def test_a_password_in_an_address_that_is_none_is_not_shown() -> None:
    with pytest.raises(ParameterError) as caught:
        open_source("rtsp://user:secret@[")
    assert "secret" not in str(caught.value)


SILENT = """
import socket, threading, time
import echo_rt.sources.network as network
from echo_rt.sources import leaving, open_source
network.OPEN_S = 1.0
server = socket.create_server(("127.0.0.1", 0))

def read():
    try:
        with open_source(f"http://127.0.0.1:{server.getsockname()[1]}/x"):
            pass
    except OSError as error:
        print(error)

threading.Thread(target=read, daemon=True).start()
while not leaving._waiting:
    time.sleep(0.01)
"""


def test_a_program_that_ends_waits_for_threads_that_are_in_a_library() -> None:
    """PyAV takes the interpreter's lock there: without it one in some ends is a segmentation fault."""
    run = subprocess.run([sys.executable, "-c", SILENT], capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert re.search("expected a stream, found no answer in time", run.stdout)
