"""A folder of numbered images as a recording."""

from __future__ import annotations

import io
import math
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Image
from echo_rt.errors import ParameterError, SourceFormatError
from echo_rt.sources.base import MIN_FRAMES, Picture, Recording, in_words, too_short
from echo_rt.sources.levels import significant_bits, to_eight_bits
from echo_rt.sources.limits import Limits, limits, open_regular
from echo_rt.sources.paths import image_sequences

_OPENCV_LOG: Any = getattr(cv2.utils, "logging", cv2)  # OpenCV 4 has these functions at its top


LOOKS = 4
"""Images over the whole series whose levels are looked at before the first is shown."""

_ORIENTATION = 0x0112

_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    8: lambda image: np.rot90(image, 1),
}
"""What brings an image upright, by EXIF's number."""

_SCAN, MOST_SCANS = b"\xff\xda", 100
"""What begins a pass over a progressive JPEG, and how many there may be: each costs the time of a picture."""


class ImageFolder(Recording):
    """The numbered PNG, JPEG, BMP or TIFF images of a folder, in natural order and equally spaced in time by `fps`.

    Gaps in the numbers are not gaps in time: a series may be numbered by tens. Other files are left out. Transparency
    is dropped; of several pages the first is read. Images are turned as their EXIF data say. All are grey or in colour
    as the first one is: programs save a picture without colours as grey. 16 bits become 8 by a whole shift, found on a
    few of all. An image that is damaged is skipped and counted.

    Raises, when it is entered or read:
        ParameterError: no `fps` was given.
        SourceFormatError: there are fewer than two images or several series, one is of another size, or most are
            damaged.
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
        allowed = limits()
        bits = _bits(images, allowed)
        first: NDArray[np.unsignedinteger[Any]] | None = None
        damaged: list[tuple[str, SourceFormatError]] = []
        for index, path in enumerate(images):
            try:
                image = _read(path, allowed)
            except _Damaged as error:
                self.skipped += 1
                damaged.append((path.name, error))
                if 2 * self.skipped > len(images):
                    raise damaged[0][1] from None
                continue
            first = image if first is None else first
            if image.shape[:2] != first.shape[:2]:
                raise SourceFormatError(
                    f"{path}: expected {in_words(first.shape)} like the images before it, "
                    f"found {in_words(image.shape)}; remove or resize it"
                )
            eight = np.asarray(image, np.uint8) if image.dtype == np.uint8 else to_eight_bits(image, bits)
            yield index, index / fps, _like(first, eight)
        if self.skipped:
            self.notes.append(
                f"{self.skipped} of {len(images)} images cannot be read and are left out, first {damaged[0][0]}"
            )


class _Damaged(SourceFormatError):
    """An image that cannot be read."""


def _bits(images: list[Path], allowed: Limits) -> int:
    """How many the levels of 16-bit images need, by a few from all over the series: the first may be dark."""
    bits = 8
    for index in sorted({round(part * (len(images) - 1) / (LOOKS - 1)) for part in range(LOOKS)}):
        with suppress(SourceFormatError):
            if (image := _read(images[index], allowed)).dtype != np.uint16:
                continue
            bits = max(bits, significant_bits(image))
    return bits


def _like(first: NDArray[Any], image: Image) -> Image:
    """Grey or in colour as the first one is."""
    if image.ndim == first.ndim:
        return image
    code = cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_BGR2GRAY
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def _read(path: Path, allowed: Limits) -> NDArray[np.unsignedinteger[Any]]:
    """The image at `path`, (H, W) or (H, W, 3) BGR, uint8 or uint16, upright."""
    image, excess, turned = None, None, 1
    # Not cv2.imread: on Windows it knows ASCII paths only.
    with suppress(OSError, cv2.error), open_regular(path) as file:
        data = file.read(allowed.held_bytes)  # Pillow makes room for what a header says, where it reads a file
        count, turned = _header(io.BytesIO(data))
        if count is not None and (excess := allowed.pixels(count)) is None and _is_plain(data):
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if excess is not None:
        raise SourceFormatError(f"{path}: expected {excess.expected}, found {excess.found}; {excess.todo}")
    if image is None:
        raise _Damaged(
            f"{path}: expected an image, found a file that is damaged or of another format; remove it or copy it again"
        )
    if image.dtype not in (np.uint8, np.uint16):
        raise SourceFormatError(f"{path}: expected 8 or 16 bits a channel, found {image.dtype}; convert it to 8 bits")
    if turned in _UPRIGHT:
        image = _UPRIGHT[turned](image)
    return np.ascontiguousarray(image[..., :3] if image.ndim == 3 else image)


def _is_plain(data: bytes) -> bool:
    """Whether a JPEG has a usual number of passes, and a PNG ends with an empty chunk: OpenCV makes room for each."""
    if data.startswith(b"\xff\xd8"):
        return data.count(_SCAN) <= MOST_SCANS
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return True
    at = 8
    while at < len(data) and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return data[at : at + 4] == b"\0\0\0\0"


def _header(file: BinaryIO) -> tuple[int | None, int]:
    """How many pixels there are, without decoding, and EXIF's orientation; None where no header can be read."""
    from PIL import Image as Pillow
    from PIL import UnidentifiedImageError
    from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, ImageFileDirectory_v2

    with suppress(OSError, ValueError, SyntaxError, LookupError, struct.error):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
                image = Pillow.open(file)
                return math.prod(image.size), _orientation(image)
        except Pillow.DecompressionBombError as error:  # a limit of its own, above ours; its text has the number
            return max(int(number) for number in re.findall(r"\d+", str(error))), 1
        except UnidentifiedImageError:  # of a TIFF it reads some kinds of pixels alone
            file.seek(0)
            tags = ImageFileDirectory_v2(file.read(8))
            file.seek(tags.next)
            tags.load(file)
            return int(tags[IMAGELENGTH]) * int(tags[IMAGEWIDTH]), 1
    return None, 1


def _orientation(image: Any) -> int:
    """EXIF's number for the side that is up, 1 for an image that is upright or does not say so."""
    if image.format == "TIFF":  # OpenCV turns it by itself
        return 1
    if image.format == "PNG" and "exif" not in image.info:  # Pillow would decode the picture to find it behind it
        return 1
    with suppress(Exception):  # damaged EXIF data are none
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1
