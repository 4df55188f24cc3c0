"""The phantom as a source of frames, and its truth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array, Image
from echo_rt.errors import ParameterError
from echo_rt.frame import Frame
from echo_rt.grid_map import GridMap
from echo_rt.phantom.anatomy import State
from echo_rt.phantom.cavity import SIDE
from echo_rt.phantom.chance import Chance, random_stream
from echo_rt.phantom.measures import beat_measures
from echo_rt.phantom.options import PhantomOptions
from echo_rt.phantom.overlay import Overlay
from echo_rt.phantom.scene import Scene
from echo_rt.phantom.screen.screen import Screen
from echo_rt.phantom.tissue import paint
from echo_rt.phantom.truth import BeatTruth, Truth, polygon_area, rasterise
from echo_rt.phantom.ultrasound import Ultrasound
from echo_rt.phantom.valve import leaflets, opening
from echo_rt.segmentation import Segmentation

FINE = 3
"""Points along the height and the width of a pixel that tell how much of it a label covers."""


class Phantom:
    """A simulated apical four-chamber recording whose truth is known: context manager and iterator of `Frame`.

    Frame k is the same whether or not the frames before it were asked for. Not safe to share between threads.

    Attributes:
        options: what was asked for.
        scene: what was drawn once.
        name, frames, fps, spacing_mm, spacing_note, view, notes: as of every `Source`; the scale is known, but for a
            screen, as in a film of one.
    """

    def __init__(self, options: PhantomOptions | None = None) -> None:
        self.options = options = options or PhantomOptions()
        recording = options.recording
        self.scene = scene = Scene.draw(options)
        self.name = f"phantom-{recording.seed}"
        self.frames = int(recording.seconds * recording.fps + 1e-6) or None
        self.fps: float | None = recording.fps
        self.spacing_mm: tuple[float, float] | None = (scene.sector.spacing_mm, scene.sector.spacing_mm)
        self.spacing_note: str | None = None
        whole = options.screen.screen is not None
        if whole:
            self.spacing_mm, self.spacing_note = None, "a film of a screen does not say how large a pixel is"
        self.notes: list[str] = []
        self.view: str | None = options.view.named
        # A screen brings its own graphics.
        self._overlay = Overlay(options, scene) if options.look.overlay and not whole else None
        self._last: tuple[int, Image] | None = None
        self._next = 0

    @cached_property
    def screen(self) -> Screen | None:
        """The scanner's screen around the picture; None without one. All truth is in its pixels then."""
        return Screen(self.options, self.scene) if self.options.screen.screen is not None else None

    @cached_property
    def _scanner(self) -> Ultrasound:
        # Made with the first image: who wants the truth alone need not wait for it.
        options = self.options
        chance = Chance(random_stream(options.recording.seed, 4), 0.3 + 0.7 * options.look.variety)
        return Ultrasound(options.recording.seed, self.scene, paint(self.scene.ventricle.reference, chance))

    def __enter__(self) -> Phantom:
        self._next = 0
        _ = self._scanner
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._last = None

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self.frames is not None and self._next >= self.frames:
            raise StopIteration
        frame = self.frame(self._next)
        self._next += 1
        return frame

    def frame(self, k: int) -> Frame:
        """Frame k, its image (H, W) grey, or (H, W, 3) BGR with the overlay.

        Raises:
            ParameterError: there is no such frame.
        """
        t_s = self._time(k)
        polar = self._polar(k)
        share = self.scene.look.display.persistence
        if share > 0 and k > 0:
            # Of one frame before, not of all: so that a frame can be had without the clip up to it.
            before = self._last[1] if self._last is not None and self._last[0] == k - 1 else self._polar(k - 1)
            shown = np.asarray(cv2.addWeighted(polar, 1 - share, before, share, 0), np.uint8)
        else:
            shown = polar
        self._last = (k, polar)
        image = self._scanner.display(shown)
        if self._overlay is not None:
            image = self._overlay.draw(image, t_s)
        if self.screen is not None:
            image = self.screen.draw(image, self._second(shown, image), t_s)
        return Frame(image, t_s, k, self.spacing_mm)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its frames, in pixels."""
        if self.screen is not None:
            return self.screen.size[1], self.screen.size[0]
        return self.scene.sector.height, self.scene.sector.width

    def _second(self, polar: Image, image: Image) -> Image:
        """What a second sector on the screen shows: another view is the same tissue, the near end far away."""
        assert self.screen is not None
        layout = self.screen.layout
        if layout.second is None or layout.shows != "other view":
            return image
        return self._scanner.display(np.ascontiguousarray(polar[::-1]))

    def _time(self, k: int) -> float:
        if k < 0 or (self.frames is not None and k >= self.frames):
            raise ParameterError(f"phantom: expected a frame from 0 to {(self.frames or 0) - 1}, found {k}")
        return k / self.options.recording.fps

    def _polar(self, k: int) -> Image:
        t_s, scene = k / self.options.recording.fps, self.scene
        state = scene.state(t_s)
        pose = scene.placement.pose(t_s, state.contraction)
        plane = scene.placement.plane(t_s, state.contraction)
        return self._scanner.polar(state, pose, plane, leaflets(state, opening(scene.rhythm.at(t_s), t_s)), k)

    def truth(self, k: int) -> Truth:
        """What is drawn in frame k. Raises as `frame`."""
        t_s = self._time(k)
        state = self.scene.state(t_s)
        endo = self.contour(k)
        area = polygon_area(state.endo)
        phase = self.scene.rhythm.at(t_s).phase(t_s)
        return Truth(k, t_s, phase, state.volume_ml, area, state.length, endo[SIDE - 1], endo[[0, -1]])

    def contour(self, k: int) -> Array:
        """(N, 2) x, y in image pixels: the endocardium of frame k from the septal hinge to the lateral one."""
        t_s = self._time(k)
        state = self.scene.state(t_s)
        endo = self._to_image(state.endo, t_s, state)
        return endo if self.screen is None else self.screen.to_screen(endo)

    def mask(self, k: int) -> Image:
        """(H, W) labels of frame k: 0 background, 1 LV cavity, 2 LV wall, 3 left atrium.

        As in the CAMUS data: papillary muscle and leaflets count as cavity, the wall is open at the mitral plane, the
        atrium begins there, and the wall is drawn on where the sector cuts it off.
        """
        labels = self._labels(k, 1)
        return labels if self.screen is None else self.screen.mask(labels)

    def coverage(self, k: int) -> NDArray[np.float32]:
        """(4, H, W) how much of each pixel of the sector's picture each label of `mask` covers, in ninths.

        A label of a mask is that of a pixel's middle. So a mitral line along a row of pixels is up to half a pixel off
        there, and the volume of a small ventricle by more than 1 %. Not of a screen.
        """
        fine = self._labels(k, FINE)
        points = [fine[row::FINE, column::FINE] for row in range(FINE) for column in range(FINE)]
        counts = np.stack([np.sum([grid == label for grid in points], axis=0, dtype=np.uint8) for label in range(4)])
        return np.asarray(counts / FINE**2, np.float32)

    def segmentation(self, k: int) -> Segmentation:
        """What a perfect network would give for frame k: `coverage`, on the grid of the picture. Not of a screen."""
        covered = self.coverage(k)
        size = covered.shape[1], covered.shape[2]
        return Segmentation(covered, covered.argmax(axis=0).astype(np.uint8), GridMap(1.0, 0.0, 0.0, size, size))

    def _labels(self, k: int, fine: int) -> Image:
        """The labels of frame k on a grid with so many points along the height and the width of a pixel."""
        t_s, sector = self._time(k), self.scene.sector
        state = self.scene.state(t_s)

        def inside(points: Array) -> NDArray[np.bool_]:
            # Pixel centres lie at integers, so that the image begins at -0.5 on either grid.
            placed = (self._to_image(points, t_s, state) + 0.5) * fine - 0.5
            return rasterise(placed, sector.height * fine, sector.width * fine)

        labels = np.zeros((sector.height * fine, sector.width * fine), np.uint8)
        labels[inside(state.atrium) & sector.inside().repeat(fine, 0).repeat(fine, 1)] = 3
        labels[inside(np.concatenate([state.epi, state.endo[::-1]]))] = 2
        labels[inside(state.endo)] = 1
        return labels

    def beats(self, until_s: float | None = None) -> list[BeatTruth]:
        """The beats that begin and end (with the next ED) in the clip, or up to `until_s` seconds.

        Raises:
            ParameterError: the feed is endless and `until_s` was not given.
        """
        if until_s is None:
            if self.frames is None:
                raise ParameterError("phantom: expected until_s for the beats of an endless feed, found none")
            until_s = (self.frames - 1) / self.options.recording.fps
        found = []
        for cycle in self.scene.rhythm.between(0.0, until_s):
            edv, esv = (self.scene.ventricle.at(v).volume_ml for v in (cycle.edv_ml, cycle.esv_ml))
            found.append(BeatTruth(cycle.start_s, cycle.es_s, cycle.end_s, edv, esv, cycle.ectopic))
        return found

    def measures(self, beat: BeatTruth) -> dict[str, float]:
        """The truth of every further measure of one of `beats`, by name with its unit."""
        return beat_measures(self.scene, self.scene.rhythm.at(beat.t_ed_s + 1e-6), self.options.heart.akinetic)

    def _to_image(self, points: Array, t_s: float, state: State) -> Array:
        pose = self.scene.placement.pose(t_s, state.contraction)
        return self.scene.sector.to_image(pose.to_probe(points))


def open_phantom(uri: str) -> Phantom:
    """The phantom that ``phantom:?ef=55&hr=70&...`` names; see `PhantomOptions` for its options and errors."""
    return Phantom(PhantomOptions.parse(uri))
