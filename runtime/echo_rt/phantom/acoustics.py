"""What the beam, the acoustic window and the machine lay over the echoes; the same in every frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from echo_rt.arrays import Field
from echo_rt.phantom.geometry import BEAMS, SAMPLES, Sector
from echo_rt.phantom.look import Look, Noise, Window
from echo_rt.phantom.scene import Scene
from echo_rt.phantom.tissue import SHAPE, scatterers, smooth_noise, to_texture

TILE = SAMPLES + 96, BEAMS + 64
"""Size of the noise that each frame cuts its own out of."""


@dataclass(frozen=True, eq=False)
class PointSpread:
    """The point-spread function on the polar grid."""

    axial: Field  # kernel along the beam
    lateral: Field  # and across
    wider: Field  # further kernel across the beam, for the near field
    near: Field  # (rows, 1, 1) share of `wider` in the rows of the near field

    @classmethod
    def of(cls, look: Look, sector: Sector) -> PointSpread:
        sample_mm = sector.depth_mm / SAMPLES
        beam_deg = np.degrees(2 * sector.half) / BEAMS
        # Nearer than the depth where the whole aperture is used, a beam is as wide in mm, and thus wider in angle.
        radius = sector.radii()
        near = np.clip(1 - radius / 38, 0, 1).astype(np.float32)[:, None, None]
        # Widths are full widths at half maximum of the detected echo.
        return cls(
            _kernel(look.beam.axial_mm / sample_mm / 2.355),
            _kernel(look.beam.lateral_deg / beam_deg / 2.355),
            _kernel(1.8 * look.beam.lateral_deg / beam_deg / 2.355),
            near[: int(np.searchsorted(radius, 38.0))],
        )

    def spread(self, field: Field) -> Field:
        """A field of point echoes as the beam sees it."""
        field = self._blur(field)
        n = len(self.near)
        if n:
            wide = cv2.sepFilter2D(field[:n], -1, self.wider, np.ones(1, np.float32), borderType=cv2.BORDER_REFLECT)
            field[:n] += (wide - field[:n]) * self.near
        return field

    def speckle(self, rng: np.random.Generator, shape: tuple[int, int]) -> Field:
        """(rows, columns, 2) complex noise of unit power with the grain of the point-spread function."""
        field = self._blur(rng.standard_normal((*shape, 2), np.float32))
        return np.asarray(field / np.sqrt(np.mean(np.sum(field**2, axis=2))), np.float32)

    def _blur(self, field: Field) -> Field:
        blurred = cv2.sepFilter2D(field, -1, self.lateral, self.axial, borderType=cv2.BORDER_REFLECT)
        return np.asarray(blurred, np.float32)


def _kernel(sigma: float) -> Field:
    """Gaussian of unit sum, 2.6 sigma to each side."""
    reach = max(int(np.ceil(2.6 * sigma)), 1)
    kernel = np.exp(-((np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2) / 2)
    return np.asarray(kernel / kernel.sum(), np.float32)


@dataclass(frozen=True, eq=False)
class Acoustics:
    """What is laid over the echoes of every frame; each (SAMPLES, BEAMS, ...)."""

    amplitude: Field  # (..., 2) factor of the tissue's echoes
    noise: Field  # (*TILE, 2) what blood, electronics and reverberation add, of unit power
    noise_level: Field  # (..., 2) factor of the noise
    clutter: Field  # (..., 2) echoes that stand still
    grey: Field  # grey levels that are added to the log-compressed echo

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, beam: PointSpread) -> Acoustics:
        """The order of the draws is part of what a seed means."""
        look, sector = scene.look, scene.sector
        gain_db = _tissue_gain(rng, look.window, scene)
        amplitude = (10 ** (gain_db / 20) * _levels(sector, beam))[..., None].repeat(2, axis=2)
        noise = beam.speckle(rng, TILE)
        share = np.clip(sector.radii() / sector.depth_mm, 0, 1)
        level = 10 ** ((look.noise.floor_db + look.noise.slope_db * (share - 0.5)) / 20)
        return cls(
            np.asarray(amplitude, np.float32),
            noise,
            np.asarray(level[:, None, None].repeat(BEAMS, axis=1).repeat(2, axis=2), np.float32),
            _clutter(rng, look.noise, sector, beam),
            _grey(rng, look, sector),
        )


def _tissue_gain(rng: np.random.Generator, window: Window, scene: Scene) -> Field:
    """(SAMPLES, BEAMS) dB by which tissue echoes are weaker or stronger: the acoustic window."""
    sector, length = scene.sector, scene.ventricle.reference.length
    radius, angle = sector.radii()[:, None], sector.angles()[None, :] / sector.half
    db = 3.2 * smooth_noise(rng, (SAMPLES, BEAMS), (130, 50))
    # Stripes along the beams: the chest wall lets some through better than others.
    stripes = smooth_noise(rng, (1, BEAMS), (1, 10)) + 1.2 * smooth_noise(rng, (1, BEAMS), (1, 30))
    db += window.lateral_db * 0.6 * stripes * np.clip(radius / 30, 0, 1)
    db -= 3.5 * np.abs(angle) ** 4
    for side in (-1, 1):
        depth = 26 * window.shadow * rng.uniform(0.2, 1) * (rng.random() < 0.6)
        edge = rng.uniform(0.55, 0.95)
        db -= depth / (1 + np.exp(-(side * angle - edge) / 0.05)) * np.clip((radius - 8) / 25, 0, 1)
    db -= rng.uniform(0.0, 0.06) * np.clip(radius - 60, 0, None)
    heart_x, heart_z = scene.placement.rest.to_heart(*sector.nodes())
    lateral = np.exp(-(((heart_x - 32) / 20) ** 2) - ((heart_z - length * rng.uniform(0.35, 0.8)) / 26) ** 2)
    apex = np.exp(-((heart_x / 22) ** 2) - ((heart_z - length - 4) / 14) ** 2)
    db -= 15 * window.dropout * lateral + 11 * window.apex_loss * apex
    return np.asarray(db, np.float32)


def _levels(sector: Sector, beam: PointSpread) -> Field:
    """(SAMPLES, 1) factor that brings the mean echo power of ordinary tissue to 1 at every depth."""
    plain = scatterers(np.zeros(SHAPE, np.float32), np.random.default_rng(0))
    x, y = sector.nodes()
    columns, rows = (a.astype(np.float32) for a in to_texture(x, 90 - y))
    field = cv2.remap(plain, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)[..., :2]
    power = np.sum(beam.spread(np.ascontiguousarray(field)) ** 2, axis=2).mean(axis=1, keepdims=True)
    power = cv2.GaussianBlur(power, (1, 81), 20)
    return np.asarray(1 / np.sqrt(power.reshape(-1, 1)), np.float32)


def _clutter(rng: np.random.Generator, noise: Noise, sector: Sector, beam: PointSpread) -> Field:
    """(SAMPLES, BEAMS, 2) the layers of the chest wall and their reverberations, and haze."""
    radius, angle = sector.radii()[:, None], sector.angles()[None, :] / sector.half
    fade = rng.uniform(0.22, 0.5)
    amplitude = 10 ** ((noise.clutter_db - fade * radius + 4 + 2 * smooth_noise(rng, (SAMPLES, BEAMS), (40, 40))) / 20)
    wave = 1.2 * smooth_noise(rng, (1, BEAMS), (1, 50))
    first = rng.uniform(6, 13)
    for order in range(1, int(rng.integers(3, 6))):
        bend = first * order * (1 + 0.02 * wave + 0.03 * rng.standard_normal()) + rng.uniform(-0.5, 0.5) * angle
        layer = np.exp(-(((radius - bend) / rng.uniform(0.5, 1.2)) ** 2))
        layer = layer * np.exp(-((angle / rng.uniform(0.5, 1.1)) ** 2))
        amplitude = amplitude + 10 ** ((noise.clutter_db + 6 - 4 * order) / 20) * layer * (radius < 60)
    # The dead zone under the probe rings.
    amplitude = amplitude * (1 + 0.5 * np.cos(2 * np.pi * radius / 2.2) * np.exp(-radius / 6))
    haze = 10 ** ((noise.floor_db - 2 + 3.5 * smooth_noise(rng, (SAMPLES, BEAMS), (110, 50))) / 20)
    return np.asarray(beam.speckle(rng, (SAMPLES, BEAMS)) * np.hypot(amplitude, haze)[..., None], np.float32)


def _grey(rng: np.random.Generator, look: Look, sector: Sector) -> Field:
    """(SAMPLES, BEAMS) grey levels of the gain over depth and of the offset of the display."""
    share = np.clip(sector.radii()[:, None] / sector.depth_mm, 0, 1)
    slides = 1.2 * smooth_noise(rng, (SAMPLES, 1), (SAMPLES / 6, 1))
    db = look.window.near_db * (1 - share) ** 3 + look.window.far_db * share**3 + slides
    grey = (look.display.tissue_grey + db / look.display.dynamic_range_db) * 255
    return np.array(np.broadcast_to(grey, (SAMPLES, BEAMS)), np.float32)
