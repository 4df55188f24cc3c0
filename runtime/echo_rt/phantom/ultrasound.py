"""From moving tissue to a B-mode image.

In the polar domain, where the physics is: echoes of the tissue (complex, carried by the deformation) plus the valve, a
point-spread function of constant length in depth and of constant angle across the beams (thus widening with depth),
noise that the time-gain compensation lifts with depth, static clutter of the near field, detection, log compression.
Then one scan conversion.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Field
from echo_rt.phantom.anatomy import State
from echo_rt.phantom.geometry import BEAMS, SAMPLES, Pose, Sector
from echo_rt.phantom.look import Look
from echo_rt.phantom.motion import carry
from echo_rt.phantom.options import PhantomOptions, stream
from echo_rt.phantom.tissue import SHAPE, scatterers, smooth_noise, to_texture

COARSE = 8, 4
"""Samples and beams between the nodes where the deformation is computed; between them it is interpolated."""

_TILE = SAMPLES + 96, BEAMS + 64
_DB = np.float32(10 / np.log(10))


class Ultrasound:
    """The scanner: one polar image for one state of the heart, and its conversion to the display."""

    def __init__(self, options: PhantomOptions, look: Look, sector: Sector, db: Field, rest: State, pose: Pose) -> None:
        """Args: the options, the look, the sector, the dB map of the tissue, and the heart at rest with its usual
        pose."""
        self._seed, self._look, self._sector, self._rest = options.seed, look, sector, rest
        rng = stream(options.seed, 6)
        self._texture = scatterers(db, rng)
        self._nodes = sector.nodes(_every(COARSE[0], SAMPLES), _every(COARSE[1], BEAMS))
        self._scan = sector.scan_map()

        sample_mm = sector.depth_mm / SAMPLES
        beam_deg = np.degrees(2 * sector.half) / BEAMS
        # Widths are full widths at half maximum of the detected echo.
        self._axial = _kernel(look.axial_mm / sample_mm / 2.355)
        self._lateral = _kernel(look.lateral_deg / beam_deg / 2.355)
        self._wider = _kernel(1.8 * look.lateral_deg / beam_deg / 2.355)
        # Nearer than the depth where the whole aperture is used, a beam is as wide in mm, and thus wider in angle.
        radius = sector.radii()
        self._near = np.clip(1 - radius / 38, 0, 1).astype(np.float32)[:, None, None]
        self._near_rows = int(np.searchsorted(radius, 38.0))
        self._gain = self._tissue_gain(rng, pose)
        self._level = self._levels()
        self._noise = self._make_noise(rng)
        self._static = self._make_clutter(rng)
        self._post = self._post_gain(rng)
        self._amplitude = np.asarray((10 ** (self._gain / 20) * self._level)[..., None].repeat(2, axis=2), np.float32)
        share = np.clip(radius / sector.depth_mm, 0, 1)
        noise = 10 ** ((look.floor_db + look.noise_slope_db * (share - 0.5)) / 20)
        self._noise_level = np.asarray(noise[:, None, None].repeat(BEAMS, axis=1).repeat(2, axis=2), np.float32)
        curve = np.linspace(0, 1, 256) ** look.gamma * 255
        self._curve = np.round(curve).astype(np.uint8)

    # -- what never changes ------------------------------------------------------------------------------------------------------

    def _tissue_gain(self, rng: np.random.Generator, pose: Pose) -> Field:
        """(SAMPLES, BEAMS) dB by which tissue echoes are weaker or stronger: the acoustic window."""
        look, sector = self._look, self._sector
        radius, angle = sector.radii()[:, None], sector.angles()[None, :] / sector.half
        db = 3.2 * smooth_noise(rng, (SAMPLES, BEAMS), (130, 50))
        # Stripes along the beams: the chest wall lets some through better than others.
        stripes = (
            smooth_noise(rng, (1, BEAMS), (1, 10))[0][None, :]
            + 1.2 * smooth_noise(rng, (1, BEAMS), (1, 30))[0][None, :]
        )
        db += look.lateral_db * 0.6 * stripes * np.clip(radius / 30, 0, 1)
        db -= 3.5 * np.abs(angle) ** 4
        for side in (-1, 1):
            depth = 26 * look.shadow * rng.uniform(0.2, 1) * (rng.random() < 0.6)
            edge = rng.uniform(0.55, 0.95)
            db -= depth / (1 + np.exp(-(side * angle - edge) / 0.05)) * np.clip((radius - 8) / 25, 0, 1)
        db -= rng.uniform(0.0, 0.06) * np.clip(radius - 60, 0, None)
        x, y = sector.nodes(np.arange(SAMPLES, dtype=float), np.arange(BEAMS, dtype=float))
        heart_x, heart_z = pose.to_heart(x, y)
        length = self._rest.length
        lateral = np.exp(-(((heart_x - 32) / 20) ** 2) - ((heart_z - length * rng.uniform(0.35, 0.8)) / 26) ** 2)
        apex = np.exp(-((heart_x / 22) ** 2) - ((heart_z - length - 4) / 14) ** 2)
        db -= 15 * look.dropout * lateral + 11 * look.apex_loss * apex
        return np.asarray(db, np.float32)

    def _levels(self) -> Field:
        """(SAMPLES, 1) factor that brings the mean echo power of ordinary tissue to 1 at every depth."""
        plain = scatterers(np.zeros(SHAPE, np.float32), np.random.default_rng(0))
        columns, rows = to_texture(*self._fine_nodes())
        field = cv2.remap(
            plain, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )[..., :2]
        power = np.sum(self._spread(np.ascontiguousarray(field)) ** 2, axis=2).mean(axis=1, keepdims=True)
        power = cv2.GaussianBlur(power, (1, 81), 20)
        return np.asarray(1 / np.sqrt(power.reshape(-1, 1)), np.float32)

    def _fine_nodes(self) -> tuple[Array, Array]:
        x, y = self._sector.nodes(np.arange(SAMPLES, dtype=float), np.arange(BEAMS, dtype=float))
        return x, 90 - y

    def _speckle(self, rng: np.random.Generator, shape: tuple[int, int]) -> Field:
        """(rows, columns, 2) complex noise of unit power with the grain of the point-spread function."""
        white = rng.standard_normal((*shape, 2), np.float32)
        field = np.asarray(
            cv2.sepFilter2D(white, -1, self._lateral, self._axial, borderType=cv2.BORDER_REFLECT), np.float32
        )
        return np.asarray(field / np.sqrt(np.mean(np.sum(field**2, axis=2))), np.float32)

    def _make_noise(self, rng: np.random.Generator) -> Field:
        """(rows, columns, 2) what blood, electronics and reverberation add, before its level over depth."""
        return self._speckle(rng, _TILE)

    def _make_clutter(self, rng: np.random.Generator) -> Field:
        """(SAMPLES, BEAMS, 2) echoes that stand still: the layers of the chest wall and their reverberations, and
        haze."""
        look, radius = self._look, self._sector.radii()[:, None]
        angle = self._sector.angles()[None, :] / self._sector.half
        fade = rng.uniform(0.22, 0.5)
        amplitude = 10 ** (
            (look.clutter_db - fade * radius + 4 + 2 * smooth_noise(rng, (SAMPLES, BEAMS), (40, 40))) / 20
        )
        wave = 1.2 * smooth_noise(rng, (1, BEAMS), (1, 50))
        first = rng.uniform(6, 13)
        for order in range(1, int(rng.integers(3, 6))):
            bend = first * order * (1 + 0.02 * wave + 0.03 * rng.standard_normal()) + rng.uniform(-0.5, 0.5) * angle
            layer = np.exp(-(((radius - bend) / rng.uniform(0.5, 1.2)) ** 2)) * np.exp(
                -((angle / rng.uniform(0.5, 1.1)) ** 2)
            )
            amplitude = amplitude + 10 ** ((look.clutter_db + 6 - 4 * order) / 20) * layer * (radius < 60)
        # The dead zone under the probe rings.
        amplitude = amplitude * (1 + 0.5 * np.cos(2 * np.pi * radius / 2.2) * np.exp(-radius / 6))
        haze = 10 ** ((look.floor_db - 2 + 3.5 * smooth_noise(rng, (SAMPLES, BEAMS), (110, 50))) / 20)
        return np.asarray(self._speckle(rng, (SAMPLES, BEAMS)) * np.hypot(amplitude, haze)[..., None], np.float32)

    def _post_gain(self, rng: np.random.Generator) -> Field:
        """(SAMPLES, BEAMS) grey levels that are added to the log-compressed echo: gain over depth, and the offset of
        the display."""
        look, radius = self._look, self._sector.radii()[:, None]
        share = np.clip(radius / self._sector.depth_mm, 0, 1)
        slides = 1.2 * smooth_noise(rng, (SAMPLES, 1), (SAMPLES / 6, 1))
        db = look.near_db * (1 - share) ** 3 + look.far_db * share**3 + slides
        grey = (look.tissue_grey + db / look.dynamic_range_db) * 255
        return np.array(np.broadcast_to(grey, (SAMPLES, BEAMS)), np.float32)

    # -- every frame -------------------------------------------------------------------------------------------------------------

    def polar(self, state: State, pose: Pose, plane: float, leaflets: list[Array], tick: int) -> NDArray[np.uint8]:
        """(SAMPLES, BEAMS) grey levels before persistence.

        Args:
            state, pose: of the heart.
            plane: radians by which the tissue in the imaging plane has been replaced by its neighbour's (pi / 2:
                entirely).
            leaflets: mitral leaflets, each (N, 2) in the heart frame.
            tick: number of the frame, which the noise hangs on.
        """
        look = self._look
        field = self._echoes(state, pose, plane)
        self._draw_leaflets(field, pose, leaflets)
        field = self._spread(field)
        field *= self._amplitude
        field += self._static
        rng = np.random.default_rng((self._seed, 7, tick + 1))
        row, column = int(rng.integers(_TILE[0] - SAMPLES + 1)), int(rng.integers(_TILE[1] - BEAMS + 1))
        field += self._noise[row : row + SAMPLES, column : column + BEAMS] * self._noise_level
        power = cv2.transform(cv2.multiply(field, field), _ADD)
        haze = cv2.resize(power, (BEAMS // 8, SAMPLES // 8), interpolation=cv2.INTER_AREA)
        haze = cv2.resize(
            cv2.GaussianBlur(haze, (15, 3), 2.5, sigmaY=0.6), (BEAMS, SAMPLES), interpolation=cv2.INTER_LINEAR
        )
        power = cv2.addWeighted(power, 1.0, haze, 10 ** (look.haze_db / 10), 1e-9)
        level = cv2.log(power)
        scale = float(_DB) / look.dynamic_range_db * 255
        grey = cv2.scaleAdd(level, scale, self._post)
        if look.smoothing > 0:
            smooth = cv2.blur(grey, (3, 3))
            grey = cv2.addWeighted(grey, 1 - look.smoothing, smooth, look.smoothing, 0)
        # Saturates below 0 and above 255, as the machine does.
        grey8 = cv2.add(grey, _NOTHING, dtype=cv2.CV_8U)
        return np.asarray(cv2.LUT(grey8, self._curve), np.uint8)

    def display(self, polar: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W) the polar image scan-converted, black outside the sector."""
        image = cv2.remap(
            polar, self._scan[0], self._scan[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0
        )
        return np.asarray(image, np.uint8)

    def _echoes(self, state: State, pose: Pose, plane: float) -> Field:
        x, z = pose.to_heart(*self._nodes)
        columns, rows = to_texture(*carry(x, z, state, self._rest))
        shape = columns.shape[1] * COARSE[1], columns.shape[0] * COARSE[0]
        fine_columns, fine_rows = (
            cv2.resize(a.astype(np.float32), shape, interpolation=cv2.INTER_LINEAR) for a in (columns, rows)
        )
        both = cv2.remap(self._texture, fine_columns, fine_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        c, s = np.cos(plane), np.sin(plane)
        return np.asarray(cv2.transform(both, np.array([[c, 0, s, 0], [0, c, 0, s]], np.float32)), np.float32)

    def _draw_leaflets(self, field: Field, pose: Pose, leaflets: list[Array]) -> None:
        canvas = np.zeros((SAMPLES, BEAMS), np.uint8)
        low, high = SAMPLES, 0
        for leaflet in leaflets:
            points = self._sector.to_grid(pose.to_probe(leaflet))
            cv2.polylines(canvas, [np.round(points * 16).astype(np.int32)], False, 255, 2, cv2.LINE_AA, 4)
            low, high = min(low, int(points[:, 1].min()) - 3), max(high, int(points[:, 1].max()) + 4)
        low, high = max(low, 0), min(high, SAMPLES)
        if low < high:
            glow = canvas[low:high].astype(np.float32) * np.float32(1.6 / 255)
            # A mirror more than a cloud of scatterers: most of its echo has one phase.
            field[low:high] += glow[..., None] * (self._noise[low:high, :BEAMS] * 0.6 + np.float32(0.5))

    def _spread(self, field: Field) -> Field:
        """The point-spread function."""
        field = np.asarray(
            cv2.sepFilter2D(field, -1, self._lateral, self._axial, borderType=cv2.BORDER_REFLECT), np.float32
        )
        n = self._near_rows
        if n:
            wide = cv2.sepFilter2D(field[:n], -1, self._wider, np.ones(1, np.float32), borderType=cv2.BORDER_REFLECT)
            field[:n] += (wide - field[:n]) * self._near[:n]
        return field


_ADD = np.ones((1, 2), np.float32)
_NOTHING = np.zeros((SAMPLES, BEAMS), np.float32)


def _every(step: int, count: int) -> Array:
    """Middles of the cells of `step` that cover 0 to `count`."""
    return np.asarray((np.arange(-(-count // step)) + 0.5) * step - 0.5, np.float64)


def _kernel(sigma: float) -> NDArray[np.float32]:
    """Gaussian of unit sum, three sigma to each side."""
    reach = max(int(np.ceil(2.6 * sigma)), 1)
    kernel = np.exp(-((np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2) / 2)
    return np.asarray(kernel / kernel.sum(), np.float32)
