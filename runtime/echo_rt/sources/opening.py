"""From an address to the source behind it."""

from __future__ import annotations

import errno
import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from echo_rt.errors import ParameterError, SourceFormatError, SourceNotFoundError
from echo_rt.sources.base import Source, too_short
from echo_rt.sources.feed import FeedOptions
from echo_rt.sources.kinds import PICTURE, Kind, head_of, kind_of
from echo_rt.sources.known import DICOM_SUFFIXES, IMAGE_SUFFIXES, RECORDING, is_dicom
from echo_rt.sources.paths import expand_glob

# Two characters at least: "C:" is a drive.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_CAMERA = re.compile(r"\d{1,3}|/dev/video\d+")


def is_feed(uri: str) -> bool:
    """Whether an address is a feed that goes on by itself: a camera, a network stream or OpenIGTLink; no phantom is."""
    scheme = _scheme(uri)
    return is_camera(uri) or (scheme is not None and scheme in {*_NETWORK, "igtl"})


def _scheme(uri: str) -> str | None:
    """What an address begins with, in small letters; None of a path, and of a file that is named like an address."""
    scheme = _SCHEME.match(uri)
    return None if scheme is None or os.path.exists(uri) else scheme[1].lower()


def is_camera(uri: str) -> bool:
    """Whether it is the number of a camera or its device file; a file of that name is a recording."""
    return _CAMERA.fullmatch(uri) is not None and not os.path.isfile(uri) and not os.path.isdir(uri)


def open_source(uri: str | os.PathLike[str], fps: float | None = None, feed: FeedOptions | None = None) -> Source:
    """The source at `uri`; entering it opens the file or the feed.

    `uri` is a DICOM cine, a video, a sequence in NIfTI, MetaImage or NRRD, a folder of numbered images, a glob that
    matches one of these, a recording of `echo-rt live`, ``phantom:?ef=55&hr=70``, or a live feed: the number of a
    camera or its device file, ``rtsp://``, ``udp://`` or ``http://``, ``igtl://host:port``. What a file is, its content
    decides, not its name. `fps` replaces the clock of a recording; a folder of images has no other. `feed` is what a
    camera is asked for.

    Raises:
        ParameterError: `fps` is not a positive number, the scheme is unknown, or the glob matches several recordings.
        SourceNotFoundError: there is nothing at that path.
        SourceFormatError: it is not a recording. Most such errors come on entering the source, some with its frames.
    """
    text = os.fspath(uri)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ParameterError(
            f"--fps: expected a positive number of frames per second, found {fps}; "
            "leave it out to use the file's own clock"
        )
    scheme = _scheme(text)
    if is_camera(text):
        return _camera(text, feed or FeedOptions(fps=fps))
    if scheme in _FEEDS:
        if fps is not None:
            raise ParameterError(
                f"{text}: expected no --fps, found {fps:g}; it is for recordings, a feed has its own clock"
            )
        return _FEEDS[scheme](text)
    if os.path.exists(text):  # unlike Path.exists, False for a path that the system refuses
        return _open_recording(Path(text), fps)
    matches = expand_glob(text)
    if len(matches) == 1:
        return _open_recording(matches[0], fps)
    if matches:
        raise ParameterError(
            f"{text}: expected one recording, found {len(matches)} matches; give them to `echo-rt file`"
        )
    if scheme:
        known = ", ".join(f"{name}:" for name in sorted(_FEEDS))
        raise ParameterError(
            f"{text}: expected a path or an address that starts with {known}, found {scheme}:; check its spelling"
        )
    raise SourceNotFoundError(
        f"{text}: expected a recording, found nothing at that path; check its spelling and the current folder"
    )


def _open_recording(path: Path, fps: float | None) -> Source:
    # Each reader brings a library of its own, which takes longer to import than a short clip to read.
    if path.is_dir() and (path / RECORDING).is_file():
        from echo_rt.sources.recorded import Recorded

        return Recorded(path, fps)
    if path.is_dir():
        from echo_rt.sources.images import ImageFolder

        return ImageFolder(path, fps)
    dicom, kind = _look_at(path)
    suffix = path.suffix.lower()
    if kind is not None and kind.volume is not None:
        from echo_rt.sources.volumes.cine import VolumeCine

        return VolumeCine(path, kind, fps)
    if kind is not None and suffix in DICOM_SUFFIXES:
        raise SourceFormatError(f"{path}: expected a DICOM file, found {kind.name}; {kind.todo}")
    if dicom or suffix in DICOM_SUFFIXES:
        from echo_rt.sources.dicom import DicomCine

        return DicomCine(path, fps)
    if suffix in IMAGE_SUFFIXES and (kind is None or kind is PICTURE):
        raise _still(path)
    from echo_rt.sources.video import Video

    return Video(path, fps)


def _look_at(path: Path) -> tuple[bool, Kind | None]:
    """Whether a file is DICOM, and else what it is where it is no video."""
    try:
        dicom = is_dicom(path)
        return dicom, None if dicom else kind_of(head_of(path))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENXIO):  # of `open_regular`, and of a socket
            raise SourceFormatError(
                f"{path}: expected a file or a folder, found a pipe or a device; give a recording"
            ) from None
        raise SourceFormatError(
            f"{path}: expected a file that can be read, found: {error.strerror}; check its permissions"
        ) from None


def _still(path: Path) -> SourceFormatError:
    """The error for a picture, or for a stack of them."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            pages = int(getattr(image, "n_frames", 1))
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
        pages = 1
    if pages < 2:
        return too_short(path, 1)
    found = f"a stack of {pages} pictures in one file"
    return SourceFormatError(f"{path}: expected a recording, found {found}; save them as numbered images in a folder")


def _camera(uri: str, options: FeedOptions) -> Source:
    if sys.platform.startswith("linux"):
        from echo_rt.sources.v4l2_camera import V4l2Camera

        return V4l2Camera(uri, options)
    from echo_rt.sources.camera import Camera

    return Camera(uri, options)


def _phantom(uri: str) -> Source:
    from echo_rt.phantom import open_phantom

    return open_phantom(uri)


def _network(uri: str) -> Source:
    from echo_rt.sources.network import NetworkStream

    return NetworkStream(uri)


def _igtl(uri: str) -> Source:
    from echo_rt.sources.igtl import IgtlImages

    return IgtlImages(uri)


_NETWORK = ("rtsp", "rtsps", "udp", "http", "https")

_FEEDS: dict[str, Callable[[str], Source]] = {"phantom": _phantom, "igtl": _igtl, **dict.fromkeys(_NETWORK, _network)}
"""What opens an address, by its scheme. A new feed is one line here and imports its library inside the function."""
