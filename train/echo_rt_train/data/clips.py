"""Whole clips for temporal training: frames in order, masks where somebody traced them, and the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import LABELS, SampleError, check_labels


class ClipFrames(NamedTuple):
    """A stretch of a clip.

    Attributes:
        frames: (N, H, W) uint8 grey.
        masks: (N, H, W) uint8 labels, or None where no frame of the stretch was traced.
        t_s: (N,) seconds on the clip's own clock, strictly increasing.
        traced: (N,) bool: the frames whose mask counts; the others' masks are 0 throughout and mean nothing.
    """

    frames: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    t_s: NDArray[np.float64]
    traced: NDArray[np.bool_]


@dataclass(frozen=True)
class Clip:
    """A recording of one patient, not yet read.

    Attributes:
        patient, split, view, spacing_mm, known: as in `echo_rt_train.data.sample.Sample`.
        name: where it comes from, for messages.
        load: (first, count) gives the stretch; count None reads to the end.
        frames: how many there are, as far as the data set says.
        fps: nominal frames a second, or None.
        ef_percent: as the data set's own table gives it, or None.
    """

    patient: str
    split: str
    view: str
    name: str
    load: Callable[[int, int | None], ClipFrames]
    frames: int | None = None
    fps: float | None = None
    spacing_mm: tuple[float, float] | None = None
    known: tuple[int, ...] = LABELS
    ef_percent: float | None = None

    def read(self, first: int = 0, count: int | None = None) -> ClipFrames:
        """At most `count` frames from `first`; None reads to the end.

        Raises:
            DataError: the clip cannot be read, has no such frames, or masks that do not fit it.
        """
        found = self.load(first, count)
        if not len(found.frames):
            raise SampleError(
                f"{self.name}: expected frames from {first}, found {self.frames} frames in all", "unreadable video"
            )
        if found.masks is not None:
            if found.masks.shape != found.frames.shape:
                raise SampleError(
                    f"{self.name}: expected masks of the clip's size {found.frames.shape}, found {found.masks.shape}",
                    "mask of another size",
                )
            check_labels(found.masks, self.name)
        if np.any(np.diff(found.t_s) <= 0):
            raise SampleError(
                f"{self.name}: expected times that increase, "
                f"found {found.t_s.min():g} to {found.t_s.max():g} s out of order"
            )
        return found


def read_clips(clips: Iterable[Clip], report: DataReport) -> Iterator[tuple[Clip, ClipFrames]]:
    """All clips, read whole, one after the other; what cannot be read is noted in the report and left out.

    Raises:
        DataError: a clip cannot be read and the report is strict.
    """
    for clip in clips:
        try:
            found = clip.read()
        except SampleError as error:
            report.note(error)
            continue
        yield clip, found
