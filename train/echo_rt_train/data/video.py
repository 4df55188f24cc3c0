"""Frames of a recording, read by the runtime's own source."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import EchoRtError
from echo_rt.sources import open_source
from echo_rt_train.data.sample import SampleError

Frames = tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.int64]]


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) of a grey or BGR frame: BT.601 luma, as the runtime takes it, rounded."""
    return np.asarray(image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def read_frame(path: Path, index: int) -> NDArray[np.uint8]:
    """Frame `index` of a recording, counted from 0, as (H, W) uint8.

    Raises:
        SampleError: the recording cannot be read, or has no such frame.
    """
    frames, _, _ = read_frames(path, first=index, count=1)
    return np.asarray(frames[0])


def read_frames(path: Path, fps: float | None = None, first: int = 0, count: int | None = None) -> Frames:
    """Frames of a recording from `first`, at most `count` of them; nothing after them is decoded.

    Args:
        path: the recording.
        fps: replaces the recording's own clock.
        first: index of the first frame.
        count: None reads to the end.

    Returns:
        frames (N, H, W) uint8 grey, times (N,) in s, and their indices (N,) in the recording; frames that cannot be
        decoded are left out.

    Raises:
        SampleError: the recording cannot be read, or has no such frames.
    """
    images, times, indices = [], [], []
    last = None if count is None else first + count - 1
    try:
        with open_source(path, fps) as source:
            for frame in source:
                if last is not None and frame.index > last:
                    break
                if frame.index >= first:
                    images.append(grey(frame.image))
                    times.append(frame.t_s)
                    indices.append(frame.index)
                if frame.index == last:
                    break
    except EchoRtError as error:
        kind = "unreadable video" if path.exists() else "missing file"
        raise SampleError(str(error), kind) from None
    if not images:
        wanted = f"frame {first}" if count == 1 else f"frames from {first}"
        raise SampleError(f"{path}: expected {wanted}, found none that can be decoded", "unreadable video")
    return np.stack(images), np.array(times), np.array(indices)
