"""What goes out over OpenIGTLink. pyigtl packs it."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

from echo_rt.chambers import Scale
from echo_rt.errors import MissingExtraError
from echo_rt.fields import reading_fields
from echo_rt.frame import Frame
from echo_rt.reading import Reading

MASK, EF, STATE, PICTURE = "LeftVentricle", "EjectionFraction", "EchoRT", "Ultrasound"
"""Names of the devices: the label image, the figure in percent as a text, empty where there is none, all of it as JSON,
and the picture that was read."""


class IgtlMessages:
    """Packs IMAGE ``LeftVentricle`` (uint8: 0 background, 1 LV cavity, 2 LV wall, 3 left atrium) at the size of the
    frame and with its spacing, STRING ``EjectionFraction`` and STRING ``EchoRT``.

    Header version 1, which every receiver reads. Columns go to the patient's left and rows to the back, so that the
    picture stands upright in an axial view. The matrix is in RAS coordinates: some receivers know no others.

    Args:
        picture: pack IMAGE ``Ultrasound`` too, the frame itself.

    Raises:
        MissingExtraError: pyigtl is not installed.
    """

    def __init__(self, picture: bool = False) -> None:
        try:
            from pyigtl import messages
        except ImportError:
            raise MissingExtraError("OpenIGTLink", "igtl") from None
        self._messages: Any = messages
        self._with_picture = picture

    def of(self, frame: Frame, reading: Reading) -> bytes:
        """What is known after a frame."""
        ef, scale, now_s = reading.ef, Scale.of(frame.spacing_mm), time.time()
        figures = {"calibrated": scale.calibrated, "volume_ml": None, **reading_fields(reading, scale)}
        shown = "" if ef.percent is None or ef.stale else f"{ef.percent:.1f}"
        return b"".join(
            (
                self._image(_rgb(frame), frame, PICTURE, now_s) if self._with_picture else b"",
                self._image(reading.segmentation.mask(), frame, MASK, now_s),
                self._text(shown, EF, now_s),
                self._text(json.dumps(figures), STATE, now_s),
            )
        )

    def idle(self, why: str) -> bytes:
        """No frames come: what was sent before is not current."""
        now_s = time.time()
        state = json.dumps({"idle": why, "ef_percent": None})
        return self._text("", EF, now_s) + self._text(state, STATE, now_s)

    def _image(self, pixels: Any, frame: Frame, device: str, now_s: float) -> bytes:
        row_mm, column_mm = frame.spacing_mm or (1.0, 1.0)
        matrix = np.diag([-column_mm, -row_mm, 1.0, 1.0]).astype(np.float32)
        message = self._messages.ImageMessage(pixels[np.newaxis], matrix, "ras", now_s, device)
        return bytes(message.pack())

    def _text(self, text: str, device: str, now_s: float) -> bytes:
        # pyigtl takes ASCII alone, whatever it says.
        ascii_text = text.encode("ascii", "replace").decode()
        return bytes(self._messages.StringMessage(ascii_text, timestamp=now_s, device_name=device).pack())


def _rgb(frame: Frame) -> Any:
    """(H, W) or (H, W, 3) RGB."""
    return frame.image if frame.image.ndim == 2 else frame.image[..., ::-1]
