"""A folder of numbered images as a recording."""

from __future__ import annotations

import io
import math
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import ParameterError, SourceFormatError
from echo_rt.sources.base import MIN_FRAMES, Picture, Recording, in_words, too_short
from echo_rt.sources.levels import significant_bits, to_eight_bits
from echo_rt.sources.limits import Limits, limits, open_regular
from echo_rt.sources.paths import image_sequences

_OPENCV_LOG: Any = getattr(cv2.utils, "logging", cv2)  # OpenCV 4 has these functions at its top


_SCAN, MOST_SCANS = b"\xff\xda", 100
"""What begins a pass over a progressive JPEG, and how many there may be: each costs the time of a picture."""


class ImageFolder(Recording):
    """The numbered PNG, JPEG, BMP or TIFF images of a folder, in natural order and equally spaced in time by `fps`.

    Gaps in the numbers are not gaps in time: a series may be numbered by tens. Other files are left out. Transparency
    is dropped; of several pages the first is read; 16 bits become 8 by a whole shift, found on the first image.

    Raises, when it is entered or read:
        ParameterError: no `fps` was given.
        SourceFormatError: there are fewer than two images or several series, or one is damaged or of another size.
    """

    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        try:
            sequences = image_sequences(self.path)
        except OSError as error:
            raise SourceFormatError(
                f"{self.path}: expected a folder that can be read, found: {error.strerror}; check its permissions"
            ) from None
        if len(sequences) > 1:
            found = f"{len(sequences)} ({', '.join(list(sequences)[:3])})"
            raise self._error("one series of numbered images", found, "put each into a folder of its own")
        images = next(iter(sequences.values()), [])
        if not images:
            expected = "a folder of numbered images (png, jpg, bmp, tif)"
            raise self._error(expected, "none", "`echo-rt file` searches a folder for recordings")
        if len(images) < MIN_FRAMES:
            raise too_short(self.path, len(images))
        if self._given_fps is None:
            raise ParameterError(
                f"{self.path}: expected the frame rate of the images, which carry none; "
                "give it with --fps, as in --fps 50"
            )
        self.frames = len(images)
        self.spacing_note = "images do not say how large a pixel is"
        # OpenCV prints what it dislikes about an image; the error says it.
        resources.callback(_OPENCV_LOG.setLogLevel, _OPENCV_LOG.getLogLevel())
        _OPENCV_LOG.setLogLevel(0)
        return self._pictures(images, self._given_fps)

    def _pictures(self, images: list[Path], fps: float) -> Iterator[Picture]:
        bits: int | None = None
        size: tuple[int, ...] | None = None
        allowed = limits()
        for index, path in enumerate(images):
            image = _read(path, allowed)
            size = size or image.shape
            if image.shape != size:
                raise SourceFormatError(
                    f"{path}: expected {in_words(size)} like {images[0].name}, found {in_words(image.shape)}; "
                    "remove or resize it"
                )
            bits = bits or (significant_bits(image) if image.dtype == np.uint16 else 8)
            eight = np.asarray(image, np.uint8) if image.dtype == np.uint8 else to_eight_bits(image, bits)
            yield index, index / fps, eight


def _read(path: Path, allowed: Limits) -> NDArray[np.unsignedinteger[Any]]:
    """The image at `path`, (H, W) or (H, W, 3) BGR, uint8 or uint16."""
    image, excess = None, None
    # Not cv2.imread: on Windows it knows ASCII paths only.
    with suppress(OSError, cv2.error), open_regular(path) as file:
        data = file.read(allowed.held_bytes)  # Pillow makes room for what a header says, where it reads a file
        count = _pixels(io.BytesIO(data))
        if count is not None and (excess := allowed.pixels(count)) is None and _is_plain(data):
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if excess is not None:
        raise SourceFormatError(f"{path}: expected {excess.expected}, found {excess.found}; {excess.todo}")
    if image is None:
        raise SourceFormatError(
            f"{path}: expected an image, found a file that is damaged or of another format; remove it or copy it again"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise SourceFormatError(f"{path}: expected 8 or 16 bits a channel, found {image.dtype}; convert it to 8 bits")
    return np.ascontiguousarray(image[..., :3]) if image.ndim == 3 else np.asarray(image)


def _is_plain(data: bytes) -> bool:
    """Whether a JPEG has a usual number of passes, and a PNG no chunk beyond its end: OpenCV makes room for each."""
    if data.startswith(b"\xff\xd8"):
        return data.count(_SCAN) <= MOST_SCANS
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return True
    at = 8
    while at < len(data) and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return at < len(data)


def _pixels(file: BinaryIO) -> int | None:
    """How many there are by the header, without decoding; None where there is none that can be read."""
    from PIL import Image, UnidentifiedImageError
    from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, ImageFileDirectory_v2

    with suppress(OSError, ValueError, SyntaxError, LookupError, struct.error):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                return math.prod(Image.open(file).size)
        except Image.DecompressionBombError as error:  # a limit of its own, above ours; its text has the number
            return max(int(number) for number in re.findall(r"\d+", str(error)))
        except UnidentifiedImageError:  # of a TIFF it reads some kinds of pixels alone
            file.seek(0)
            tags = ImageFileDirectory_v2(file.read(8))
            file.seek(tags.next)
            tags.load(file)
            return int(tags[IMAGELENGTH]) * int(tags[IMAGEWIDTH])
    return None
