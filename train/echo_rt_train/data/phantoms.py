"""Simulated hearts, endless and drawn on the fly: the same from the same seed, in any order, on any machine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from echo_rt.phantom import Phantom, PhantomOptions, random_options
from echo_rt_train.data.clips import Clip, ClipFrames
from echo_rt_train.data.sample import SPLITS, Pair, Sample
from echo_rt_train.data.video import grey

SPAN_S = 8.0
"""Frames are taken from the first seconds of a heart: a few beats, and a breath or two."""


@dataclass(frozen=True)
class PhantomSettings:
    """Of the simulated data set.

    Attributes:
        seed: of all that is drawn. Another seed gives other hearts throughout.
        samples: images in an epoch of training; the other splits have a fifth of it, the same in every epoch.
        clips: clips likewise.
        frames: of a clip.
        per_heart: images of one heart: ED, ES, and others at random moments. A heart takes 0.1 s to make, a frame 0.01
            s.
    """

    seed: int = 1
    samples: int = 2000
    clips: int = 200
    frames: int = 64
    per_heart: int = 4


def heart(seed: int, split: str, number: int) -> Phantom:
    """The heart with that number: another one in every split, so that nobody trains on what judges."""
    return _heart(seed, split, number, threading.get_ident())


@lru_cache(maxsize=8)
def _heart(seed: int, split: str, number: int, thread: int) -> Phantom:
    # One for each thread: a phantom keeps its last frame and is not to be shared.
    rng = _rng(seed, split, number)
    options = random_options(rng)
    return Phantom(for_training(options, rng) if split == "train" else options)


def for_training(options: PhantomOptions, rng: np.random.Generator) -> PhantomOptions:
    """The same heart, but more often failing, in a textbook picture, or on a whole screen than clinics have them.

    A network draws what is rare in training as if it were like the rest. At most a quarter of the hearts have static
    segments: a network that expects them draws all others too large at ES.
    """
    ef = float(rng.uniform(15, 76)) if rng.random() < 0.4 else options.heart.ef
    # As much larger as `random_options` makes a failing ventricle.
    edv = float(np.clip((options.heart.edv_ml or 100.0) * np.exp(0.012 * (options.heart.ef - ef)), 40, 300))
    screen: dict[str, Any] = (
        {"overlay": True, "margin": None, "width": options.recording.height * 4 // 3} if rng.random() < 0.3 else {}
    )
    akinetic = options.heart.akinetic if rng.random() < 0.6 else ()
    return options.changed(ef=ef, edv_ml=edv, variety=float(rng.uniform(0.3, 1.0)), akinetic=akinetic, **screen)


def _rng(seed: int, split: str, number: int, *purpose: int) -> np.random.Generator:
    # A purpose is never 0: NumPy takes [1, 2] and [1, 2, 0] for the same seed.
    return np.random.default_rng([seed, SPLITS.index(split), number, *purpose])


def moment(seed: int, split: str, number: int, place: int) -> int:
    """The frame that image `place` of a heart shows: 0 is at ED, 1 at ES, all others are at a random moment."""
    rng = _rng(seed, split, number, max(place, 1))  # the same for ED and ES: they are of one beat
    phantom = heart(seed, split, number)
    fps = phantom.fps or 50.0
    if place > 1:
        return int(rng.integers(int(SPAN_S * fps)))
    beats = phantom.beats(SPAN_S)
    beat = beats[int(rng.integers(len(beats)))]
    return round((beat.t_ed_s, beat.t_es_s)[place] * fps)


def draw(seed: int, split: str, number: int, place: int) -> Pair:
    """Image and mask, both (H, W) uint8, of image `place` of a heart."""
    phantom, frame = heart(seed, split, number), moment(seed, split, number, place)
    return grey(phantom.frame(frame).image), phantom.mask(frame)


def draw_clip(seed: int, split: str, number: int, frames: int, first: int, count: int | None) -> ClipFrames:
    """A stretch of a clip of `frames` frames that begins at a random moment of the heart."""
    phantom = heart(seed, split, number)
    fps = phantom.fps or 50.0
    start = int(_rng(seed, split, number, 1).integers(int(SPAN_S * fps)))
    places = range(frames)[first : None if count is None else first + count]
    drawn = [phantom.frame(start + place) for place in places]
    masks = [phantom.mask(start + place) for place in places]
    height, width = phantom.options.recording.height, phantom.options.recording.width
    empty = np.empty((0, height, width), np.uint8)
    return ClipFrames(
        np.stack([grey(frame.image) for frame in drawn]) if drawn else empty,
        np.stack(masks) if masks else empty,
        np.array([place / fps for place in places]),
        np.ones(len(drawn), bool),
    )


@dataclass(frozen=True)
class PhantomSamples(Sequence[Sample]):
    """The images of one split, by their place in an endless row; `first` is where this epoch begins in it."""

    settings: PhantomSettings
    split: str
    first: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # the two overloads of Sequence say no more than this
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self.length))]
        if not -self.length <= index < self.length:
            raise IndexError(index)
        seed = self.settings.seed
        number, place = divmod(self.first + index % self.length, self.settings.per_heart)
        patient = f"phantom-{seed}-{self.split}-{number}"
        phase = ("ED", "ES")[place] if place < 2 else "other"
        return Sample(
            patient,
            self.split,
            "4CH",
            phase,
            f"{patient} image {place}",
            partial(draw, seed, self.split, number, place),
            known=(1, 2, 3),
        )


def phantom_samples(settings: PhantomSettings, split: str, epoch: int = 0) -> PhantomSamples:
    """The images of an epoch: new hearts in every epoch of training, the same ones for what judges.

    `Sample.spacing_mm` is None, since it is not known before the heart was made; masks and images are in proportion
    anyway.
    """
    per, count = settings.per_heart, _count(settings.samples, split)
    # Epochs begin with a heart of their own, so that no heart is cut in two by them.
    first = epoch * -(-count // per) * per if split == "train" else 0
    return PhantomSamples(settings, split, first, count)


def phantom_clips(settings: PhantomSettings, split: str, epoch: int = 0) -> list[Clip]:
    """The clips of an epoch, likewise. Their hearts are not those of the images."""
    count = _count(settings.clips, split)
    seed, first = settings.seed + 1_000_003, epoch * count if split == "train" else 0
    return [
        Clip(
            f"phantom-{seed}-{split}-{n}", split, "4CH", f"phantom-{seed}-{split}-{n}",
            partial(draw_clip, seed, split, n, settings.frames), settings.frames, 50.0, None,
        )
        for n in range(first, first + count)
    ]  # fmt: skip


def _count(of_training: int, split: str) -> int:
    return of_training if split == "train" else -(-of_training // 5)
