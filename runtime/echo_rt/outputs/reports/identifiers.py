"""UIDs that are made of what they name, and who made an object."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from echo_rt.result import RecordingResult

SCHEME, SCHEME_NAME = "99ECHORT", "echo-rt measures, docs/measures.md"
"""Of the codes of measures for which no standard has one."""

MAKER, RESEARCH = "echo-rt", "For research. Not a medical device."


def made_up_uid(*words: str) -> str:
    """The UID of these words: the same for the same words, under the root for UUIDs (PS3.5 B.2)."""
    digest = hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()
    return f"2.25.{int(digest[:32], 16)}"


def figures_uid(kind: str, result: RecordingResult, *more: str) -> str:
    """The UID of what is made of a result: another for another recording, version, model or figure.

    How long the frames took is no part of it, so that an archive that gets the same result twice keeps it once.
    """
    found = result.to_dict()
    for view in (found, *(found[name] for name in ("a4c", "a2c") if name in found)):
        del view["latency_ms"]
    return made_up_uid(kind, json.dumps(found, sort_keys=True), *more)


@dataclass(frozen=True, slots=True)
class Maker:
    """The program and the model that found the figures.

    Attributes:
        model: name and version of the model.
        software: of echo-rt.
    """

    model: str
    software: str

    @classmethod
    def of(cls, result: RecordingResult) -> Maker:
        return cls(result.provenance.model, result.provenance.version)

    @property
    def uid(self) -> str:
        """Of the device: the same for the same program and model."""
        return made_up_uid("device", self.software, self.model)

    @property
    def serial(self) -> str:
        """A serial number, which DICOM asks for: of this program and this model."""
        return self.uid.rpartition(".")[2][:16]

    @property
    def algorithm(self) -> tuple[str, str]:
        """Name and version of the model."""
        name, _, version = self.model.rpartition(" ")
        return (name, version) if name else (self.model, self.software)
