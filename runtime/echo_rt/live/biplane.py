"""A four- and a two-chamber feed of one heart: the rolling biplane EF of both."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from echo_rt.cardiac.biplane import no_biplane
from echo_rt.cardiac.ejection_fraction import BEATS, WITHDRAWN_S
from echo_rt.cardiac.two_views import Pictures, ViewEvidence
from echo_rt.errors import ParameterError
from echo_rt.provenance import Identity
from echo_rt.reading import APICAL_VIEWS
from echo_rt.together import joint

if TYPE_CHECKING:
    from echo_rt.frame import Frame
    from echo_rt.model import ModelSpec
    from echo_rt.reading import Beat, EjectionFraction, Reading
    from echo_rt.result import Biplane

SEEN = 300
"""The last usable frames of a feed, in which the model's view of it is counted: some ten seconds."""

WAITING = "waiting for the first readings of both views"


def check_two(feeds: int, ef_method: str) -> None:
    """See that a biplane EF can be made of these feeds.

    Raises:
        ParameterError: there are more than two, or fewer, or their EF is not made of disks.
    """
    if feeds != 2:
        raise ParameterError(f"biplane: expected two sources, first the A4C and then the A2C one, found {feeds}")
    if ef_method != "disks":
        raise ParameterError(f"biplane: expected the EF method disks, of which it is made, found {ef_method!r}")


class RollingBiplane:
    """The biplane EF of the last beats of two feeds.

    It is made as that of two recordings, from the last five accepted beats of each. Where the figure of one feed is
    stale, or no frames come there, the biplane EF is stale too; where one has none, there is none.

    Args:
        spec: of the model.

    Attributes:
        current: the figure as it stands; without a percentage it has the reason.
        listeners: called with each new figure, in the thread of the feed that changed it.
        views: what takes the readings of each feed, A4C first.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.current = no_biplane(WAITING)
        self.listeners: list[Callable[[Biplane], None]] = []
        self._spec = spec
        self._lock = threading.Lock()
        self.views = tuple(View(name, self._renew, self._lock) for name in APICAL_VIEWS)

    def _renew(self) -> None:
        """With the lock held: find the figure anew, and tell it where it is another."""
        found, before = self._found(), self.current
        self.current = found
        if _figures(found) != _figures(before):
            for tell in self.listeners:
                tell(found)

    def _found(self) -> Biplane:
        a4c, a2c = self.views
        for view in self.views:
            if view.ef is None:
                return no_biplane(view.why_old or WAITING)
            if view.ef.percent is None:
                return no_biplane(f"{view.name}: {view.ef.reason}")
        found = joint(
            self._spec,
            (list(a4c.beats), list(a2c.beats)),
            (a4c.calibrated, a2c.calibrated),
            (a4c.evidence(), a2c.evidence()),
        )
        old = "; ".join(filter(None, (view.why_old for view in self.views)))
        if old and found.ef.percent is not None:
            return replace(found, ef=replace(found.ef, stale=True, reason=old))
        return found


class View:
    """A `Taker` of the readings of one view.

    Args:
        name: of the view, as in `APICAL_VIEWS`.
        renew: called with the lock held where something changed that the figure depends on.
        lock: of both views.

    Attributes:
        beats: the last accepted ones of this history.
        ef: of the newest reading, None before the first.
        why_old: why that is not of now; empty where it is.
        calibrated: whether the scale is known.
    """

    def __init__(self, name: str, renew: Callable[[], None], lock: threading.Lock) -> None:
        self.name = name
        self._renew, self._lock = renew, lock
        self._history: int | None = None
        self._begin()

    def _begin(self) -> None:
        self.beats: deque[Beat] = deque(maxlen=BEATS)
        self.ef: EjectionFraction | None = None
        self.why_old, self.calibrated = "", False
        self._seen: deque[str] = deque(maxlen=SEEN)
        self._pictures = Pictures()

    def evidence(self) -> ViewEvidence:
        """What is known of the view: a feed has no header that says more."""
        return ViewEvidence(None, Identity(), Counter(self._seen), self._pictures.kept())

    def write(self, frame: Frame, reading: Reading, source: str, history: int) -> None:
        """See `Taker`."""
        with self._lock:
            if history != self._history:
                self._begin()
                self._history = history
            scaled = frame.spacing_mm is not None
            if scaled != self.calibrated:
                self.beats.clear()  # of lengths that have another unit
                self.calibrated = scaled
            self._pictures.update(frame)
            if reading.quality.ok and reading.segmentation.view is not None:
                self._seen.append(reading.segmentation.view)
            if self.beats and reading.t_s - self.beats[-1].t_next_ed_s > WITHDRAWN_S:
                self.beats.clear()
            new = reading.beat is not None and reading.beat.accepted
            if reading.beat is not None and new:
                self.beats.append(reading.beat)
            before = self.ef, self.why_old
            self.ef = reading.ef
            self.why_old = f"{self.name} {reading.ef.reason}" if reading.ef.stale else ""
            if new or _kind(before) != _kind((self.ef, self.why_old)):
                self._renew()

    def idle(self, why: str) -> None:
        """See `Taker`."""
        with self._lock:
            self.why_old = f"{self.name}: {why}"
            self._renew()

    def close(self) -> None:
        """See `Taker`."""


def _figures(found: Biplane) -> tuple[object, ...]:
    return found.ef, found.edv, found.esv, found.volume_note, found.doubts


def _kind(known: tuple[EjectionFraction | None, str]) -> tuple[object, ...]:
    """What must change for the figure to change without a beat. The seconds of a reason alone are no news."""
    ef, why_old = known
    if ef is None:
        return None, bool(why_old)
    reason = None if ef.reason is None else "".join(sign for sign in ef.reason if not sign.isdigit())
    return reason, ef.stale, ef.percent is None, bool(why_old)
