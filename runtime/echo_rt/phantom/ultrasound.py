"""From moving tissue to a B-mode image.

In the polar domain, where the physics is: echoes of the tissue (complex, carried by the deformation) plus the valve, a
point-spread function of constant length in depth and of constant angle across the beams (thus widening with depth),
noise that the time-gain compensation lifts with depth, static clutter of the near field, detection, log compression.
Then one scan conversion.
"""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Array, Field, Image
from echo_rt.phantom.acoustics import TILE, Acoustics, PointSpread
from echo_rt.phantom.anatomy import State
from echo_rt.phantom.chance import random_stream
from echo_rt.phantom.geometry import BEAMS, SAMPLES, Pose
from echo_rt.phantom.motion import carry
from echo_rt.phantom.scene import Scene
from echo_rt.phantom.tissue import scatterers, to_texture

COARSE = 8, 4
"""Samples and beams between the nodes where the deformation is computed; between them it is interpolated."""

_DB = np.float32(10 / np.log(10))
_ADD = np.ones((1, 2), np.float32)
_NOTHING = np.zeros((SAMPLES, BEAMS), np.float32)


class Ultrasound:
    """The scanner: one polar image for one state of the heart, and its conversion to the display."""

    def __init__(self, seed: int, scene: Scene, tissue_db: Field) -> None:
        """Args: the seed, the scene, and the dB map of the tissue at rest."""
        self._seed, self._look, self._sector, self._rest = seed, scene.look, scene.sector, scene.ventricle.reference
        rng = random_stream(seed, 6)
        self._texture = scatterers(tissue_db, rng)
        self._nodes = scene.sector.nodes(_every(COARSE[0], SAMPLES), _every(COARSE[1], BEAMS))
        self._scan = scene.sector.scan_map()
        self._beam = PointSpread.of(scene.look, scene.sector)
        self._acoustics = Acoustics.draw(rng, scene, self._beam)
        self._curve = np.round(np.linspace(0, 1, 256) ** scene.look.display.gamma * 255).astype(np.uint8)

    def polar(self, state: State, pose: Pose, plane: float, leaflets: list[Array], tick: int) -> Image:
        """(SAMPLES, BEAMS) grey levels before persistence.

        Args:
            state, pose: of the heart.
            plane: radians by which the tissue in the imaging plane has been replaced by its neighbour's (pi / 2:
                entirely).
            leaflets: mitral leaflets, each (N, 2) in the heart frame.
            tick: number of the frame, which the noise hangs on.
        """
        acoustics, display = self._acoustics, self._look.display
        field = self._echoes(state, pose, plane)
        self._draw_leaflets(field, pose, leaflets)
        field = self._beam.spread(field)
        field *= acoustics.amplitude
        field += acoustics.clutter
        rng = np.random.default_rng((self._seed, 7, tick + 1))
        row, column = int(rng.integers(TILE[0] - SAMPLES + 1)), int(rng.integers(TILE[1] - BEAMS + 1))
        field += acoustics.noise[row : row + SAMPLES, column : column + BEAMS] * acoustics.noise_level
        power = cv2.transform(cv2.multiply(field, field), _ADD)
        haze = cv2.resize(power, (BEAMS // 8, SAMPLES // 8), interpolation=cv2.INTER_AREA)
        haze = cv2.resize(
            cv2.GaussianBlur(haze, (15, 3), 2.5, sigmaY=0.6), (BEAMS, SAMPLES), interpolation=cv2.INTER_LINEAR
        )
        power = cv2.addWeighted(power, 1.0, haze, 10 ** (self._look.noise.haze_db / 10), 1e-9)
        level = cv2.log(power)
        scale = float(_DB) / display.dynamic_range_db * 255
        grey = cv2.scaleAdd(level, scale, acoustics.grey)
        if display.smoothing > 0:
            smooth = cv2.blur(grey, (3, 3))
            grey = cv2.addWeighted(grey, 1 - display.smoothing, smooth, display.smoothing, 0)
        # Saturates below 0 and above 255, as the machine does.
        grey8 = cv2.add(grey, _NOTHING, dtype=cv2.CV_8U)
        return np.asarray(cv2.LUT(grey8, self._curve), np.uint8)

    def display(self, polar: Image) -> Image:
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
            field[low:high] += glow[..., None] * (self._acoustics.noise[low:high, :BEAMS] * 0.6 + np.float32(0.5))


def _every(step: int, count: int) -> Array:
    """Middles of the cells of `step` that cover 0 to `count`."""
    return np.asarray((np.arange(-(-count // step)) + 0.5) * step - 0.5, np.float64)
