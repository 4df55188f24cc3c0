"""The ECG as scanners draw it below the picture: a sweep behind an erase bar, or a trace that scrolls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.phantom.screen.layout import Rect

Kind = Literal["sweep", "scroll"]

COLOURS = ((80, 230, 90), (60, 220, 230), (230, 230, 230), (240, 170, 60))
"""Green, yellow, white and blue, BGR."""

_SHIFT = 4  # OpenCV draws in sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class EcgManner:
    """How one machine draws its ECG.

    Attributes:
        kind: a ``sweep`` is written from left to right, and an erase bar wipes out what stood there; in a ``scroll``
            the newest is at the right end and all moves to the left.
        across_s: seconds across the whole strip.
        erased: width of the erase bar as a share of the strip.
        height: of an R wave as a share of the strip; negative for a lead in which it points down.
        t_wave: height of a T wave over that of an R wave.
        noise: standard deviation of the trace's tremble over the height of an R wave.
        grid: draw a grid behind it.
        width_px: thickness of the trace.
        colour: BGR.
    """

    kind: Kind = "sweep"
    across_s: float = 3.0
    erased: float = 0.03
    height: float = 0.65
    t_wave: float = 0.25
    noise: float = 0.01
    grid: bool = False
    width_px: int = 1
    colour: tuple[int, int, int] = COLOURS[0]

    @classmethod
    def draw(cls, rng: np.random.Generator, height: int) -> EcgManner:
        """One of the manners of the vendors, for a screen of that height."""
        return cls(
            kind="sweep" if rng.random() < 0.6 else "scroll",
            across_s=float(rng.uniform(2.0, 6.0)),
            erased=float(rng.uniform(0.015, 0.06)),
            height=float(rng.uniform(0.45, 0.75)),
            t_wave=float(rng.uniform(0.1, 0.4)),
            noise=float(rng.uniform(0.0, 0.03)),
            grid=bool(rng.random() < 0.25),
            width_px=max(1, round(float(rng.uniform(0.7, 1.4)) * height / 480)),
            colour=COLOURS[int(rng.integers(len(COLOURS)))],
        )


def draw_ecg(canvas: Image, rect: Rect, t_s: float, r_times_s: Sequence[float], manner: EcgManner) -> None:
    """Draw the strip as it looks at a time onto the screen (H, W, 3) BGR.

    Args:
        canvas: the screen.
        rect: the strip.
        t_s: the time.
        r_times_s: of all R peaks that the strip may show, in order; those before 0 belong to the time before.
        manner: of the machine.
    """
    if manner.grid:
        _grid(canvas, rect)
    places = np.arange(0.0, rect.width - 0.5, 0.5)
    share = places / (rect.width - 1)
    if manner.kind == "scroll":
        times, parts = t_s - (1 - share) * manner.across_s, [slice(None)]
    else:
        now = (t_s / manner.across_s) % 1.0
        times = t_s + (share - now) * manner.across_s
        old = share > now + manner.erased
        times[share > now] -= manner.across_s
        written = int(np.searchsorted(share, now, side="right"))
        parts = [slice(0, written), slice(len(share) - int(old.sum()), None)]
    level = ecg_level(times, r_times_s, manner.t_wave) + manner.noise * _tremble(times)
    base = rect.y + rect.height * (0.8 if manner.height > 0 else 0.2)
    points = np.stack([rect.x + places, base - level * manner.height * rect.height], axis=1)
    for part in parts:
        if len(points[part]) > 1:
            fixed = np.round(points[part] * 2**_SHIFT).astype(np.int32)
            cv2.polylines(canvas, [fixed], False, manner.colour, manner.width_px, cv2.LINE_AA, _SHIFT)


def ecg_level(times_s: Array, r_times_s: Sequence[float], t_wave: float = 0.25) -> Array:
    """The ECG at these times in units of the R wave: P, Q, R, S and T of each beat. The T wave comes 0.3 s after R,
    sooner where the beat is short (Bazett, Heart 7:353, 1920)."""
    level = np.zeros_like(times_s)
    for number, r_s in enumerate(r_times_s):
        nearby = [r_times_s[n] for n in (number - 1, number + 1) if 0 <= n < len(r_times_s)]
        beat_s = min((abs(other - r_s) for other in nearby), default=0.8)
        late = 0.3 * min(beat_s, 1.2) ** 0.5
        for at, height, width in (
            (-0.16 * min(beat_s, 1.0) ** 0.5, 0.12, 0.025),
            (-0.028, -0.1, 0.01),
            (0.0, 1.0, 0.012),
            (0.028, -0.22, 0.012),
            (late, t_wave, 0.045),
        ):
            level += height * np.exp(-(((times_s - r_s - at) / width) ** 2))
    return level


def _tremble(times_s: Array) -> Array:
    """Noise that is the same whenever the same time is drawn."""
    return np.asarray(np.sin(2 * np.pi * 11.3 * times_s) + np.sin(2 * np.pi * 23.9 * times_s + 1) + np.sin(7 * times_s))


def _grid(canvas: Image, rect: Rect) -> None:
    step = max(rect.height // 5, 6)
    for x in range(rect.x, rect.right, step):
        cv2.line(canvas, (x, rect.y), (x, rect.bottom - 1), (60, 60, 60), 1)
    for y in range(rect.y, rect.bottom, step):
        cv2.line(canvas, (rect.x, y), (rect.right - 1, y), (60, 60, 60), 1)
