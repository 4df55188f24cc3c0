"""What a phantom can be asked for.

A phantom is named by a line such as ``phantom:?ef=55&hr=70&fps=50&seconds=10&seed=1``. Options that are left out (None)
are drawn from the seed, within ranges that cover adult apical four-chamber views.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import numpy as np

from echo_rt.errors import ParameterError
from echo_rt.reading import APICAL_VIEWS, SEGMENTS

RhythmName = Literal["sinus", "ectopic", "af"]
RHYTHMS: tuple[RhythmName, ...] = ("sinus", "ectopic", "af")

_WHOLE = ("seed", "height", "width", "layout")
_SWITCHES = ("mirror", "overlay")


def _number(default: float | None, low: float, high: float) -> Any:
    """The field of a number from `low` to `high`."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class _Group:
    """Some of the options, their numbers checked."""

    def __post_init__(self) -> None:
        for option in fields(self):
            found = getattr(self, option.name)
            if found is None or "range" not in option.metadata:
                continue
            low, high = option.metadata["range"]
            if not isinstance(found, Real) or isinstance(found, bool) or not low <= float(found) <= high:
                raise ParameterError(f"phantom: expected {option.name} from {low:g} to {high:g}, found {found!r}")
            if option.name in _WHOLE and not isinstance(found, Integral):
                raise _not_a_number(option.name, found)


@dataclass(frozen=True)
class HeartOptions(_Group):
    """The heart and its beat."""

    ef: float = _number(55.0, 10, 80)  # percent of a regular beat, method of disks; akinesia and arrhythmia lower it
    hr: float = _number(70.0, 30, 220)  # beats a minute
    edv_ml: float | None = _number(None, 25, 400)  # before foreshortening
    akinetic: tuple[str, ...] = ()  # segments of `SEGMENTS` that neither move inwards nor thicken
    breathing: float | None = _number(None, 0, 15)  # drift of the heart with the breath, mm from end to end
    hr_variability: float = _number(
        0.03, 0, 0.3
    )  # standard deviation of the beat length over its mean, in sinus rhythm
    rhythm: RhythmName = "sinus"  # "ectopic": a premature ventricular beat now and then; "af": atrial fibrillation

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rhythm not in RHYTHMS:
            raise ParameterError(f"phantom: expected rhythm to be one of {', '.join(RHYTHMS)}, found {self.rhythm!r}")
        if wrong := [segment for segment in self.akinetic if segment not in SEGMENTS]:
            raise ParameterError(f"phantom: expected akinetic to be of {', '.join(SEGMENTS)}, found {wrong[0]!r}")


@dataclass(frozen=True)
class ViewOptions(_Group):
    """The imaging plane, the sector and its place in the image.

    Foreshortening shortens what is drawn, and its truth: length and volumes by that fraction, EF not at all.
    """

    foreshorten: float = _number(0.0, 0, 0.4)  # fraction of the length that the imaging plane misses at the apex
    depth_mm: float | None = _number(None, 80, 240)  # of the sector
    sector_deg: float | None = _number(None, 40, 100)  # its opening angle
    tilt_deg: float = _number(0.0, -30, 30)  # of the sector in the image
    rotation_deg: float | None = _number(None, -40, 40)  # of the heart in the sector; 0 is upright
    named: str = "A4C"  # what the recording is said to show, A4C or A2C; what is drawn is the same
    mirror: bool = False  # the other display convention: left and right exchanged
    margin: float | None = _number(None, 0, 0.25)  # border as a fraction of the image; 0 lets the sector fill it

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.named not in APICAL_VIEWS:
            raise ParameterError(
                f"phantom: expected named to be one of {', '.join(APICAL_VIEWS)}, found {self.named!r}"
            )


@dataclass(frozen=True)
class LookOptions(_Group):
    """The machine and the acoustic window."""

    dynamic_range_db: float | None = _number(None, 35, 90)  # of the log compression: from black to white
    gain_db: float | None = _number(None, -15, 15)  # against the usual
    dropout: float | None = _number(None, 0, 1)  # of the lateral wall and the apex: 0 none, 1 nearly all is lost
    shadow: float | None = _number(None, 0, 1)  # how strongly ribs and lung darken the sides of the sector
    noise: float | None = _number(None, 0, 1)  # and haze in the chambers: 0 clean, 1 hardly readable
    contrast: float | None = _number(None, 0, 1)  # of the tissue against the chambers: 0 flat, 1 crisp
    persistence: float | None = _number(None, 0, 0.6)  # share of the previous frame in each frame
    overlay: bool = True  # the machine's graphics; frames are then BGR, else grey
    variety: float = _number(0.5, 0, 1)  # how far from a textbook image: 0 hardly, 1 as clinics see it


@dataclass(frozen=True)
class RecordingOptions(_Group):
    """The recording: its clock, its length (0 s is an endless feed), the seed of all that is drawn, and its size."""

    fps: float = _number(50.0, 15, 120)
    seconds: float = _number(0.0, 0, 3600)
    seed: int = _number(1, 0, 2**32 - 1)
    height: int = _number(480, 96, 2160)
    width: int = _number(640, 96, 3840)

    def __post_init__(self) -> None:
        super().__post_init__()
        if 0 < self.seconds * self.fps < 1:
            raise ParameterError(
                f"phantom: expected seconds to hold at least one frame, found {self.seconds:g} s at {self.fps:g} fps"
            )


@dataclass(frozen=True)
class ScreenOptions(_Group):
    """A scanner's whole screen around the picture; all on it but the size is drawn from the number of its layout."""

    screen: str | None = None  # its size, such as 1280x720; None for the picture alone
    layout: int = _number(1, 0, 2**32 - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.screen is not None:
            _ = self.size

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the screen in pixels.

        Raises:
            ParameterError: the text is no size, or one out of range.
        """
        (least_w, least_h), (most_w, most_h) = SCREEN_PX
        found = re.fullmatch(r"(\d{3,4})x(\d{3,4})", self.screen or "")
        width, height = (int(found[1]), int(found[2])) if found else (0, 0)
        if not (least_w <= width <= most_w and least_h <= height <= most_h):
            raise ParameterError(
                f"phantom: expected screen as width x height from {least_w}x{least_h} to {most_w}x{most_h}, such as "
                f"1280x720, found {self.screen!r}"
            )
        return width, height


SCREEN_PX = ((320, 240), (3840, 2160))
"""The smallest screen on which all can be drawn, and the largest: width and height."""


@dataclass(frozen=True)
class PhantomOptions:
    """What a phantom is asked for. `of`, `changed` and `parse` take the options by name, whatever their group.

    They raise `ParameterError` for an option that is unknown or out of its range; the message names what there is.
    """

    heart: HeartOptions = field(default_factory=HeartOptions)
    view: ViewOptions = field(default_factory=ViewOptions)
    look: LookOptions = field(default_factory=LookOptions)
    recording: RecordingOptions = field(default_factory=RecordingOptions)
    screen: ScreenOptions = field(default_factory=ScreenOptions)

    @classmethod
    def of(cls, **given: Any) -> PhantomOptions:
        """The options as given, as in ``PhantomOptions.of(ef=40, fps=30, seed=3)``."""
        return cls().changed(**given)

    def changed(self, **given: Any) -> PhantomOptions:
        """These options, some of them replaced."""
        groups: dict[str, dict[str, Any]] = {}
        for name, value in given.items():
            if name not in _GROUP_OF:
                raise ParameterError(f"phantom: unknown option {name!r}; there are {', '.join(sorted(_GROUP_OF))}")
            groups.setdefault(_GROUP_OF[name], {})[name] = value
        return replace(self, **{group: replace(getattr(self, group), **some) for group, some in groups.items()})

    @classmethod
    def parse(cls, uri: str) -> PhantomOptions:
        """The options in ``phantom:?name=value&...``, each there once; a bare ``phantom:`` is the default."""
        try:
            parts = urlsplit(uri)
        except ValueError:
            raise ParameterError(f"phantom: expected 'phantom:?ef=55&hr=70&...', found {uri!r}") from None
        if parts.scheme != "phantom" or parts.netloc or parts.path or parts.fragment:
            raise ParameterError(f"phantom: expected 'phantom:?ef=55&hr=70&...', found {uri!r}")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        given = {name: _value(name, text) for name, text in pairs}
        if len(given) < len(pairs):
            raise ParameterError(f"phantom: expected each option once, found one twice in {uri!r}")
        return cls.of(**given)


_GROUPS = {
    "heart": HeartOptions,
    "view": ViewOptions,
    "look": LookOptions,
    "recording": RecordingOptions,
    "screen": ScreenOptions,
}
_GROUP_OF = {option.name: group for group, kind in _GROUPS.items() for option in fields(kind)}

_FIELDS = [option for kind in _GROUPS.values() for option in fields(kind)]
RANGES: Mapping[str, tuple[float, float]] = {f.name: f.metadata["range"] for f in _FIELDS if "range" in f.metadata}
"""Smallest and largest value of each number that can be asked for."""


def _value(name: str, text: str) -> Any:
    """What an address says of one option, in its own type."""
    if name in RANGES:
        try:
            return int(text) if name in _WHOLE else float(text)
        except ValueError:
            raise _not_a_number(name, text) from None
    if name in _SWITCHES:
        if text not in ("0", "1"):
            raise ParameterError(f"phantom: expected {name} to be 0 or 1, found {text!r}")
        return text == "1"
    return tuple(part for part in text.split(",") if part) if name == "akinetic" else text


def _not_a_number(name: str, found: object) -> ParameterError:
    kind, (low, high) = "a whole number" if name in _WHOLE else "a number", RANGES[name]
    return ParameterError(f"phantom: expected {name} to be {kind} from {low:g} to {high:g}, found {found!r}")


def random_options(rng: np.random.Generator) -> PhantomOptions:
    """Options for one training clip: as varied as clinics are, the sector cut out of the screen as data sets have it.

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
    return PhantomOptions.of(
        ef=ef, edv_ml=edv, akinetic=akinetic, hr=float(np.clip(rng.normal(72, 16), 40, 150)),
        seed=int(rng.integers(2**32)), height=height, width=int(height * aspect), overlay=not bare, variety=1.0,
        foreshorten=float(rng.uniform(0, 0.2)) if rng.random() < 0.25 else 0.0,
        rhythm=RHYTHMS[int(rng.choice([0, 0, 0, 1, 2]))], sector_deg=sector, margin=0.0 if bare else None,
    )  # fmt: skip
