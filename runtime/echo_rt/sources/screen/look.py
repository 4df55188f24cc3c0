"""A first look at a recording: where on its pictures ultrasound is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from echo_rt.arrays import Image
from echo_rt.frame import Frame
from echo_rt.sources.screen.roi import JITTER_S, SAMPLE_S
from echo_rt.sources.screen.sectors import Sector, coarse, find_sectors
from echo_rt.sources.screen.still import Still

GLANCE, LOOK = 16, 31
"""Comparisons after which a single sector is believed, 1.3 s, and after which whatever was found: 2.5 s."""

EXAMPLES = 8
"""Whole frames that are kept of a look, to judge what they show."""


@dataclass(frozen=True, eq=False)
class Look:
    """What was seen in a stretch of a recording.

    Attributes:
        shape: rows and columns of its pictures.
        sectors: that move, the largest first.
        examples: some of its frames, whole, over the stretch.
        still: what of the screen stands still, and what moves.
    """

    shape: tuple[int, int]
    sectors: tuple[Sector, ...]
    examples: tuple[Frame, ...]
    still: Still


class _Stretch:
    """Frames that are looked at together."""

    def __init__(self, first: Frame) -> None:
        self.coarse: list[Image] = []
        self.examples: list[Frame] = []
        self.still = Still()
        self.shape = first.image.shape[0], first.image.shape[1]
        self.last_s = first.t_s
        self._add(first)

    def update(self, frame: Frame) -> bool:
        """Take the next frame; whether it was long enough after the last one that counts."""
        if frame.t_s - self.last_s < SAMPLE_S - JITTER_S:
            return False
        self._add(frame)
        return True

    def _add(self, frame: Frame) -> None:
        self.still.update(frame.image)
        if len(self.coarse) % (LOOK // EXAMPLES) == 0 and len(self.examples) < EXAMPLES:
            self.examples.append(frame)
        self.coarse.append(coarse(frame.image))
        self.last_s = frame.t_s

    def found(self) -> Look:
        """What these frames show."""
        sectors = tuple(find_sectors(self.coarse, self.shape)) if len(self.coarse) > 1 else ()
        return Look(self.shape, sectors, tuple(self.examples), self.still)


def look(frames: Iterable[Frame]) -> Look | None:
    """What the first stretch shows in which ultrasound moves, else the last one; None without a frame.

    No more than one stretch of frames is kept, coarse, and `EXAMPLES` of them whole. Where ultrasound is shown from the
    start it reads two seconds and a half; a recording without any it reads to its end.
    """
    stretch: _Stretch | None = None
    seen: Look | None = None
    for frame in frames:
        if stretch is None:
            stretch = _Stretch(frame)
            continue
        if not stretch.update(frame) or len(stretch.coarse) - 1 not in (GLANCE, LOOK):
            continue
        done = len(stretch.coarse) - 1 == LOOK
        seen = stretch.found()
        if len(seen.sectors) == 1 or (done and seen.sectors):
            return seen
        if done:
            stretch = _Stretch(frame)
    if stretch is None:
        return seen
    last = stretch.found()
    return last if last.sectors or seen is None else seen
