"""Every fault that a feed can have, times every kind of feed: what comes of each.

    PYTHONPATH=tests python -m robustness.live_faults [--only KIND]

prints the table of docs/robustness.md. It takes about five minutes, most of them waiting: servers are real and so is
their time. A capture card stands in for a camera, on a clock of its own, as do recordings.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from robustness import live_shots as shots
from robustness.live_harness import (
    AFTER,
    DEVICES,
    RECORDED,
    SERVERS,
    Outcome,
    run_camera,
    run_phantom,
    run_recorded,
    run_server,
)

KINDS = (*DEVICES, *RECORDED)

PROMISED_S = 2.0
"""A feed is back so soon after the fault has passed."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with a feed.

    Attributes:
        name: what the feed does, after "a camera that".
        change, lasts_s: what becomes of its shots, and for how long; 0 s for ever.
        absent: the kinds of feed that cannot have it, each with the reason in a word.
        over: the kinds that end by it.
    """

    name: str
    change: shots.Change
    lasts_s: float
    absent: Mapping[str, str] = field(default_factory=dict)
    over: tuple[str, ...] = ()


_DRAWN = {"phantom": "drawn"}
_STAMPED = {"camera": "clockless", **_DRAWN}
_IN_ORDER = {**_STAMPED, "recording": "ordered"}

FAULTS = (
    Fault("dies", shots.dies, 1.0, over=RECORDED),
    Fault("is gone for long", shots.dies, 20.0, dict.fromkeys(RECORDED, "over")),
    Fault("stalls", shots.stalls, 5.0),
    Fault("comes in bursts", shots.bursts, 3.0, dict.fromkeys(RECORDED, "paced")),
    Fault("changes size", shots.changes_size, 0.0, {**_DRAWN, "recording": "split"}, over=("video file",)),
    Fault("changes its pixels", shots.changes_format, 0.0, {**_DRAWN, "recording": "split"}),
    Fault("halves its rate", shots.changes_rate, 0.0, _DRAWN),
    Fault("leaps an hour ahead", shots.leaps_ahead, 0.0, _STAMPED),
    Fault("leaps 6 s ahead", shots.leaps_a_little, 0.0, _STAMPED),
    Fault("leaps an hour back", shots.leaps_back, 0.0, _IN_ORDER),
    Fault("slips 0.3 s back", shots.slips_back, 0.0, _IN_ORDER),
    Fault("gives each picture twice", shots.repeats, 2.0, _DRAWN),
    Fault("gives garbage", shots.garbage, 1.0, _DRAWN),
)


@dataclass(frozen=True)
class Cell:
    """A kind of feed with a fault."""

    kind: str
    fault: Fault

    def __str__(self) -> str:
        return f"{self.kind} that {self.fault.name}"

    @property
    def over(self) -> bool:
        """Whether the feed ends by it."""
        return self.kind in self.fault.over

    def run(self, folder: Path, quick: float = 1.0) -> Outcome:
        """Let it happen; on a real server so much quicker."""
        fault, stalls = self.fault, self.fault.change is shots.stalls
        if self.kind in SERVERS:
            return run_server(self.kind, fault.change, fault.lasts_s / quick, folder)
        if self.kind == "camera":
            return run_camera(fault.change, fault.lasts_s, folder)
        if self.kind == "phantom":
            return run_phantom(fault.lasts_s, folder, stalls)
        return run_recorded(self.kind, fault.change, fault.lasts_s, folder, stalls)

    def faults(self, outcome: Outcome) -> list[str]:
        """What is not as promised, but for how soon it is back."""
        counts, found = outcome.status.counts, [f"shown as current: {what}" for what in sorted(set(outcome.wrong))]
        if self.kind in RECORDED and (outcome.ended is None or "\n" in outcome.ended):
            found.append(f"expected it to end in a line, found {outcome.ended!r}")
        if self.kind in DEVICES and outcome.ended is not None:
            found.append(f"ended: {outcome.ended}")
        if not self.over and (outcome.recovered_s is None or outcome.good_after < AFTER):
            found.append("never back")
        kept = outcome.recorded + counts.lost.get("recorder", 0)
        if kept != counts.frames:
            found.append(f"{counts.frames} readings, of which {kept} are recorded or counted as lost")
        # The frame that is on its way when a source is left is nobody's.
        read = counts.frames + counts.dropped_frames
        on_their_way = counts.reopened + 1 if self.kind == "camera" else 0
        if outcome.given is not None and not 0 <= outcome.given - read <= on_their_way:
            found.append(f"{outcome.given} frames given, {read} read or counted as dropped")
        return found


CELLS = tuple(Cell(kind, fault) for fault in FAULTS for kind in KINDS if kind not in fault.absent)


def said(cell: Cell, outcome: Outcome) -> str:
    """The outcome in the table."""
    if wrong := cell.faults(outcome):
        return "**" + "; ".join(wrong) + "**"
    if cell.over:
        return "ends in one line" if outcome.ended else "ends, as it is over"
    assert outcome.recovered_s is not None
    return f"back in {outcome.recovered_s:.1f} s"


def main() -> None:
    from robustness.live_sinks import SINKS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=(*KINDS, "outputs"), help="this kind of feed alone")
    only = parser.parse_args().only
    kinds = [kind for kind in KINDS if only in (None, kind)]
    slow = []
    if kinds:
        print("| a feed that | " + " | ".join(kinds) + " |\n" + "|---" * (1 + len(kinds)) + "|")
        for fault in FAULTS:
            row = []
            for kind in kinds:
                if kind in fault.absent:
                    row.append(f"absent: {fault.absent[kind]}")
                    continue
                cell = Cell(kind, fault)
                with tempfile.TemporaryDirectory() as folder:
                    outcome = cell.run(Path(folder))
                row.append(said(cell, outcome))
                slow += [str(cell)] * (not cell.over and (outcome.recovered_s or 0) > PROMISED_S)
            print(f"| {fault.name} | " + " | ".join(row) + " |", flush=True)
        print(f"\nback later than {PROMISED_S:g} s: {', '.join(slow) or 'none'}")
    if only in (None, "outputs"):
        print("\n| outputs | what came of it |\n|---|---|")
        for name, run in SINKS.items():
            with tempfile.TemporaryDirectory() as folder:
                print(f"| {name} | {run(Path(folder))} |", flush=True)


if __name__ == "__main__":
    main()
