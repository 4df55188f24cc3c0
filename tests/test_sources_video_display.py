"""Videos shown as a player shows them: upright, with square pixels, in their grey levels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from echo_rt.sources import open_source
from support import clips

IDENTITY = [[1.0, 0.0], [0.0, 1.0]]


def with_matrix(path: Path, matrix: list[list[float]]) -> Path:
    """The MP4 at `path` with this in the header of its track: where x and y of the stored picture go, y downwards."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44  # version 0
    assert data[at : at + 4] == b"\0\1\0\0"
    (a, b), (c, d) = ([round(number * 65536).to_bytes(4, "big", signed=True) for number in row] for row in matrix)
    data[at : at + 36] = a + b + bytes(4) + c + d + bytes(12) + b"\x40\0\0\0"
    path.write_bytes(data)
    return path


def shown(path: Path) -> tuple[np.ndarray, list[str]]:
    """Frames (N, H, W) and notes."""
    with open_source(path) as source:
        frames = np.stack([frame.image for frame in source])
        return (frames[..., 1] if frames.ndim == 4 else frames), source.notes


TURNS = {
    "turned by 90 degrees clockwise": ([[0, 1], [-1, 0]], lambda image: np.rot90(image, -1)),
    "turned by 180 degrees clockwise": ([[-1, 0], [0, -1]], lambda image: np.rot90(image, 2)),
    "turned by 270 degrees clockwise": ([[0, -1], [1, 0]], lambda image: np.rot90(image, 1)),
    "mirrored": ([[-1, 0], [0, 1]], lambda image: image[:, ::-1]),
    "mirrored, turned by 180": ([[1, 0], [0, -1]], lambda image: image[::-1]),
    "mirrored, turned by 90": ([[0, -1], [-1, 0]], lambda image: np.rot90(image, 2).T),
    "mirrored, turned by 270": ([[0, 1], [1, 0]], lambda image: image.T),
}
"""Where x and y go, and how the picture looks then."""


@pytest.mark.parametrize("said", TURNS)
def test_every_frame_is_turned_and_mirrored_as_the_display_matrix_says_with_a_note(tmp_path: Path, said: str) -> None:
    matrix, wanted = TURNS[said]
    images = clips.grey_images(4)
    frames, notes = shown(with_matrix(clips.write_video(tmp_path / "a.mp4", images), matrix))
    expected = np.stack([wanted(image) for image in images])
    assert frames.shape == expected.shape
    assert np.abs(frames.astype(int) - expected).mean() < 4
    for part in said.split(", "):
        assert sum(note.startswith(part) and note.endswith("as its display matrix says") for note in notes) == 1


@pytest.mark.parametrize("degrees", [30, 45, 100])
def test_a_turn_by_another_angle_is_noted_and_not_made(tmp_path: Path, degrees: float) -> None:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    images = clips.grey_images(3)
    path = with_matrix(clips.write_video(tmp_path / "a.mp4", images), [[cos, sin], [-sin, cos]])
    frames, notes = shown(path)
    assert notes == [f"its display matrix turns it by {degrees} degrees: left as stored"]
    assert np.abs(frames.astype(int) - images).mean() < 4


def test_a_video_without_a_matrix_or_with_one_that_changes_nothing_has_no_note(tmp_path: Path) -> None:
    path = clips.write_video(tmp_path / "a.mp4", clips.grey_images(3))
    assert shown(path)[1] == []
    assert shown(with_matrix(path, IDENTITY))[1] == []


def write(
    path: Path,
    planes: list[np.ndarray],
    codec: str = "ffv1",
    pix_fmt: str = "yuv420p",
    aspect: Fraction | None = None,
    full: bool | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A video of luma planes (H, W) without colour, as stored: with this aspect of a pixel and this range in its
    header."""
    height, width = planes[0].shape
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width, stream.pix_fmt = height, width, pix_fmt
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if full is not None:
            stream.codec_context.color_range = 2 if full else 1
        for index, luma in enumerate(planes):
            stored = np.full((height * 3 // 2, width), 128, np.uint8)
            stored[:height] = luma
            frame = av.VideoFrame.from_ndarray(stored if pix_fmt == "yuv420p" else luma, pix_fmt)
            if full is not None:
                frame.color_range = 2 if full else 1
            frame.pts, frame.time_base = index, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def limited(images: np.ndarray) -> list[np.ndarray]:
    """The images as luma from 16 to 235."""
    return list(np.rint(16 + images / 255 * 219).astype(np.uint8))


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.mp4", "libx264"), ("a.avi", "mpeg4")])
@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(16, 11), (93, 48)), (Fraction(8, 9), (64, 54)), (Fraction(2), (128, 48)), (Fraction(1, 2), (64, 96)),
        (Fraction(12, 11), (70, 48)),
    ],
)  # fmt: skip
def test_pixels_become_square_by_stretching_the_coarser_side(
    tmp_path: Path, name: str, codec: str, aspect: Fraction, size: tuple[int, int]
) -> None:
    images = clips.grey_images(3)
    frames, notes = shown(write(tmp_path / name, limited(images), codec, aspect=aspect))
    assert notes == [
        f"stored pixels are {float(aspect):.3g} times as wide as high: 64x48 scaled to {size[0]}x{size[1]}"
    ]
    expected = np.stack([cv2.resize(image, size) for image in images])
    assert frames.shape == expected.shape
    assert np.abs(frames.astype(int) - expected).mean() < 4


def test_an_oblong_picture_is_scaled_as_it_is_stored_and_then_turned(tmp_path: Path) -> None:
    images = clips.grey_images(3)
    path = write(tmp_path / "a.mp4", limited(images), "libx264", aspect=Fraction(3, 2))
    frames, notes = shown(with_matrix(path, TURNS["turned by 90 degrees clockwise"][0]))
    expected = np.stack([np.rot90(cv2.resize(image, (96, 48)), -1) for image in images])
    assert np.abs(frames.astype(int) - expected).mean() < 4
    assert len(notes) == 2


@pytest.mark.parametrize("aspect", [Fraction(5), Fraction(1, 9)])
def test_an_aspect_that_no_pixel_has_is_noted_and_ignored(tmp_path: Path, aspect: Fraction) -> None:
    images = clips.grey_images(3)
    frames, notes = shown(write(tmp_path / "a.mp4", limited(images), "libx264", aspect=aspect))
    assert frames.shape == images.shape
    assert notes == [f"its header says pixels {float(aspect):.3g} times as wide as high: left as stored"]


def test_an_aspect_that_is_square_but_for_rounding_changes_nothing(tmp_path: Path) -> None:
    images = clips.grey_images(3)
    frames, notes = shown(write(tmp_path / "a.mp4", limited(images), "libx264", aspect=Fraction(400, 399)))
    assert (frames.shape, notes) == (images.shape, [])


RAMP = np.tile(np.arange(256, dtype=np.uint8), (32, 1))
LIMITED = limited(RAMP[np.newaxis])[0]
UNFLAGGED = ["its grey levels go from 0 to 255, though its header says 16 to 235 or nothing"]


@pytest.mark.parametrize("codec", ["ffv1", "libx264", "mpeg2video"])
@pytest.mark.parametrize(
    ("luma", "full", "said"),
    [
        (LIMITED, None, []), (LIMITED, False, []), (RAMP, True, []),
        (RAMP, None, UNFLAGGED), (RAMP, False, UNFLAGGED),
    ],
    ids=["limited", "limited and flagged", "full and flagged", "full", "full, flagged limited"],
)  # fmt: skip
def test_grey_levels_are_those_of_the_picture_whatever_the_header_says_of_their_range(
    tmp_path: Path, codec: str, luma: np.ndarray, full: bool | None, said: list[str]
) -> None:
    if codec == "mpeg2video" and full:
        pytest.skip("MPEG-2 has no such flag")
    options = {"libx264": {"qp": "1"}, "mpeg2video": {"qmin": "1", "qmax": "1"}}.get(codec)
    frames, notes = shown(write(tmp_path / "a.mkv", [luma] * 3, codec, full=full, options=options))
    assert np.abs(frames[1].astype(int) - RAMP).max() <= 3
    assert notes == said


def test_black_bars_beside_a_picture_of_the_usual_range_do_not_change_its_levels(tmp_path: Path) -> None:
    luma = np.pad(LIMITED, ((0, 0), (64, 64)))
    frames, notes = shown(write(tmp_path / "a.mkv", [luma] * 3))
    assert np.abs(frames[0][:, 64:-64].astype(int) - RAMP).max() <= 2
    assert notes == []


def test_interlaced_frames_are_noted(tmp_path: Path) -> None:
    images = list(clips.grey_images(4))
    for flags, count in (("+ilme+ildct", 1), ("", 0)):
        options = {"flags": flags} if flags else {}
        _, notes = shown(write(tmp_path / "a.mpg", images, "mpeg2video", options=options))
        assert sum("interlaced" in note for note in notes) == count
