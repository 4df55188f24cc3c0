"""The picture of one moment, and the reading beside it."""

from __future__ import annotations

import time
from pathlib import Path

import cv2

from echo_rt.chambers import Scale
from echo_rt.errors import OutputError, output_errors
from echo_rt.fields import reading_fields
from echo_rt.frame import Frame
from echo_rt.outputs.overlay import draw
from echo_rt.outputs.summary import as_json
from echo_rt.private import make_folder, write_new
from echo_rt.reading import Reading


def write_snapshot(folder: Path, frame: Frame, reading: Reading) -> Path:
    """Write ``snapshot-<date>-<time>-<frame>.png`` with the overlay, and the same name with ``.json``.

    Args:
        folder: made where it is missing.
        frame, reading: of the moment.

    Returns:
        The picture's path.

    Raises:
        OutputError: it cannot be written.
    """
    path = folder / f"snapshot-{time.strftime('%Y%m%d-%H%M%S')}-{frame.index}.png"
    with output_errors(path):
        make_folder(folder)
        made, png = cv2.imencode(".png", draw(frame, reading))
        if not made:
            raise OutputError(
                f"{path}: expected to encode the picture, found that OpenCV refused; install opencv-python again"
            )
        found = reading_fields(reading, Scale.of(frame.spacing_mm))
        write_new(path.with_suffix(".json"), as_json(found).encode())
        write_new(path, png.tobytes())
    return path
