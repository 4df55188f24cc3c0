"""Whose results lie in a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from echo_rt.provenance import recording_id

SUMMARY = "summary.json"

UNKNOWN = "an unknown recording"


class Owner(NamedTuple):
    """The recording that results are of: its address, and `recording_id`, None where an older echo-rt wrote them."""

    recording: str
    id: str | None

    @classmethod
    def named(cls, recording: str) -> Owner:
        """Of results of that recording."""
        return cls(recording, recording_id(recording))

    @classmethod
    def read(cls, path: Path) -> Owner | None:
        """Named in a JSON file; None where there is none. A file that says nothing belongs to `UNKNOWN`."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            recording, known = found["recording"], found.get("recording_id")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls(UNKNOWN, "")
        return cls(str(recording), None if known is None else str(known))

    def is_(self, recording: str) -> bool:
        """Whether it is that recording."""
        if self.id is not None:
            return self.id == recording_id(recording)
        return recording in (self.recording, os.path.realpath(self.recording)) or (
            os.path.isabs(self.recording) and os.path.realpath(self.recording) == os.path.realpath(recording)
        )

    def write(self, path: Path) -> None:
        """Leave its name there, as a summary.json has it."""
        path.write_text(json.dumps({"recording": self.recording, "recording_id": self.id}), encoding="utf-8")


def owner_of(folder: Path) -> Owner | None:
    """Whose results lie in a folder; None where there are none that are whole."""
    return Owner.read(folder / SUMMARY)
