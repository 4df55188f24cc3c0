"""biplane.csv of a live recording: the rolling biplane EF of two feeds, a line each time that it changes."""

from __future__ import annotations

import csv
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from echo_rt.errors import output_errors
from echo_rt.fields import rounded, significant
from echo_rt.private import file_mode, make_folder

if TYPE_CHECKING:
    from echo_rt.result import Biplane

COLUMNS = ("time", "ef_percent", "ef_low", "ef_high", "pairs", "edv_ml", "esv_ml", "stale", "reason", "note")


def biplane_row(found: Biplane) -> dict[str, float | int | bool | str | None]:
    """The figure as plain values, by the names of `COLUMNS`; ``note`` says what is missing or doubtful."""
    ef = found.ef
    return {
        "ef_percent": rounded(ef.percent, 1),
        "ef_low": rounded(ef.low, 1),
        "ef_high": rounded(ef.high, 1),
        "pairs": len(found.beats),
        "edv_ml": significant(found.edv),
        "esv_ml": significant(found.esv),
        "stale": ef.stale,
        "reason": ef.reason,
        "note": "; ".join(filter(None, (found.volume_note, *found.doubts))) or None,
    }


class BiplaneLog:
    """Writes the file. An older one stays, and the new one has a number behind its name.

    Args:
        folder: made where it is missing.

    Attributes:
        path: of the file.

    Raises:
        OutputError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        number, self.path = 1, folder / "biplane.csv"
        with output_errors(folder):
            make_folder(folder)
            while self.path.exists() or self.path.is_symlink():
                number += 1
                self.path = folder / f"biplane-{number}.csv"
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file_mode())
            self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="", buffering=1)
        self._rows = csv.DictWriter(self._file, COLUMNS, lineterminator="\n")
        self._rows.writeheader()

    def write(self, found: Biplane) -> None:
        """Add a line; it is with the system at once.

        Raises:
            OutputError: it cannot be written.
        """
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        with output_errors(self.path):
            self._rows.writerow({"time": now, **biplane_row(found)})

    def close(self) -> None:
        """A second call does nothing."""
        with output_errors(self.path):
            self._file.close()
