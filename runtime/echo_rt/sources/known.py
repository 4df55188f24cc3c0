"""What tells a recording from other files: its name, its first bytes, and what lies beside it."""

from __future__ import annotations

import re
from os.path import splitext  # pathlib would keep what it saw of 100,000 names
from pathlib import Path

from echo_rt.sources.kinds import HEAD_BYTES, kind_of
from echo_rt.sources.limits import open_regular
from echo_rt.sources.volumes.axes import MOST_CHANNELS, axes_of

DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    ".avi .mp4 .m4v .mkv .mov .webm .wmv .asf .mpg .mpeg .mpe .m2v .vob .ts .m2ts .mts .gif .ogv .flv .3gp .mxf".split()
)
VOLUME_SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")
MASK_ENDINGS = ("_gt", ".seg")
"""How the names of masks end before their suffix: those of CAMUS, and the segmentations of 3D Slicer."""

RECORDING = "recording.json"
"""What a folder holds that `echo-rt live --record` made: such a folder is one recording."""

RESULT = frozenset({"summary.json", "readings.csv"})
"""What a folder of results of `echo-rt file` holds: its overlay.mp4 is not a recording."""

ARCHIVE = "echo-rt-archive.json"
"""What the folder of results of `echo-rt archive` holds: nothing in it is a recording."""

DICOMDIR = "DICOMDIR"
"""The table of contents of a DICOM disk, in capitals or not."""

DICOM_HEAD_BYTES = 132

_OF_THE_SYSTEM = frozenset({"thumbs.db", "desktop.ini", "lost+found", "$recycle.bin", "system volume information"})
_NUMBER = re.compile(r"\d+(?=\D*$)")


def is_visible(name: str) -> bool:
    """Whether a file or folder is for people, and not hidden or the system's own."""
    return not name.startswith(".") and name.lower() not in _OF_THE_SYSTEM


def by_name(name: str) -> bool | None:
    """Whether a file of that name is a recording; None where its first `head_bytes` decide."""
    suffix = splitext(name)[1].lower()
    if suffix in VIDEO_SUFFIXES or suffix in DICOM_SUFFIXES:
        return True
    if (volume := _volume_suffix(name)) is not None:
        return False if name[: -len(volume)].endswith(MASK_ENDINGS) else None
    return False if suffix in IMAGE_SUFFIXES or name.upper() == DICOMDIR else None


def head_bytes(name: str) -> int:
    """How many of the first bytes of a file of that name `by_head` looks at."""
    return HEAD_BYTES if _volume_suffix(name) is not None else DICOM_HEAD_BYTES


def by_head(name: str, head: bytes | None) -> bool:
    """Whether a file with these first bytes, None where they cannot be read, is a recording."""
    if _volume_suffix(name) is None:
        return head is not None and is_dicom_head(head[:DICOM_HEAD_BYTES])
    # Opening one that cannot be read says why.
    return head is None or not _is_still(head)


def _volume_suffix(name: str) -> str | None:
    small = name.lower()
    return next((suffix for suffix in VOLUME_SUFFIXES if small.endswith(suffix)), None)


def _is_still(head: bytes) -> bool:
    """Whether the header of a volume says that there is one frame."""
    kind = kind_of(head)
    # Colour has an axis too, and some writers add axes of length 1.
    return kind is not None and 0 < sum(length > MOST_CHANNELS for length in axes_of(head, kind)) <= 2


def is_dicom(path: Path) -> bool:
    """Whether the content of a file is DICOM, see `is_dicom_head`.

    Raises:
        OSError: it cannot be read, or is a pipe or a device.
    """
    with open_regular(path) as file:
        return is_dicom_head(file.read(DICOM_HEAD_BYTES))


def is_dicom_head(head: bytes) -> bool:
    """Whether a file begins as DICOM does: with the preamble and DICM, or with an early element of group 2 or 8."""
    if head[128:132] == b"DICM":
        return True
    # Files of old archives lack the preamble: group, element, then the value representation or a short length.
    group, element = int.from_bytes(head[0:2], "little"), int.from_bytes(head[2:4], "little")
    return (
        len(head) == DICOM_HEAD_BYTES
        and group in (0x0002, 0x0008)
        and element <= 0x0018
        and (head[4:6].isalpha() or head[6:8] == b"\0\0")
    )


def is_numbered_image(name: str) -> bool:
    """Whether a file of that name may be one of the frames of a folder."""
    stem, suffix = splitext(name)
    return suffix.lower() in IMAGE_SUFFIXES and _NUMBER.search(stem) is not None


def sequence_of(name: str) -> str:
    """What the numbered images of one sequence share: their name with ``#`` in place of the last number."""
    stem, suffix = splitext(name)
    return _NUMBER.sub("#", stem) + suffix.lower()
