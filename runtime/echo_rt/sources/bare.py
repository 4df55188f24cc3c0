"""Streams without a container: FFmpeg finds them by content, and so in the middle of anything."""

from __future__ import annotations

import re
from pathlib import Path

from av.container import InputContainer

_NO_TIMESTAMPS = 0x0080  # AVFMT_NOTIMESTAMPS: a bare stream of frames, to which FFmpeg gives 25 fps whatever it was

_CLOCKLESS = ("rawvideo", "image2", "image2pipe", "v210", "v210x", "bitpacked")
"""Others to which FFmpeg gives 25 fps."""

_START = rb"\0?\0\0\x01"

_STARTS = {
    "mjpeg": rb"\xff\xd8\xff",
    "jpeg_pipe": rb"\xff\xd8\xff",
    "mpjpeg": rb"(\r?\n)?--",
    # The type of the first unit: parameters, a delimiter, information or a picture that needs no other.
    "h264": _START + rb"[\x05-\x0f\x25-\x2f\x45-\x4f\x65-\x6f]",
    "hevc": _START + rb"[\x26\x28\x2a\x40\x42\x44\x46\x4e][\x00-\x07]",
    "vvc": _START + rb"[\x00-\x07][\x68-\xb8]",
    "m4v": rb"\0\0\x01[\x00-\x2f\xb0\xb2\xb5]",
    "mpegvideo": rb"\0\0\x01\xb3",
    "vc1": rb"\0\0\x01\x0f",
    "dirac": rb"BBCD",
    "dnxhd": rb"\0\0\x02\x80[\x01-\x03]",
    "obu": rb"\x12\0\x0a",
    "av1": rb"\x12\0\x0a",
    "cavsvideo": rb"\0\0\x01\xb0",
}
"""How each kind of bare stream begins."""


def is_clockless(container: InputContainer) -> bool:
    """Whether FFmpeg makes up the times of its frames."""
    name = container.format.name
    return bool(int(container.format.flags) & _NO_TIMESTAMPS) or name.endswith("_pipe") or name in _CLOCKLESS


def is_bare(name: str, head: bytes) -> bool:
    """Whether a file with these first bytes begins as FFmpeg's format `name`, rather than holding such a thing."""
    start = _STARTS.get(name)
    return start is not None and re.match(start, head, re.DOTALL) is not None


def has_delays(path: Path) -> bool:
    """Whether a GIF says how long its pictures stay. Where it does not, FFmpeg and browsers make up 0.1 s."""
    from PIL import Image

    try:
        with Image.open(path) as gif:
            gif.seek(1)  # the first picture is often a title, with a delay of its own
            return bool(gif.info.get("duration"))
    except Exception:  # noqa: BLE001 - Pillow raises what a damaged file happens to make it raise
        return True  # FFmpeg reads it, and counts its frames
