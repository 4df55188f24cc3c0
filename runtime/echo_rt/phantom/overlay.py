"""The machine's graphics: text, depth ticks, grey bar, ECG."""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Array, Image
from echo_rt.phantom.chance import random_stream
from echo_rt.phantom.cycle import Cycle
from echo_rt.phantom.geometry import Sector
from echo_rt.phantom.options import PhantomOptions
from echo_rt.phantom.scene import Scene

_TEXT = (190, 200, 200)
_ECG = (80, 230, 90)
SWEEP_S = 3.0
"""Seconds of ECG across the image."""


class Overlay:
    """Drawn once, but for the ECG."""

    def __init__(self, options: PhantomOptions, scene: Scene) -> None:
        self._rhythm, sector, display = scene.rhythm, scene.sector, scene.look.display
        height, width = sector.height, sector.width
        scale = height / 480
        rng = random_stream(options.recording.seed, 8)
        self._art = np.zeros((height, width, 3), np.uint8)
        lines = [str(rng.choice(["Adult Echo", "TTE Card", "Cardiac", "Crd P21"])), f"{options.recording.fps:.0f} Hz"]
        lines += [f"{sector.depth_mm / 10:.0f} cm", "", "2D", f" {rng.integers(40, 75)}%"]
        lines += [f" C {display.dynamic_range_db:.0f}", " P Low", " HGen"]
        self._write(lines, round(8 * scale), round(20 * scale))
        corner = [f"TIS{rng.uniform(0.3, 1.2):.1f}  MI {rng.uniform(0.7, 1.5):.1f}", "", "M3"]
        self._write(corner, round(width - 98 * scale), round(20 * scale))
        self._draw_ticks(sector)
        # The grey bar that shows the compression curve, and the mark at the probe's index side.
        bar_h, bar_w = round(90 * scale), max(round(9 * scale), 2)
        ramp = np.round(np.linspace(1, 0, bar_h) ** display.gamma * 255).astype(np.uint8)
        bar_y = round(64 * scale)
        bar_x = width - round(8 * scale)
        self._art[bar_y : bar_y + bar_h, bar_x - bar_w : bar_x] = ramp[:, None, None]
        side = -1 if options.view.mirror else 1
        mark = round(sector.origin_px[0] + side * 18 * scale), max(round(sector.origin_px[1]), 8)
        cv2.circle(self._art, mark, max(round(4 * scale), 2), (160, 200, 70), -1, cv2.LINE_AA)
        self._top = round(height * 0.90)
        self._bottom = height - max(round(4 * scale), 2)
        self._x = np.arange(0, width, 2)
        self._noise = 0.015 * rng.standard_normal(len(self._x))

    def _write(self, lines: list[str], x: int, y: int) -> None:
        """Lines of text, the first with its left end at (x, y)."""
        scale = len(self._art) / 480
        for n, line in enumerate(lines):
            at = x, y + n * round(14 * scale)
            cv2.putText(self._art, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.36 * scale, _TEXT, 1, cv2.LINE_AA)

    def _draw_ticks(self, sector: Sector) -> None:
        """Ticks of 1 cm down the right side, longer ones every 5 cm."""
        scale = sector.height / 480
        x = sector.width - round(30 * scale)
        for cm in range(int(sector.depth_mm / 10) + 1):
            y = round(sector.origin_px[1] + cm * 10 * sector.pixels_per_mm)
            long = cm % 5 == 0
            if 0 <= y < sector.height:
                cv2.line(self._art, (x - round((6 if long else 3) * scale), y), (x, y), _TEXT, 1)
                if long and cm:
                    self._write([str(cm)], x + 4, y + 4)

    def draw(self, grey: Image, t_s: float) -> Image:
        """(H, W, 3) BGR: the grey image (H, W) with the graphics over it."""
        image = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        image = cv2.max(image, self._art)
        width = grey.shape[1]
        # A sweep: the trace is written from left to right, and the new one wipes out the old.
        now = int((t_s % SWEEP_S) / SWEEP_S * width)
        start = t_s - t_s % SWEEP_S
        times = start + self._x / width * SWEEP_S
        times = np.where(self._x > now, times - SWEEP_S, times)
        level = self._ecg(times)
        span = self._bottom - self._top
        y = self._bottom - 0.2 * span - (level + self._noise) * 0.7 * span
        points = np.stack([self._x, y], axis=1).round().astype(np.int32)
        new, old = points[self._x <= now], points[(self._x > now + 0.03 * width) & (times >= 0)]
        for part in (new, old):
            if len(part) > 1:
                cv2.polylines(image, [part], False, _ECG, 1, cv2.LINE_8)
        return np.asarray(image, np.uint8)

    def _ecg(self, times: Array) -> Array:
        """The ECG in units of the R wave at these times."""
        level = np.zeros_like(times)
        cycle = self._rhythm.at(max(float(times.min()), 0.0))
        while True:
            inside = (times >= cycle.start_s - 0.3) & (times < cycle.end_s)
            level[inside] += _complex(times[inside] - cycle.start_s, cycle)
            # Of the beat to come the P wave (and the onset) lies before its ED.
            if cycle.start_s > max(float(times.max()), 0.0):
                return level
            cycle = self._rhythm.at(cycle.end_s)


def _complex(t: Array, cycle: Cycle) -> Array:
    """One PQRST, t in seconds from ED; the R wave is at ED."""

    def wave(at: float, height: float, width: float) -> Array:
        return np.asarray(height * np.exp(-(((t - at) / width) ** 2)))

    t_wave = 0.85 * cycle.marks_s[1]
    if cycle.ectopic:
        return wave(0.0, 1.0, 0.045) + wave(0.09, -0.5, 0.05) + wave(t_wave, -0.35, 0.06)
    pqrs = wave(-0.15, 0.12, 0.025) + wave(-0.028, -0.1, 0.01) + wave(0, 1.0, 0.012) + wave(0.028, -0.22, 0.012)
    return pqrs + wave(t_wave, 0.26, 0.045)
