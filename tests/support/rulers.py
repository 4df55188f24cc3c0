"""Screens with a sector of speckle, a ruler and whatever else a test draws on them."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.phantom.screen import Placed
from echo_rt.phantom.screen.ruler import RulerManner, draw_ruler
from echo_rt.sources.screen.ruler import Found, RulerReader
from support.sectors import sector

SIZE = (420, 620)
"""Rows and columns of a screen."""

TIP, DEPTH_PX, HALF_DEG = (330, 40), 345.0, 40.0
"""Of the sector on it, in pixels."""

FRAMES = 8

STEP_S = 0.12
"""Between two frames."""

Draw = Callable[[NDArray[np.uint8]], None]


def placed(depth_mm: float) -> Placed:
    """The sector, so many millimetres deep."""
    return Placed(0, 0, SIZE[1], SIZE[0], TIP, DEPTH_PX / depth_mm, depth_mm, HALF_DEG)


@cache
def speckle() -> NDArray[np.uint8]:
    """(N, H, W) a sector whose speckle is another one in every frame."""
    # The sector of `support.sectors` is 0.92 of the picture deep.
    rows = round(DEPTH_PX / 0.92)
    full = np.zeros((FRAMES, *SIZE), np.uint8)
    for n in range(FRAMES):
        picture = sector(rows, SIZE[1], HALF_DEG, (TIP[0], 0.0), seed=n)
        full[n, TIP[1] : TIP[1] + rows] = picture[: SIZE[0] - TIP[1]]
    return full


def screens(depth_mm: float, manner: RulerManner | None, extra: Draw | None = None) -> list[NDArray[np.uint8]]:
    """Frames (H, W, 3) BGR of a screen with that ruler, on which `extra` draws first."""
    found = []
    for picture in speckle():
        canvas = np.repeat(picture[..., None], 3, axis=2)
        if extra is not None:
            extra(canvas)
        if manner is not None:
            draw_ruler(canvas, placed(depth_mm), manner)
        found.append(canvas)
    return found


def read(frames: list[NDArray[np.uint8]]) -> Found | str:
    """The scale of these frames, `STEP_S` apart, or why there is none."""
    reader = RulerReader()
    for n, frame in enumerate(frames):
        reader.update(frame, STEP_S * n)
    return reader.read() or reader.reason


def h264(frames: list[NDArray[np.uint8]], crf: int) -> list[NDArray[np.uint8]]:
    """BGR frames of even sides as they come out of H.264."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8, options={"crf": str(crf), "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as container:
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in container.decode(video=0)]


def write(canvas: NDArray[np.uint8], text: str, x: int, y: int, size: float = 0.35) -> None:
    """White letters whose first begins at x, y."""
    cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (200, 200, 200), 1, cv2.LINE_AA)
