"""The source that is followed now, and the change to another."""

from __future__ import annotations

from collections.abc import Callable

from echo_rt.errors import EchoRtError
from echo_rt.live.capture import Capture, CaptureState
from echo_rt.live.pulse import Tally
from echo_rt.live.reader import Arrived, Opening
from echo_rt.live.slot import Slot
from echo_rt.live.status import Drop, Phase
from echo_rt.live.turns import Seat


class Intake:
    """Gives the newest frame of a source, which may be stopped, started and changed for another.

    Args:
        uri, opening: the first source, and what makes an `Opening` of an address.
        every_frame: see `Slot`.
        tally: where drops and recoveries are counted.
        seat: of a feed that shares its engine; None where it has one to itself.

    Attributes:
        uri: of the source, as it was selected.
        shown: the same for people, without a password.
        frozen: the user holds the picture: what comes is dropped.

    Raises:
        EchoRtError: the first source cannot be one.
    """

    def __init__(
        self, uri: str, opening: Callable[[str], Opening], every_frame: bool, tally: Tally, seat: Seat | None = None
    ) -> None:
        self.uri, self.frozen = uri, False
        self._opening, self._tally, self._seat = opening, tally, seat
        self._slot = Slot(every_frame)
        first = opening(uri)
        self.shown = first.uri
        self._capture: Capture | None = Capture(first, self._slot, tally)

    @property
    def state(self) -> CaptureState:
        """How the source is."""
        return self._capture.state if self._capture is not None else CaptureState(Phase.STOPPED)

    def tend(self) -> None:
        """See `Capture.tend`."""
        if self._capture is not None:
            self._capture.tend()

    def take(self, timeout_s: float) -> Arrived | None:
        """The newest frame, or None where none came in that time or the picture is frozen.

        One that shares its engine takes it when its turn comes, which is over with the frame's `Seat.segment`.
        """
        if self._seat is None or self.frozen:
            arrived = self._slot.take(timeout_s)
        elif self._slot.wait(timeout_s):
            self._seat.wait()
            arrived = self._slot.take(0)
            if arrived is None:
                self._seat.leave()
        else:
            arrived = None
        if arrived is not None and self.frozen:
            self._tally.drop(Drop.PAUSED)
            return None
        return arrived

    def freeze(self, frozen: bool) -> None:
        """Hold the picture, or go on."""
        self.frozen = frozen

    def change(self, uri: str) -> None:
        """Open a source, whether another one or the same again. One that cannot be opened is lost."""
        try:
            opening = self._opening(uri)
        except EchoRtError:
            # Its error comes again, as that of a lost source.
            opening = Opening(uri, lambda: self._opening(uri).source(), lasting=False)
        self.close()
        self.uri, self.shown, self.frozen = uri, opening.uri, False
        # Whoever chose it sees why it does not open, and may choose another: no reason to end.
        self._capture = Capture(opening, self._slot, self._tally, persistent=True)

    def close(self, wait_s: float = 0.0) -> None:
        """Let go of the source; one that hangs is left behind after `wait_s`."""
        if (capture := self._capture) is not None:
            capture.stop(wait_s)
            self._capture = None
        if self._seat is not None:
            self._seat.leave()
