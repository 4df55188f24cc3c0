"""The images and clips of a training, in memory and changed anew in every epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from echo_rt.model import CLASSES
from echo_rt_train.augment import Augment
from echo_rt_train.data import PHASES, VIEWS, Clip, DataReport, Sample, covered_on_grid, read_all, read_clips
from echo_rt_train.teacher import Teacher

MAX_STRIDE = 3
"""A clip is also shown at a half and a third of its frame rate: the network is not told the time."""


class Item(NamedTuple):
    """One item, or a batch of them with N in front.

    Attributes:
        grey: (T, 1, h, w) float32, 0 to 255. An image is a clip of one frame.
        covered: (T, C - 1, h, w) float32 in 0 to 1: how much of each pixel each foreground class covers.
        known: (C,) float32: 1 for the classes that somebody traced.
        view: () int64: place in `echo_rt.model.VIEWS`.
        phase: () int64: place in `echo_rt_train.data.PHASES`; ``other`` for a clip, and where some items are spared and
            this one is not.
        drawn: () bool: not of the data set, but of what is mixed into it.
    """

    grey: Tensor
    covered: Tensor
    known: Tensor
    view: Tensor
    phase: Tensor
    drawn: Tensor


class _Stored(NamedTuple):
    images: NDArray[np.uint8]  # (F, 2h, 2w)
    covered: NDArray[np.uint8]  # (F, 2h, 2w, C - 1)
    known: Tensor
    view: int
    phase: int


class GridImages(Dataset[Item]):
    """Samples and clips at twice the network's grid.

    The changes of an item depend on (seed, epoch, index) alone, not on the order of loading or the number of workers.

    Args:
        samples: of the data set; all of them are in every epoch.
        drawn: more of them, images or clips, of which `share` times the number of `samples` are in an epoch, drawn
            anew.
        share: see there.
        grid: height and width of the network's input.
        augment: the changes.
        seed: of the changes.
        report: gets what cannot be read.
        frames: T, frames of an item. Images become clips of a heart that stands still.
        teacher: whose opinion of `samples` is mixed into their targets.
        readers: processes that read or draw the samples.

    Attributes:
        epoch: to be set before each one.
        mean, std: grey levels of `samples` on the grid, to normalise by.

    Raises:
        DataError: an image or clip is not as it should be and the report is strict, or none is left.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        drawn: Sequence[Sample] | Sequence[Clip],
        share: float,
        grid: tuple[int, int],
        augment: Augment,
        seed: int,
        report: DataReport,
        frames: int = 1,
        teacher: Teacher | None = None,
        readers: int = 1,
    ) -> None:
        self._grid, self._report, self._readers = grid, report, readers
        stored = self._read(samples, teacher)
        self._real = len(stored)
        clips = [one for one in drawn if isinstance(one, Clip)]
        for clip, found in track(
            read_clips(clips, report), "reading clips", len(clips), transient=True, disable=not clips
        ):
            # What nobody traced says nothing of what the network should have seen; such clips are for evaluation.
            if found.masks is not None and found.traced.all() and len(found.frames) >= frames:
                stored.append(_store(clip, found.frames, found.masks, grid))
        stored += self._read([one for one in drawn if isinstance(one, Sample)])
        self._stored = stored
        self._drawn = round(share * self._real) if len(stored) > self._real else 0
        self._augment, self._seed, self._frames, self.epoch = augment, seed, frames, 0
        grey = np.concatenate([one.images for one in stored[: self._real]])
        self.mean, self.std = float(grey.mean()), float(grey.std())

    def renew(self, samples: Sequence[Sample]) -> None:
        """Other samples instead of those there are, for a data set that is drawn without end; `mean` and `std` stay."""
        self._stored[: self._real] = self._read(samples)
        self._real = len(samples)

    def _read(self, samples: Sequence[Sample], teacher: Teacher | None = None) -> list[_Stored]:
        if not samples:
            return []
        read = track(read_all(samples, self._report, self._readers), "reading images", len(samples), transient=True)
        return [_store(sample, [image], [mask], self._grid, teacher) for sample, (image, mask) in read]

    def __len__(self) -> int:
        return self._real + self._drawn

    def __getitem__(self, index: int) -> Item:
        rng = np.random.default_rng([self._seed, self.epoch, index])
        drawn = index >= self._real
        if drawn:
            index = int(rng.integers(self._real, len(self._stored)))
        one = self._stored[index]
        chosen = np.zeros(1, np.int64) if len(one.images) == 1 else _stretch(len(one.images), self._frames, rng)
        augment, spared = self._augment.of_one(rng)
        grey, covered = augment.clip(one.images[chosen], one.covered[chosen], rng, self._frames)
        # A picture without a heart is of no view and no phase.
        view, phase = (one.view, one.phase) if covered.any() else (VIEWS.index("other"), PHASES.index("other"))
        if self._augment.ease and not spared:
            # What is drawn too small in a picture that was changed much is not so in one as it comes.
            phase = PHASES.index("other")
        named = (torch.tensor(value) for value in (view, phase, drawn))
        return Item(torch.from_numpy(grey)[:, None], torch.from_numpy(covered), one.known, *named)


def _store(
    origin: Sample | Clip,
    images: Iterable[NDArray[np.uint8]],
    masks: Iterable[NDArray[np.uint8]],
    grid: tuple[int, int],
    teacher: Teacher | None = None,
) -> _Stored:
    twice = (2 * grid[0], 2 * grid[1])
    greys, covers = [], []
    for image, mask in zip(images, masks, strict=True):
        grey, covered = covered_on_grid(image, mask, twice)
        greys.append(grey)
        covers.append(covered if teacher is None else teacher.blend(image, covered))
    known = torch.tensor([label in (0, *origin.known) for label in range(len(CLASSES))], dtype=torch.float32)
    phase = origin.phase if isinstance(origin, Sample) else "other"
    return _Stored(np.stack(greys), np.stack(covers), known, VIEWS.index(origin.view), PHASES.index(phase))


def _stretch(length: int, frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of `frames` frames of a clip that has `length` of them, from a random one on."""
    stride = int(rng.integers(1, min(MAX_STRIDE, (length - 1) // max(1, frames - 1)) + 1)) if frames > 1 else 1
    first = int(rng.integers(length - (frames - 1) * stride))
    return first + stride * np.arange(frames)
