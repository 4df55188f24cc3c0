"""Cameras and capture cards, by OpenCV."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from echo_rt.errors import ParameterError, SourceError, SourceNotFoundError
from echo_rt.sources.feed import Feed

if TYPE_CHECKING:
    from echo_rt.sources.feed import FeedOptions, FeedPicture

SYSTEM_LIST = Path("/sys/class/video4linux")
"""Where Linux lists cameras and capture cards."""

MOST_CAMERAS = 6
"""Where the system has no list of cameras, the first numbers are tried."""


class Camera(Feed):
    """A camera or a capture card: V4L2 on Linux, AVFoundation on macOS, Media Foundation on Windows.

    Size, rate and pixel format are asked for and read back; `note` says where the device chose otherwise. A frame's
    time is that of its arrival. On Linux `V4l2Camera` comes first, which knows the kernel's.

    Args:
        uri: the number of the device, or its device file.
        options: what it is asked for.

    Raises, when it is made, entered or read:
        ParameterError: a pixel format without four letters.
        SourceNotFoundError: there is no such device.
        SourceError: it cannot be opened, or gives no picture any more.
    """

    def __init__(self, uri: str, options: FeedOptions) -> None:
        super().__init__(uri)
        if options.pixel_format is not None and not re.fullmatch(r"[A-Za-z0-9]{4}", options.pixel_format):
            raise ParameterError(
                f"--pixel-format: expected four letters such as MJPG or YUYV, found {options.pixel_format!r}"
            )
        self.options = options
        self.spacing_note = "a camera does not say how large a pixel is"
        self._capture: cv2.VideoCapture | None = None

    def _open(self) -> None:
        number = int(re.sub(r"\D", "", self.uri))
        if sys.platform.startswith("linux"):
            check_device(Path(f"/dev/video{number}"))
        capture = self._capture = cv2.VideoCapture(number, backend())
        if not capture.isOpened():
            raise SourceError(
                f"{self.uri}: expected a camera, found a device that does not open; close other programs that use it, "
                f"or see `echo-rt doctor {self.uri}`"
            )
        options = self.options
        if options.pixel_format is not None:  # first: the sizes and rates on offer depend on it
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*options.pixel_format.upper()))
        if options.size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, options.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, options.size[1])
        if options.fps is not None:
            capture.set(cv2.CAP_PROP_FPS, options.fps)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self.fps = capture.get(cv2.CAP_PROP_FPS) or None
        given = {
            "pixel format": int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1").strip("\0 "),
            "size": f"{capture.get(cv2.CAP_PROP_FRAME_WIDTH):.0f}x{capture.get(cv2.CAP_PROP_FRAME_HEIGHT):.0f}",
            "rate": f"{self.fps or 0:g} fps",
        }
        self.note = otherwise(options, given)

    def _pictures(self) -> Iterator[FeedPicture]:
        assert self._capture is not None
        while True:
            read, image = self._capture.read()
            if not read:
                raise SourceError(
                    f"{self.uri}: expected a picture from the camera, found none; check its cable and its signal"
                )
            yield np.asarray(image, np.uint8), None, None

    def _close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def otherwise(options: FeedOptions, given: dict[str, str]) -> str | None:
    """One line on what a camera gives instead of what it was asked for, or None.

    Args:
        options: what it was asked for.
        given: its pixel format, size and rate, by these names.
    """
    wanted = {
        "pixel format": options.pixel_format and options.pixel_format.upper(),
        "size": options.size and f"{options.size[0]}x{options.size[1]}",
        "rate": options.fps and f"{options.fps:g} fps",
    }
    other = [
        f"{name} {given[name]} instead of {asked}" for name, asked in wanted.items() if asked and given[name] != asked
    ]
    return f"the camera gives {', '.join(other)}" if other else None


def _said(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # unplugged in this moment
        return ""


def backend() -> int:
    """OpenCV's number for the system's own interface to cameras; asking for any lets it try files and network too."""
    return {"linux": cv2.CAP_V4L2, "darwin": cv2.CAP_AVFOUNDATION, "win32": cv2.CAP_MSMF}.get(sys.platform, cv2.CAP_ANY)


def check_device(device: Path) -> None:
    """See that a device file of Linux is there and may be used.

    Raises:
        SourceNotFoundError, SourceError: it is not, and what to do.
    """
    if not device.exists():
        found = ", ".join(address for address, _ in cameras()) or "none"
        raise SourceNotFoundError(
            f"{device}: expected a camera, found no such device; connected are: {found}; check cable and driver"
        )
    if not os.access(device, os.R_OK | os.W_OK):
        raise SourceError(
            f"{device}: expected permission to use the camera, found none; add yourself to its group "
            "(sudo usermod -aG video $USER) and log in again"
        )


def cameras() -> list[tuple[str, str]]:
    """Address and name of each camera and capture card that is connected."""
    if sys.platform.startswith("linux"):
        entries = sorted(SYSTEM_LIST.glob("video*"), key=lambda path: int(path.name[5:]))
        # A device has a node for pictures and others for metadata; the first is the one for pictures.
        return [(f"/dev/{entry.name}", _said(entry / "name")) for entry in entries if _said(entry / "index") == "0"]
    found = []
    for number in range(MOST_CAMERAS):
        capture = cv2.VideoCapture(number, backend())
        if capture.isOpened():
            found.append((str(number), f"camera {number}"))
        capture.release()
    return found


def offered_modes(address: str) -> list[str]:
    """Pixel formats, sizes and rates that a camera offers, a line each; one line says why where they are not known.

    Linux alone can be asked without opening the camera; elsewhere there is nothing to say.
    """
    if not sys.platform.startswith("linux"):
        return []
    from echo_rt.sources.v4l2 import modes

    try:
        return [str(mode) for mode in modes(Path(address))] or ["the driver lists no modes"]
    except OSError as error:
        return [f"its modes are not known: {error.strerror or error}"]
