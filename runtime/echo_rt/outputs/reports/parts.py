"""What a page needs of every frame, beside the result: curves, reasons and pictures."""

from __future__ import annotations

from array import array

from echo_rt.curves import Curves
from echo_rt.frame import Frame
from echo_rt.outputs.reports.moments import Moments
from echo_rt.reading import Reading


class Parts:
    """Collects them: some numbers a frame, and a bounded number of small pictures (`moments.WAITING`).

    Attributes:
        curves: volume and whether a frame could be used, over time.
        reasons: why frames could not be used, each once, in the order of their first frame.
        unusable: of each frame 0 where it could be used, else 1 + the index of its reason.
        moments: the pictures.
    """

    def __init__(self) -> None:
        self.curves = Curves()
        self.reasons: list[str] = []
        self.unusable: array[int] = array("B")
        self.moments = Moments()

    def take(self, frame: Frame, reading: Reading) -> None:
        """Take the next frame; it is not kept."""
        self.curves.take(reading)
        self.moments.take(frame, reading)
        self.unusable.append(0 if reading.quality.ok else self._number(reading.quality.reason or "not ok"))

    def _number(self, reason: str) -> int:
        if reason not in self.reasons:
            self.reasons.append(reason)
        return 1 + self.reasons.index(reason)
