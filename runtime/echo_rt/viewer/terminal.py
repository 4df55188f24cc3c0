"""One line of figures on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from echo_rt.errors import printable
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.logs import quiet
from echo_rt.measures import Rolling

if TYPE_CHECKING:
    from echo_rt.result import Biplane

RENEWED_S = 1.0


class TerminalViewer:
    """See `echo_rt.live.outputs.Viewer`. The line is renewed every second; where nobody looks, only as the phase
    changes.

    Args:
        name: of the feed, where there are several.
    """

    def __init__(self, name: str = "") -> None:
        self._before = f"{name}: " if name else ""
        self._console = Console(stderr=True, soft_wrap=True)
        self._told: tuple[Phase | None, str] = (None, "")
        self._told_s = -1.0

    def show(self, update: LiveUpdate) -> None:
        """See `Viewer`."""
        if quiet():
            return
        status = update.status
        due = self._console.is_terminal and status.t_wall_s - self._told_s >= RENEWED_S
        if due or (status.phase, status.message) != self._told:
            self._told, self._told_s = (status.phase, status.message), status.t_wall_s
            self._console.print(
                printable(self._before + status_text(update)), markup=False, highlight=False, emoji=False
            )

    def close(self) -> None:
        """Nothing is held."""


class BiplaneLine:
    """Says what two views come to: each change where somebody looks, else only as it comes, goes or gets old."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, soft_wrap=True)
        self._told: tuple[bool, bool] | None = None

    def tell(self, found: Biplane) -> None:
        """A new figure."""
        kind = found.ef.percent is None, found.ef.stale
        if self._console.is_terminal or kind != self._told:
            self._told = kind
            self._console.print(printable(biplane_text(found)), markup=False, highlight=False, emoji=False)


def status_text(update: LiveUpdate) -> str:
    """How a feed is, and what it shows, in one line."""
    status, reading = update.status, update.reading
    parts = [status.phase.value]
    if reading is not None and status.phase is Phase.RUNNING:
        ef = reading.ef
        if ef.percent is None:
            parts.append(f"no EF: {ef.reason}")
        else:
            interval = "" if ef.low is None or ef.high is None else f" ({ef.low:.0f}-{ef.high:.0f})"
            parts.append(f"EF {ef.percent:.0f} %{interval}" + (f", {ef.reason}" if ef.stale else ""))
            parts += [] if ef.stale else _beside(reading.rolling)
        if reading.heart_rate_bpm is not None:
            parts.append(f"{reading.heart_rate_bpm:.0f} bpm")
        parts.append("usable" if reading.quality.ok else f"not used: {reading.quality.reason}")
        parts += status.timing.texts()
    if dropped := status.counts.dropped_frames:
        parts.append(f"{dropped} dropped")
    return "  ".join(filter(None, (*parts, status.message)))


def biplane_text(found: Biplane) -> str:
    """What two views come to, in one line."""
    ef = found.ef
    if ef.percent is None:
        return f"biplane: no EF: {ef.reason}"
    parts = [f"biplane: EF {ef.percent:.0f} % ({ef.low:.0f}-{ef.high:.0f})", f"{len(found.beats)} pairs of beats"]
    if found.edv is not None and found.esv is not None:
        parts.append(f"EDV {found.edv:.0f} mL  ESV {found.esv:.0f} mL")
    return "  ".join([*parts, *filter(None, (f"not current: {ef.reason}" if ef.stale else None, *found.doubts))])


def _beside(rolling: Rolling) -> list[str]:
    """Longitudinal strain and stroke volume, where they are known."""
    found = []
    if (strain := rolling.strain_percent) is not None:
        found.append(f"LS {strain:.0f} %")
    found += [f"SV {figure.value:.0f} mL" for figure in rolling.known if figure.measure.name == "sv"]
    return found
