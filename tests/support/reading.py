"""Recordings read whole, and the messages with which they are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from echo_rt.errors import SourceFormatError
from echo_rt.frame import Frame
from echo_rt.sources import open_source


def read(path: Path, fps: float | None = None) -> list[Frame]:
    with open_source(path, fps) as source:
        return list(source)


def images_of(path: Path, fps: float | None = None) -> np.ndarray:
    return np.stack([frame.image for frame in read(path, fps)])


def difference(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference of two stacks of images, in grey levels."""
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def refused(path: Path, fps: float | None = None) -> str:
    """The message with which a recording is refused: one line, without a traceback's debris."""
    with pytest.raises(SourceFormatError) as caught:
        read(path, fps)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    for part in (": expected ", ", found", "; "):
        assert part in message
    return message
