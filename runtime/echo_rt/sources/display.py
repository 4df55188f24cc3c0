"""How a player shows the frames of a video: upright, with square pixels, in their full range of grey levels."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from echo_rt.arrays import Image
from echo_rt.sources.limits import limits

SQUARE = 0.01
"""Pixels whose sides differ by less than this share are square: headers round."""

PLAUSIBLE_ASPECT = (0.5, 2.0)
"""Width of a pixel to its height. Digital television has 0.9 to 1.5; what lies outside is a damaged header."""

TURN_TOLERANCE = 0.02
"""By which a display matrix may miss a turn by a quarter: it is written in fixed point."""

FULL_RANGE = 2  # AVCOL_RANGE_JPEG: luma from 0 to 255, where 16 to 235 is usual

DARK = (1, 10)
DARK_SHARE = 0.02
"""Luma far below the usual black, and the share of the pixels that has to have it for a picture of the full range.

0 itself says nothing, as bars beside a picture are often drawn with it. Compression leaves black at 16 within a few.
"""

# Scaler threads made every clip slower (640x480 H.264, two cores: 2.3 ms a frame, 0.6 with one thread), and the engine
# has better use for the cores. PyAV before 17 scales in one thread anyway.
_SCALER_THREADS: dict[str, Any] = {"threads": 1} if int(av.__version__.split(".")[0]) >= 17 else {}


def image_of(frame: VideoFrame, **how: Any) -> Image:
    """(H, W) of a grey frame, else (H, W, 3) BGR, as it is stored. `how` goes to PyAV's `VideoFrame.reformat`."""
    grey = frame.format.name.startswith("gray")
    # A view of the converted frame's own buffer; contiguous unless the rows are padded.
    image = frame.to_ndarray(format="gray" if grey else "bgr24", **_SCALER_THREADS, **how)
    return np.ascontiguousarray(image, np.uint8)


def max_pixels() -> dict[str, str]:
    """The option of FFmpeg that keeps a demuxer or decoder from making room for more than a picture may have."""
    return {"max_pixels": str(limits().frame_pixels)}


class Display:
    """Shows every frame of a stream as its first one says, or the first of another size or format.

    Args:
        stream: its pixels' aspect is that of the container, or else of the codec.

    Attributes:
        notes: what was done, a line each; whole after the first frame.
    """

    def __init__(self, stream: VideoStream) -> None:
        self.notes: list[str] = []
        self._codec = stream.codec_context
        self._aspect = stream.sample_aspect_ratio
        self._kind: tuple[int, int, str] | None = None
        self._how: dict[str, Any] = {}
        self._turns, self._mirrored = 0, False

    def image(self, frame: VideoFrame) -> Image:
        """(H, W) of a grey frame, else (H, W, 3) BGR: turned and scaled."""
        kind = frame.width, frame.height, frame.format.name
        if kind != self._kind:
            if self._kind is not None:  # what the container says is of its begin
                self._aspect = self._codec.sample_aspect_ratio or self._aspect
            self._kind = kind
            self._look(frame)
        image = image_of(frame, **self._how)
        if self._mirrored:
            image = image[:, ::-1]
        if self._turns:
            image = np.rot90(image, self._turns)
        return np.ascontiguousarray(image)

    def _look(self, frame: VideoFrame) -> None:
        known = len(self.notes)
        self._how = {**self._scaled(frame), **self._ranged(frame)}
        self._orient(frame)
        if frame.interlaced_frame:
            self.notes.append("its frames are interlaced: each joins two half pictures of different times")
        said, self.notes[known:] = self.notes[known:], []
        self.notes += [note for note in said if note not in self.notes]

    def _scaled(self, frame: VideoFrame) -> dict[str, int]:
        """Width and height with square pixels: the coarser side is stretched to the finer one."""
        aspect = float(self._aspect) if self._aspect else 1.0
        if abs(aspect - 1) < SQUARE:
            return {}
        low, high = PLAUSIBLE_ASPECT
        if not low <= aspect <= high:
            self.notes.append(f"its header says pixels {aspect:.3g} times as wide as high: left as stored")
            return {}
        width = round(frame.width * max(aspect, 1.0))
        height = round(frame.height / min(aspect, 1.0))
        self.notes.append(
            f"stored pixels are {aspect:.3g} times as wide as high: "
            f"{frame.width}x{frame.height} scaled to {width}x{height}"
        )
        return {"width": width, "height": height}

    def _ranged(self, frame: VideoFrame) -> dict[str, int]:
        """What makes the conversion right where the luma goes from 0 to 255."""
        luma = frame.format.name.startswith("yuv") or frame.format.name.startswith("nv")
        if not luma or frame.format.name.startswith("yuvj"):
            return {}
        if int(frame.color_range or 0) == FULL_RANGE:
            return {"src_color_range": FULL_RANGE}  # PyAV before 14 does not look at it
        if frame.format.components[0].bits != 8:
            return {}
        plane = frame.planes[0]
        stored = np.frombuffer(memoryview(plane), np.uint8)[: plane.height * plane.line_size]
        levels = stored.reshape(plane.height, plane.line_size)[:, : frame.width]
        if np.mean((levels >= DARK[0]) & (levels <= DARK[1])) < DARK_SHARE:
            return {}
        self.notes.append("its grey levels go from 0 to 255, though its header says 16 to 235 or nothing")
        return {"src_color_range": FULL_RANGE}

    def _orient(self, frame: VideoFrame) -> None:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return
        # A point (x, y) of the stored picture, y downwards, is shown at (x, y) @ shown.
        shown = np.frombuffer(bytes(matrix), "=i4")[[0, 1, 3, 4]].reshape(2, 2).astype(float)
        lengths = np.linalg.norm(shown, axis=1, keepdims=True)
        if not lengths.all():
            self.notes.append("its display matrix shows nothing: left as stored")
            return
        shown /= lengths
        whole = np.rint(shown)
        if np.abs(shown - whole).max() > TURN_TOLERANCE:
            degrees = np.degrees(np.arctan2(shown[0, 1], shown[0, 0]))
            self.notes.append(f"its display matrix turns it by {degrees:.0f} degrees: left as stored")
            return
        self._mirrored = bool(np.linalg.det(whole) < 0)
        if self._mirrored:
            whole[0] *= -1
        # np.rot90 turns counter-clockwise; the x axis goes to the right, down, to the left or up.
        self._turns = {(1, 0): 0, (0, 1): 3, (-1, 0): 2, (0, -1): 1}[int(whole[0, 0]), int(whole[0, 1])]
        if self._mirrored:
            self.notes.append("mirrored, as its display matrix says")
        if self._turns:
            clockwise = 360 - 90 * self._turns
            self.notes.append(f"turned by {clockwise} degrees clockwise, as its display matrix says")
