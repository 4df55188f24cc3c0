"""Files and folders: which of them are recordings."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from echo_rt.sources.kinds import head_of, kind_of
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

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_NUMBER = re.compile(r"\d+(?=\D*$)")


def find_recordings(paths: Sequence[str | os.PathLike[str]]) -> list[Path | str]:
    """What a user typed, expanded to single recordings, in natural order (2 before 10) and each of them once.

    - A file stands for itself, and a glob for its matches; ``**`` goes through folders.
    - A folder of numbered images alone is one recording, and so is one that `echo-rt live --record` made. Any other is
      searched, with its folders, for DICOM files (known by their content), videos, sequences in NIfTI, MetaImage or
      NRRD, and such folders. Hidden files, DICOMDIR, masks, single images and results of `echo-rt file` are left out.
    - What is missing or holds nothing stays in the list: opening it gives its own error in a batch.
    - An address such as ``phantom:?ef=55`` is passed on as a string.
    """
    found: dict[str, Path | str] = {}
    for given in paths:
        text = os.fspath(given)
        for item in _expand(text):
            found.setdefault(item if isinstance(item, str) else os.path.realpath(item), item)
    return sorted(found.values(), key=lambda item: natural_key(str(item)))


def _expand(text: str) -> Iterable[Path | str]:
    path = Path(text)
    if text and os.path.isdir(text):
        return list(_search(path)) or [path]
    if os.path.exists(text):  # unlike Path.exists, False for a path that the system refuses
        return [path]
    if _URI.match(text):
        return [text]
    matches = expand_glob(text)
    if not matches:
        return [path]
    # A folder that a glob matched by the way, and that holds nothing, is not what the user meant.
    return [item for match in matches for item in (_search(match) if match.is_dir() else [match])] or [path]


def expand_glob(text: str) -> list[Path]:
    """The files and folders that a glob matches; empty where `text` is not a glob."""
    return [Path(match) for match in glob.glob(text, recursive=True)] if glob.has_magic(text) else []


def _search(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible = sorted(
            name for name in files if not name.startswith(".") and name.lower() not in ("thumbs.db", "desktop.ini")
        )
        if "summary.json" in visible and "readings.csv" in visible:
            continue  # a result of ours: its overlay.mp4 is not a recording
        if RECORDING in visible:
            folders[:] = []
            yield Path(where)
            continue
        if not folders and _only_numbered_images(visible):
            yield Path(where)
            continue
        yield from (path for name in visible if _is_recording(path := Path(where, name)))


def _is_recording(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES or suffix in DICOM_SUFFIXES:
        return True
    if (volume := _volume_suffix(path.name)) is not None:
        return not path.name[: -len(volume)].endswith(MASK_ENDINGS) and not _is_still(path)
    if suffix in IMAGE_SUFFIXES or path.name.upper() == "DICOMDIR":
        return False
    try:
        return is_dicom(path)
    except OSError:
        return False


def _volume_suffix(name: str) -> str | None:
    small = name.lower()
    return next((suffix for suffix in VOLUME_SUFFIXES if small.endswith(suffix)), None)


def _is_still(path: Path) -> bool:
    """Whether the header says that there is one frame; False where it cannot be read, so that opening it says why."""
    try:
        head = head_of(path)
    except OSError:
        return False
    kind = kind_of(head)
    # Colour has an axis too, and some writers add axes of length 1.
    return kind is not None and 0 < sum(length > MOST_CHANNELS for length in axes_of(head, kind)) <= 2


def is_dicom(path: Path) -> bool:
    """Whether the content of a file is DICOM: the preamble with DICM, or an early element of group 2 or 8.

    Raises:
        OSError: it cannot be read, or is a pipe or a device.
    """
    with open_regular(path) as file:
        head = file.read(132)
    if head[128:132] == b"DICM":
        return True
    # Files of old archives lack the preamble: group, element, then the value representation or a short length.
    group, element = int.from_bytes(head[0:2], "little"), int.from_bytes(head[2:4], "little")
    return (
        len(head) == 132
        and group in (0x0002, 0x0008)
        and element <= 0x0018
        and (head[4:6].isalpha() or head[6:8] == b"\0\0")
    )


def _only_numbered_images(names: list[str]) -> bool:
    return len(names) > 1 and all(
        Path(name).suffix.lower() in IMAGE_SUFFIXES and _NUMBER.search(Path(name).stem) for name in names
    )


def image_sequences(folder: Path) -> dict[str, list[Path]]:
    """The numbered images of a folder in natural order, by their name with ``#`` in place of the last number.

    Raises:
        OSError: the folder cannot be read.
    """
    sequences: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and _NUMBER.search(path.stem):
            sequences.setdefault(_NUMBER.sub("#", path.stem) + path.suffix, []).append(path)
    return sequences


def natural_key(text: str) -> tuple[tuple[str, int, str], ...]:
    """Sorts ``frame2`` before ``frame10``."""
    parts = re.split(r"(\d+)", text)
    # Words and numbers alternate; the text itself decides between 1, 01 and 001.
    return tuple((word, int(number or 0), number) for word, number in zip(parts[::2], [*parts[1::2], ""], strict=True))
