"""How far a run is: one line for people, one JSON object for logs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from echo_rt.archive.ledger import Ledger
from echo_rt.archive.work import FAILED, NO_EF, OK, SKIPPED

WINDOW_S = 60.0
"""Over which the rate is taken."""

WORDS = {OK: "with EF", NO_EF: "without EF", SKIPPED: "skipped", FAILED: "failed"}


@dataclass
class Progress:
    """What of a run is done, and how fast.

    Attributes:
        total: recordings that were listed.
        counts: of each status, those that an earlier run has finished included.
        kinds: of failures.
    """

    total: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    _marks: list[tuple[float, int]] = field(default_factory=list)  # when, and how many were done in this run
    _here: int = 0

    @classmethod
    def of(cls, ledger: Ledger) -> Progress:
        """At the start of a run."""
        counts = ledger.counts()
        counts.pop("waiting", None)
        made = cls(ledger.sizes()[0], counts, ledger.kinds())
        made._marks.append((time.monotonic(), 0))
        return made

    @property
    def done(self) -> int:
        """Recordings that are done, by this run or an earlier one."""
        return sum(self.counts.values())

    @property
    def rate(self) -> float:
        """Recordings a second in the last minute."""
        then_s, then = self._marks[0]
        return (self._here - then) / max(time.monotonic() - then_s, 1e-3)

    @property
    def left_s(self) -> float | None:
        """Seconds until all are done, at this rate; None before one is."""
        return (self.total - self.done) / self.rate if self._here and self.rate else None

    def add(self, status: str, kind: str | None) -> None:
        """A recording is done."""
        self.counts[status] = self.counts.get(status, 0) + 1
        if status == FAILED and kind:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self._here += 1
        now_s = time.monotonic()
        if now_s - self._marks[-1][0] > 1:
            self._marks.append((now_s, self._here))
        while len(self._marks) > 2 and self._marks[1][0] < now_s - WINDOW_S:
            self._marks.pop(0)

    def line(self) -> str:
        """For people."""
        parts = [f"{self.done}/{self.total} recordings", f"{self.rate:.1f}/s", f"{duration(self.left_s)} left"]
        parts += [f"{count} {WORDS[status]}" for status in WORDS if (count := self.counts.get(status))]
        if self.kinds:
            parts[-1] += " (" + ", ".join(f"{count} {kind}" for kind, count in self.kinds.items()) + ")"
        return "  ".join(parts)

    def to_json(self) -> str:
        """For logs."""
        left_s = self.left_s
        found: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "listed": self.total,
            "done": self.done,
            "recordings_per_s": round(self.rate, 3),
            "left_s": None if left_s is None else round(left_s),
            **{status.replace("-", "_"): self.counts.get(status, 0) for status in WORDS},
            "kinds": self.kinds,
        }
        return json.dumps(found)


def duration(seconds: float | None) -> str:
    """As in ``3 h 05 min``; a dash where it is not known."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
