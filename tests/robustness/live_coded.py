"""Shots as H.264, bare and in MPEG-TS."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av

from robustness.live_shots import Shot

X264 = {"tune": "zerolatency", "preset": "ultrafast", "g": "10", "qp": "10", "x264-params": "threads=1"}
"""A picture of ten can be decoded without another."""


class Coder:
    """H.264 of shots, each coded at once."""

    def __init__(self, shot: Shot) -> None:
        self.kind = shot.size, shot.colour
        self._context: Any = av.CodecContext.create("libx264", "w")
        self._context.height, self._context.width = shot.size
        self._context.pix_fmt = _pixels(shot)
        self._context.time_base, self._context.framerate = Fraction(1, 90_000), Fraction(30)
        self._context.options = X264

    def encode(self, shot: Shot) -> bytes:
        """Annex B."""
        return b"".join(bytes(packet) for packet in self._context.encode(frame_of(shot)))


def _pixels(shot: Shot) -> str:
    return "yuv444p" if shot.colour else "yuv420p"


def frame_of(shot: Shot) -> av.VideoFrame:
    """For an encoder."""
    frame = av.VideoFrame.from_ndarray(shot.image(), "bgr24" if shot.colour else "gray")
    frame = frame.reformat(format=_pixels(shot))
    frame.pts, frame.time_base = round(90_000 * shot.stamp_s), Fraction(1, 90_000)
    return frame


class Transport:
    """MPEG-TS of shots. Where size, pixels or clock change a new stream begins, as where a sender is started anew."""

    def __init__(self) -> None:
        self._kind: object = None
        self._last_s = 0.0
        self._container: Any = None

    def encode(self, shot: Shot) -> bytes:
        kind = shot.size, shot.colour
        if kind != self._kind or not 0 < shot.stamp_s - self._last_s < 5:
            self._begin(shot)
        self._kind, self._last_s = kind, shot.stamp_s
        for packet in self._stream.encode(frame_of(shot)):
            self._container.mux(packet)
        data = self._out.getvalue()
        self._out.seek(0)
        self._out.truncate()
        return data

    def _begin(self, shot: Shot) -> None:
        self._out = io.BytesIO()
        self._container = av.open(_Endless(self._out), "w", format="mpegts", options={"flush_packets": "1"})
        self._stream = self._container.add_stream("libx264", rate=30)
        self._stream.height, self._stream.width = shot.size
        self._stream.pix_fmt = _pixels(shot)
        self._stream.codec_context.time_base = Fraction(1, 90_000)
        self._stream.codec_context.options = X264


class _Endless:
    """A file that can be written alone."""

    def __init__(self, out: io.BytesIO) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        return self._out.write(data)
