"""Where the figures of a recording come from."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import asdict, dataclass
from typing import Any

FOUND, FILLS, ASKED, NOT_FOUND = (
    "found by its motion",
    "the ultrasound fills the picture",
    "as asked for",
    "no moving ultrasound found",
)
ROI_FINDINGS = (FOUND, FILLS, ASKED, NOT_FOUND)
"""How the region of interest came about. By the first and the third the picture was cut, by the others it was not."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose recording it is, by its header: digests, which can be compared and say nothing of the patient.

    Attributes:
        patient: of the patient's ID, or of the name where there is none; None where the header has neither.
        study: of the study's UID; None without one.
    """

    patient: str | None = None
    study: str | None = None

    @classmethod
    def of(cls, patient: str, study: str) -> Identity:
        """That of these words, of which any may be empty."""
        return cls(*(_digest(word.encode()) if word else None for word in (patient.casefold(), study)))


@dataclass(frozen=True, slots=True)
class Roi:
    """The region of interest: the rectangle of the recording's pictures that was looked at, in their pixels.

    Attributes:
        x, y: its first column and row.
        width, height: its size.
        found: how it came about, one of `ROI_FINDINGS`.
    """

    x: int
    y: int
    width: int
    height: int
    found: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RulerScale:
    """The scale of a screen, read from the ruler beside the sector.

    Attributes:
        mm_per_px: height and width of a pixel of the screen: pixels are taken for square.
        error_percent: of `mm_per_px`, within which it is 95 % of the time.
        depth_mm: of the sector, from its tip to its bottom.
    """

    mm_per_px: float
    error_percent: float
    depth_mm: float


AS_RECORDED, TURNED = "as recorded", "turned upside down"
ORIENTATIONS = (AS_RECORDED, TURNED)
"""What was done with the frames of a recording, so that the apex is at the top."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the figures of a recording come from.

    Attributes:
        recording: its path or address.
        model, engine, version: of the model, the engine and echo-rt, for people.
        view: ``A4C`` or ``A2C``, as the recording says or as the model saw it in most usable frames; None if unknown.
        spacing_note: why the scale is not known, or what is odd about it.
        notes: what of the recording is not as it says, a line each; see `Source.notes`.
        roi: the part of its pictures that was looked at; None where it was not looked for.
        orientation: what was done with the frames, one of `ORIENTATIONS`.
        ef_calibration: slope and offset that every EF by volumes went through; None for none.
        ruler: the scale, where it was read from the ruler on the screen.
        ecg_heart_rate_bpm: by the ECG on the screen; None where none was read.
    """

    recording: str
    model: str
    engine: str
    version: str
    view: str | None = None
    spacing_note: str | None = None
    notes: tuple[str, ...] = ()
    roi: Roi | None = None
    orientation: str = AS_RECORDED
    ef_calibration: tuple[float, float] | None = None
    ruler: RulerScale | None = None
    ecg_heart_rate_bpm: float | None = None

    @property
    def recording_id(self) -> str:
        """Tells the recording from others of its name, see `recording_id`."""
        return recording_id(self.recording)


def recording_id(recording: str) -> str:
    """The same for every way to write the path of one recording, from whatever folder; another for any other.

    It is 16 digits of a checksum: the whole path would tell what its folders are called.
    """
    address = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", recording) and not os.path.exists(recording)
    path = recording if address else os.path.normcase(os.path.realpath(recording))
    return _digest(os.fsencode(path))


def _digest(words: bytes) -> str:
    return hashlib.sha256(words).hexdigest()[:16]
