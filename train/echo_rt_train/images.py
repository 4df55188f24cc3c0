"""The images and clips of a training, in memory and changed anew in every epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor
from torch.utils.data import Dataset

from echo_rt.model import CLASSES
from echo_rt_train.augment import Augment
from echo_rt_train.changes import LIT
from echo_rt_train.data import (
    PHASES,
    VIEWS,
    Clip,
    DataReport,
    Sample,
    covered_on_grid,
    read_all,
    read_clips,
    read_on_grid,
)
from echo_rt_train.data.sample import Pair
from echo_rt_train.teacher import Teacher

THROUGH_WINDOW = 0.35
"""How often a picture of something else is shown in the sector of a heart's."""

_UNTRACED = torch.tensor([1.0] + [0.0] * (len(CLASSES) - 1))

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


@dataclass(frozen=True)
class Mix:
    """What stands beside the data set in a training.

    Attributes:
        items: images or clips.
        share: so many of them for each image of the data set in an epoch, drawn anew.
    """

    items: Sequence[Sample] | Sequence[Clip]
    share: float


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
        mixes: what is mixed into them.
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
        mixes: Sequence[Mix],
        grid: tuple[int, int],
        augment: Augment,
        seed: int,
        report: DataReport,
        frames: int = 1,
        teacher: Teacher | None = None,
        readers: int = 1,
    ) -> None:
        self._grid, self._report, self._readers = grid, report, readers
        self._real = self._read(samples, teacher)
        # Of each mix all that is in it, and how many of them an epoch has.
        self._mixed: list[tuple[list[_Stored], int]] = []
        for mix in mixes:
            if stored := self._read_mix(mix.items, frames):
                self._mixed.append((stored, round(mix.share * len(self._real))))
        self._augment, self._seed, self._frames, self.epoch = augment, seed, frames, 0
        grey = np.concatenate([one.images for one in self._real])
        self.mean, self.std = float(grey.mean()), float(grey.std())

    def renew(self, samples: Sequence[Sample]) -> None:
        """Other samples instead of those there are, for a data set that is drawn without end; `mean` and `std` stay."""
        self._real = self._read(samples)

    def _read(self, samples: Sequence[Sample], teacher: Teacher | None = None) -> list[_Stored]:
        if not samples:
            return []
        if teacher is not None:  # it has its say on the whole image
            return [_store(one, [image], [mask], self._grid, teacher) for one, (image, mask) in self._each(samples)]
        twice = (2 * self._grid[0], 2 * self._grid[1])
        read = read_on_grid(samples, self._report, twice, self._readers)
        counted = track(read, "reading images", len(samples), transient=True)
        return [_stored(one, image[None], covered[None]) for one, (image, covered) in counted]

    def _each(self, samples: Sequence[Sample]) -> Iterable[tuple[Sample, Pair]]:
        return track(read_all(samples, self._report, self._readers), "reading images", len(samples), transient=True)

    def _read_mix(self, items: Sequence[Sample] | Sequence[Clip], frames: int) -> list[_Stored]:
        clips, stored = [one for one in items if isinstance(one, Clip)], []
        for clip, found in track(
            read_clips(clips, self._report), "reading clips", len(clips), transient=True, disable=not clips
        ):
            # What nobody traced says nothing of what the network should have seen; such clips are for evaluation.
            if found.masks is not None and found.traced.all() and len(found.frames) >= frames:
                stored.append(_store(clip, found.frames, found.masks, self._grid))
        return stored + self._read([one for one in items if isinstance(one, Sample)])

    def __len__(self) -> int:
        return len(self._real) + sum(count for _, count in self._mixed)

    def _pick(self, index: int, rng: np.random.Generator) -> _Stored:
        """What item `index` of an epoch is made of; of a mix it is drawn."""
        if index < len(self._real):
            return self._real[index]
        index -= len(self._real)
        for stored, count in self._mixed:
            if index < count:
                return stored[int(rng.integers(len(stored)))]
            index -= count
        raise IndexError(index)

    def __getitem__(self, index: int) -> Item:
        rng = np.random.default_rng([self._seed, self.epoch, index])
        one, drawn = self._pick(index, rng), index >= len(self._real)
        images, window = one.images, rng.random() < THROUGH_WINDOW
        if drawn and VIEWS[one.view] == "other" and window:
            images = through_window(images, self._real[int(rng.integers(len(self._real)))].images[0], rng)
        chosen = np.zeros(1, np.int64) if len(images) == 1 else _stretch(len(images), self._frames, rng)
        augment, spared = self._augment.of_one(rng)
        changed = augment.clip(images[chosen], one.covered[chosen], rng, self._frames)
        # A picture without a heart is of no view and no phase.
        view, phase = (one.view, one.phase) if changed.heart else (VIEWS.index("other"), PHASES.index("other"))
        if self._augment.ease and not spared:
            # What is drawn too small in a picture that was changed much is not so in one as it comes.
            phase = PHASES.index("other")
        known = one.known if changed.traced else _UNTRACED
        named = (torch.tensor(value) for value in (view, phase, drawn))
        return Item(torch.from_numpy(changed.grey)[:, None], torch.from_numpy(changed.covered), known, *named)


def through_window(images: NDArray[np.uint8], window: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Other pictures in the sector of a heart's picture, and about as bright: a sector does not tell what is in it.

    Args:
        images: (F, H, W) uint8.
        window: (H, W) uint8, the picture whose sector it is.
        rng: draws the part of the pictures that is seen.
    """
    shape = cv2.morphologyEx((window > LIT).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))
    x, y, width, height = cv2.boundingRect(shape)
    if not width:
        return images
    x0, y0, w, h = cv2.boundingRect((images[0] > LIT).astype(np.uint8))
    if not w:
        return images
    # From all that is lit to its middle half: a sector then is full.
    inner = rng.uniform(0, 0.25, 2)
    x0, y0 = int(x0 + inner[0] * w), int(y0 + inner[1] * h)
    w, h = max(8, int((1 - 2 * inner[0]) * w)), max(8, int((1 - 2 * inner[1]) * h))
    seen = np.zeros_like(images)
    for image, target in zip(images, seen, strict=True):
        part = cv2.resize(image[y0 : y0 + h, x0 : x0 + w], (width, height), interpolation=cv2.INTER_LINEAR)
        target[y : y + height, x : x + width] = part
    inside = shape > 0
    brighter = window[inside].mean() / max(1.0, float(seen[:, inside].mean()))
    return np.asarray(np.clip(seen * np.float32(min(brighter, 3.0)) * inside, 0, 255), np.uint8)


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
    return _stored(origin, np.stack(greys), np.stack(covers))


def _stored(origin: Sample | Clip, images: NDArray[np.uint8], covered: NDArray[np.uint8]) -> _Stored:
    known = torch.tensor([label in (0, *origin.known) for label in range(len(CLASSES))], dtype=torch.float32)
    phase = origin.phase if isinstance(origin, Sample) else "other"
    return _Stored(images, covered, known, VIEWS.index(origin.view), PHASES.index(phase))


def _stretch(length: int, frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of `frames` frames of a clip that has `length` of them, from a random one on."""
    stride = int(rng.integers(1, min(MAX_STRIDE, (length - 1) // max(1, frames - 1)) + 1)) if frames > 1 else 1
    first = int(rng.integers(length - (frames - 1) * stride))
    return first + stride * np.arange(frames)
