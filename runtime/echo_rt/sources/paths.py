"""Files and folders: which of them are recordings."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from echo_rt.sources.known import is_numbered_image, sequence_of
from echo_rt.sources.trees import LocalTree, search

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def find_recordings(paths: Sequence[str | os.PathLike[str]]) -> list[Path | str]:
    """What a user typed, expanded to single recordings, in natural order (2 before 10) and each of them once.

    - A file stands for itself, and a glob for its matches; ``**`` goes through folders.
    - A folder of numbered images alone is one recording, and so is one that `echo-rt live --record` made. Any other is
      searched, with its folders, for DICOM files (known by their content), videos, sequences in NIfTI, MetaImage or
      NRRD, and such folders. Hidden files, DICOMDIR, masks, single images and results of `echo-rt file` are left out.
    - What is missing, cannot be read or holds nothing stays in the list: opening it gives its own error in a batch.
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
    return (Path(found.path) for found in search(LocalTree(), str(folder)))


def image_sequences(folder: Path) -> dict[str, list[Path]]:
    """The numbered images of a folder in natural order, by their `sequence_of`.

    Raises:
        OSError: the folder cannot be read.
    """
    sequences: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        if is_numbered_image(path.name) and not path.name.startswith("."):
            sequences.setdefault(sequence_of(path.name), []).append(path)
    return sequences


def natural_key(text: str) -> tuple[tuple[str, int, str], ...]:
    """Sorts ``frame2`` before ``frame10``."""
    parts = re.split(r"(\d+)", text)
    # Words and numbers alternate; the text itself decides between 1, 01 and 001.
    return tuple((word, int(number or 0), number) for word, number in zip(parts[::2], [*parts[1::2], ""], strict=True))
