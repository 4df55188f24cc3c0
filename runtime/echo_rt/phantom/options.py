"""What a phantom can be asked for, and what it draws from its seed where it is not asked.

A phantom is named by a line such as ``phantom:?ef=55&hr=70&fps=50&seconds=10&seed=1``. Every option that is left out
(None) is drawn at random from the seed, within ranges that were chosen to cover what adult apical four-chamber views
look like.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from echo_rt.errors import ParameterError
from echo_rt.reading import SEGMENTS

Rhythm = Literal["sinus", "ectopic", "af"]
RHYTHMS: tuple[Rhythm, ...] = ("sinus", "ectopic", "af")

RANGES: Mapping[str, tuple[float, float]] = {
    "ef": (10, 80),
    "hr": (30, 220),
    "fps": (15, 120),
    "seconds": (0, 3600),
    "seed": (0, 2**32 - 1),
    "height": (96, 2160),
    "width": (96, 3840),
    "edv_ml": (25, 400),
    "foreshorten": (0, 0.4),
    "breathing": (0, 15),
    "hr_variability": (0, 0.3),
    "depth_mm": (80, 240),
    "sector_deg": (40, 100),
    "tilt_deg": (-30, 30),
    "rotation_deg": (-40, 40),
    "dynamic_range_db": (35, 90),
    "gain_db": (-15, 15),
    "dropout": (0, 1),
    "shadow": (0, 1),
    "noise": (0, 1),
    "contrast": (0, 1),
    "persistence": (0, 0.6),
    "margin": (0, 0.25),
    "variety": (0, 1),
}
"""Smallest and largest value of each number that can be asked for."""

_WHOLE = ("seed", "height", "width")
_SWITCHES = ("mirror", "overlay")


@dataclass(frozen=True)
class PhantomOptions:
    """What a phantom is asked for. None: drawn from the seed.

    Attributes:
        ef: ejection fraction of a regular beat in percent, single-plane method of disks. Akinesia and arrhythmia lower
            it.
        hr: heart rate in beats a minute.
        fps: frames a second.
        seconds: length; 0 is an endless feed.
        seed: of all that is drawn.
        height, width: of the image in pixels.
        edv_ml: end-diastolic volume of the ventricle, before foreshortening.
        akinetic: segments of `SEGMENTS` that neither move inwards nor thicken.
        foreshorten: fraction of the ventricle's length that the imaging plane misses at the apex. The truth is that of
            what is drawn: length and volumes are smaller by that fraction, EF is as asked for.
        breathing: how far the heart drifts with the breath, mm from end to end.
        hr_variability: standard deviation of the beat length over its mean, in sinus rhythm.
        rhythm: ``sinus``, ``ectopic`` (a premature ventricular beat now and then) or ``af`` (atrial fibrillation).
        depth_mm: how far the sector reaches.
        sector_deg: its opening angle.
        tilt_deg: by which the sector is turned in the image.
        rotation_deg: by which the heart is turned in the sector; 0 is upright.
        dynamic_range_db: of the log compression: from black to white.
        gain_db: overall gain against the usual.
        dropout: how much of the lateral wall and the apex is lost: 0 none, 1 nearly all.
        shadow: how strongly ribs and lung darken the sides of the sector.
        noise: electronic noise and haze in the chambers: 0 clean, 1 hardly readable.
        contrast: of the tissue against the chambers: 0 flat, 1 crisp.
        persistence: share of the previous frame in each frame.
        mirror: the other display convention: left and right exchanged.
        overlay: draw the machine's graphics; frames are then BGR, else grey.
        margin: border around the sector as a fraction of the image; 0 lets the sector fill it.
        variety: how far what is drawn may stray from a textbook image: 0 hardly, 1 as clinics see it.
    """

    ef: float = 55.0
    hr: float = 70.0
    fps: float = 50.0
    seconds: float = 0.0
    seed: int = 1
    height: int = 480
    width: int = 640
    edv_ml: float | None = None
    akinetic: tuple[str, ...] = ()
    foreshorten: float = 0.0
    breathing: float | None = None
    hr_variability: float = 0.03
    rhythm: Rhythm = "sinus"
    depth_mm: float | None = None
    sector_deg: float | None = None
    tilt_deg: float = 0.0
    rotation_deg: float | None = None
    dynamic_range_db: float | None = None
    gain_db: float | None = None
    dropout: float | None = None
    shadow: float | None = None
    noise: float | None = None
    contrast: float | None = None
    persistence: float | None = None
    mirror: bool = False
    overlay: bool = True
    margin: float | None = None
    variety: float = 0.5

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            found = getattr(self, name)
            if found is None:
                continue
            if not isinstance(found, Real) or isinstance(found, bool) or not low <= float(found) <= high:
                raise ParameterError(f"phantom: expected {name} from {low:g} to {high:g}, found {found!r}")
            if name in _WHOLE and not isinstance(found, Integral):
                raise ParameterError(
                    f"phantom: expected {name} to be a whole number from {low:g} to {high:g}, found {found!r}"
                )
        if 0 < self.seconds * self.fps < 1:
            raise ParameterError(
                f"phantom: expected seconds to hold at least one frame, found {self.seconds:g} s at {self.fps:g} fps"
            )
        if self.rhythm not in RHYTHMS:
            raise ParameterError(f"phantom: expected rhythm to be one of {', '.join(RHYTHMS)}, found {self.rhythm!r}")
        if wrong := [segment for segment in self.akinetic if segment not in SEGMENTS]:
            raise ParameterError(f"phantom: expected akinetic to be of {', '.join(SEGMENTS)}, found {wrong[0]!r}")

    @classmethod
    def parse(cls, uri: str) -> PhantomOptions:
        """The options in ``phantom:?name=value&...``; a bare ``phantom:`` is the default.

        Raises:
            ParameterError: an option is unknown, twice there, not a number, or out of its range; the message names the
                range.
        """
        parts = urlsplit(uri)
        if parts.scheme != "phantom" or parts.netloc or parts.path or parts.fragment:
            raise ParameterError(f"phantom: expected 'phantom:?ef=55&hr=70&...', found {uri!r}")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        raw = dict(pairs)
        if len(raw) < len(pairs):
            raise ParameterError(f"phantom: expected each option once, found one twice in {uri!r}")
        return cls.from_text(raw)

    @classmethod
    def from_text(cls, raw: Mapping[str, str]) -> PhantomOptions:
        """Options given as texts, by name.

        Raises:
            ParameterError: as in `parse`.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        given: dict[str, Any] = {}
        for name, text in raw.items():
            if name not in known:
                raise ParameterError(f"phantom: unknown option {name!r}; there are {', '.join(sorted(known))}")
            if name in RANGES:
                given[name] = _number(name, text)
            elif name in _SWITCHES:
                if text not in ("0", "1"):
                    raise ParameterError(f"phantom: expected {name} to be 0 or 1, found {text!r}")
                given[name] = text == "1"
            elif name == "akinetic":
                given[name] = tuple(part for part in text.split(",") if part)
            else:
                given[name] = text
        return cls(**given)


def _number(name: str, text: str) -> float | int:
    low, high = RANGES[name]
    try:
        return int(text) if name in _WHOLE else float(text)
    except ValueError:
        kind = "a whole number" if name in _WHOLE else "a number"
        raise ParameterError(
            f"phantom: expected {name} to be {kind} from {low:g} to {high:g}, found {text!r}"
        ) from None


def stream(seed: int, *purpose: int) -> np.random.Generator:
    """A generator of its own for each purpose, so that giving one option does not change what is drawn for the
    others."""
    return np.random.default_rng([seed, *purpose])


def random_options(rng: np.random.Generator) -> PhantomOptions:
    """Options for one training clip: as varied as clinics are, the sector cut out of the machine's screen as data sets
    have it.

    Heart size, position and shape follow adult apical four-chamber views: EF 15 to 75, EDV 40 to 260 mL (larger where
    EF is low).
    """
    ef = float(np.clip(rng.normal(52, 13), 15, 76))
    edv = float(np.clip(np.exp(rng.normal(4.54 + 0.012 * (52 - ef), 0.32)), 40, 300))
    bare = rng.random() < 0.7
    sector = float(np.clip(rng.choice([75.0, 75.0, 75.0, 70.0, 80.0, rng.uniform(60, 95)]) + rng.normal(0, 1), 55, 98))
    height = int(rng.integers(240, 601))
    aspect = 2 * np.sin(np.radians(sector / 2)) if bare else 4 / 3
    akinetic: tuple[str, ...] = ()
    if rng.random() < 0.4:
        akinetic = tuple(str(name) for name in rng.choice(SEGMENTS, int(rng.integers(1, 4)), replace=False))
    return PhantomOptions(
        ef=ef,
        hr=float(np.clip(rng.normal(72, 16), 40, 150)),
        fps=50.0,
        seconds=0.0,
        seed=int(rng.integers(2**32)),
        height=height,
        width=int(height * aspect),
        edv_ml=edv,
        akinetic=akinetic,
        foreshorten=float(rng.uniform(0, 0.2)) if rng.random() < 0.25 else 0.0,
        rhythm=RHYTHMS[int(rng.choice([0, 0, 0, 1, 2]))],
        sector_deg=sector,
        tilt_deg=0.0,
        overlay=not bare,
        margin=0.0 if bare else None,
        variety=1.0,
    )
