"""What tells one piece of work from another: the recording as it is now, the model, the version and the options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from echo_rt.errors import DataError

FOLDER = "recordings"
"""Of the documents, in RESULTS."""

DIGITS = 16
"""Of a digest in a document's name: among a billion recordings two are alike once in 40 archives."""

BLOCK = 1 << 20
"""Bytes that are read at a time."""


@dataclass(frozen=True)
class Settings:
    """What decides on the result of a recording beside the recording itself.

    Attributes:
        model: SHA-256 of the model's file.
        version: of echo-rt.
        options: of `process` and of what is written, by their names.
    """

    model: str
    version: str
    options: Mapping[str, object]

    def key(self, recording: str, version: str) -> str:
        """The key of a recording, 32 hexadecimal digits.

        Args:
            recording: its address, or its pseudonym.
            version: what changes when its content does: an ETag, or size and time.
        """
        words = [recording, version, self.model, self.version, dict(self.options)]
        return _digest(json.dumps(words, sort_keys=True, ensure_ascii=True))[:32]


class Document(NamedTuple):
    """The name of a document in RESULTS, which says of which recording it is, and by which key."""

    recording: str
    key: str

    @classmethod
    def of(cls, recording: str, key: str) -> Document:
        """That of a recording, by its address or pseudonym."""
        return cls(_digest(recording)[:DIGITS], key[:DIGITS])

    @classmethod
    def named(cls, name: str) -> Document | None:
        """That of a name in RESULTS; None where it is no document's."""
        stem, _, suffix = name.rpartition("/")[2].partition(".")
        recording, _, key = stem.partition("-")
        found = cls(recording, key)
        return found if suffix == "json" and len(recording) == len(key) == DIGITS else None

    @property
    def name(self) -> str:
        """In RESULTS: folders of some hundred documents each, as some disks are slow with more."""
        return f"{FOLDER}/{self.recording[:2]}/{self.recording}-{self.key}.json"

    @property
    def files(self) -> str:
        """The folder of masks and overlay in RESULTS."""
        return f"files/{self.recording[:2]}/{self.recording}-{self.key}"


def parsed(content: bytes) -> dict[str, object]:
    """A document from its bytes.

    Raises:
        DataError: it is none, such as after a fault of the disk.
    """
    try:
        found = json.loads(content)
        if found["format"] == 1 and isinstance(found["recording"], str) and isinstance(found["key"], str):
            return dict(found)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise DataError("expected a document of echo-rt archive, found something else; remove it, and it is made anew")


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()
