"""Give echo-rt pictures of your own: here the frames of a NumPy file, which has neither a clock nor a scale.

python examples/own_source.py frames.npy 50
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

import echo_rt


class ArrayFrames:
    """A source is a context manager and an iterator of `Frame`; it says what it knows of view, length and scale."""

    name, view, spacing_note, notes = "array", None, "an array has no scale", ()

    def __init__(self, path: str, fps: float) -> None:
        self.images = np.load(path, mmap_mode="r")  # (N, H, W) uint8
        self.frames, self.fps = len(self.images), fps

    def __enter__(self) -> ArrayFrames:
        return self

    def __exit__(self, *_: object) -> None:
        del self.images

    def __iter__(self) -> Iterator[echo_rt.Frame]:
        for index, image in enumerate(self.images):
            yield echo_rt.Frame(np.ascontiguousarray(image), index / self.fps, index)

    def close(self) -> None:
        """Nothing is held open."""


if __name__ == "__main__":
    for reading in echo_rt.stream(ArrayFrames(sys.argv[1], float(sys.argv[2]))):
        volume = None if reading.ventricle is None else round(reading.ventricle.volume)
        print(f"{reading.t_s:.2f} s: volume {volume} px³, EF {reading.ef.percent}")
