"""A window of OpenCV's: the overlay with its panel, and keys."""

from __future__ import annotations

import os
import re
import sys

import cv2
import numpy as np

from echo_rt.arrays import Image
from echo_rt.errors import DeviceError, EchoRtError, printable
from echo_rt.live.commands import LiveControl
from echo_rt.live.status import LiveUpdate, Phase
from echo_rt.outputs.overlay import draw
from echo_rt.outputs.palette import AMBER, BACKDROP, PALE

TITLE = "echo-rt"
KEYS = "q end   space freeze   r reset   s snapshot"
BAR = 56
"""Height of the bar below the picture, for a picture `panel.PANEL_HEIGHT` high."""

REST = (480, 864)
"""Height and width of the window before the first picture."""


class WindowViewer:
    """See `echo_rt.live.outputs.Viewer`. The window is made, drawn and closed in the thread that calls `show` and
    `close`.

    Raises:
        DeviceError: OpenCV has no windows, or there is no screen.
    """

    def __init__(self, control: LiveControl) -> None:
        gui = re.search(r"GUI:\s*(\S+)", cv2.getBuildInformation())
        if gui is None or gui[1].upper() == "NONE":
            raise DeviceError(
                "--view window: expected an OpenCV with windows, found one without; run  pip install opencv-python  "
                "or use --view web"
            )
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise DeviceError("--view window: expected a screen (DISPLAY), found none; use --view web or --view none")
        self._control = control
        self._open = self._gone = False
        self._note = ""

    def show(self, update: LiveUpdate) -> None:
        """See `Viewer`."""
        if self._gone:
            return
        if not self._open:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(TITLE, REST[1], REST[0] + BAR)
            self._open = True
        cv2.imshow(TITLE, picture(update, self._note))
        key = cv2.waitKey(1) & 0xFF
        if cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:  # its user closed it
            self._gone = True
            self._control.end()
        elif key != 0xFF:
            self._press(key, update.status.phase)

    def _press(self, key: int, phase: Phase) -> None:
        self._note = ""
        if key in (ord("q"), 27):
            self._control.end()
        elif key == ord(" "):
            self._control.freeze(phase is not Phase.FROZEN)
        elif key == ord("r"):
            self._control.reset()
        elif key == ord("s"):
            try:
                self._note = f"written: {self._control.snapshot()}"
            except EchoRtError as error:
                self._note = str(error)

    def close(self) -> None:
        """See `Viewer`."""
        if self._open:
            cv2.destroyAllWindows()
            self._open = False


def picture(update: LiveUpdate, note: str = "") -> Image:
    """What the window shows: (H, W, 3) BGR uint8, a new array. While what it shows is not current the picture is dim.

    Args:
        update: the newest.
        note: a line for the user, such as where a snapshot went.
    """
    status = update.status
    if update.frame is None or update.reading is None:
        shown = np.full((*REST, 3), BACKDROP[0], np.uint8)
    else:
        shown = draw(update.frame, update.reading)
        if status.phase is not Phase.RUNNING:
            shown = (shown * (0.75 if status.phase is Phase.FROZEN else 0.35)).astype(np.uint8)
    unit = max(1.0, shown.shape[0] / REST[0])
    bar = np.full((round(BAR * unit), shown.shape[1], 3), BACKDROP[0], np.uint8)
    current = status.phase is Phase.RUNNING
    words = "  ".join(filter(None, (status.phase.value.upper() if not current else "", status.message, note))) or KEYS
    dropped = [f"{status.counts.dropped_frames} dropped"] if status.counts.dropped_frames else []
    keys = [KEYS] if words != KEYS else []
    figures = "   ".join([*status.timing.texts(), *dropped, *keys, status.source])
    for y, text, colour in ((22, words, PALE if current else AMBER), (46, figures, PALE)):
        plain = printable(text).encode("ascii", "replace").decode()  # OpenCV has no other letters
        at, font, thickness = (round(12 * unit), round(y * unit)), cv2.FONT_HERSHEY_SIMPLEX, round(unit)
        cv2.putText(bar, plain, at, font, 0.5 * unit, colour, thickness, cv2.LINE_AA)
    return np.vstack([shown, bar])
