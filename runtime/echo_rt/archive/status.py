"""How far an archive is, by its table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from echo_rt.archive.keys import FOLDER, Document
from echo_rt.archive.places import Place
from echo_rt.archive.table import read_rows
from echo_rt.archive.work import FAILED, STATUSES
from echo_rt.errors import OutputError


class Failure(NamedTuple):
    """A recording that failed."""

    recording: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Status:
    """What is in RESULTS.

    Attributes:
        counts: of recordings, by status.
        failed: in the order of their names.
        unwritten: documents that the table does not have yet: a run is under way, or was killed.
    """

    counts: dict[str, int]
    failed: list[Failure] = field(default_factory=list)
    unwritten: int = 0

    def line(self) -> str:
        """For people."""
        parts = [f"{self.counts[status]} {status}" for status in STATUSES]
        kinds = Counter(failure.kind for failure in self.failed).most_common()
        if kinds:
            parts[-1] += " (" + ", ".join(f"{count} {kind}" for kind, count in kinds) + ")"
        if self.unwritten:
            parts.append(f"{self.unwritten} not in the table yet")
        return f"{sum(self.counts.values())} recordings: " + ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        failed = [failure._asdict() for failure in self.failed]
        return {"recordings": self.counts, "unwritten": self.unwritten, "failed": failed}


def status_of(place: Place) -> Status:
    """That of RESULTS.

    Raises:
        OutputError: nothing is there.
    """
    counts = dict.fromkeys(STATUSES, 0)
    failed = []
    documents = 0  # that the table has: one that could not be reached leaves none
    there = sum(Document.named(name) is not None for name in place.names(FOLDER))
    for row in read_rows(place, ["recording", "status", "kind", "reason"]):
        counts[row["status"]] += 1
        if row["status"] == FAILED:
            failed.append(Failure(row["recording"], row["kind"] or "", row["reason"] or ""))
        documents += row["kind"] != "not reached"
    if not there and not sum(counts.values()):
        raise OutputError(f"{place.address}: expected the results of echo-rt archive, found none; check the address")
    return Status(counts, sorted(failed), max(0, there - documents))
