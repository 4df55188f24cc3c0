"""The phantom as a source of frames, and its truth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Array
from echo_rt.errors import ParameterError
from echo_rt.frame import Frame
from echo_rt.phantom.anatomy import SIDE, State, Ventricle
from echo_rt.phantom.cycle import Rhythm
from echo_rt.phantom.geometry import Pose, Sector
from echo_rt.phantom.look import Look
from echo_rt.phantom.options import PhantomOptions, stream
from echo_rt.phantom.overlay import Overlay
from echo_rt.phantom.tissue import paint
from echo_rt.phantom.truth import BeatTruth, Truth, polygon_area, rasterise
from echo_rt.phantom.ultrasound import Ultrasound
from echo_rt.phantom.valve import leaflets, opening


class Phantom:
    """A simulated apical four-chamber recording whose truth is known: context manager and iterator of `Frame`.

    Frame k is the same whether or not the frames before it were asked for. Not safe to share between threads.

    Attributes:
        options: what was asked for.
        look: what was drawn of the machine's side.
        name: for outputs.
        frames: how many; None for an endless feed.
        fps: frames a second.
        spacing_mm: height and width of a pixel.
        spacing_note: None: the scale is always known.
        view: A4C.
    """

    def __init__(self, options: PhantomOptions | None = None) -> None:
        self.options = options = options or PhantomOptions()
        self.name = f"phantom-{options.seed}"
        self.frames = int(options.seconds * options.fps + 1e-6) or None
        self.fps: float | None = options.fps
        self.spacing_note: str | None = None
        self.view: str | None = "A4C"
        rng, spread = stream(options.seed, 0), 0.3 + 0.7 * options.variety

        def normal(mean: float, sd: float, low: float, high: float) -> float:
            return float(np.clip(mean + sd * spread * rng.standard_normal(), low, high))

        edv = normal(100, 28, 45, 220)
        edv = edv if options.edv_ml is None else options.edv_ml
        self._ventricle = Ventricle(options, edv * (1 - options.foreshorten))
        self._rhythm = Rhythm(options, edv * (1 - options.foreshorten))
        rest = self._ventricle.reference
        tip_y, turn = normal(20.5, 6, 10, 40), normal(-11.5, 7, -30, 8)
        turn = turn if options.rotation_deg is None else options.rotation_deg
        # Who holds the probe keeps the whole ventricle in the sector: an apex that leans to the left lies more to the
        # left.
        tip_x = float(np.clip(normal(-7, 5.6, -22, 10) + 0.6 * (turn + 11.5), -26, 16))
        self._rest_pose = Pose((tip_x, tip_y), float(rest.epi[SIDE - 1, 1]), float(np.radians(turn)))
        self._swing = float(np.radians(normal(6, 3, -2, 14)))
        self._breath_mm = normal(3, 2, 0, 9)
        self._breath_mm = self._breath_mm if options.breathing is None else options.breathing
        self._breath_s = rng.uniform(3.2, 5.5), rng.uniform(0, 2 * np.pi)

        hinge_y = float(self._rest_pose.to_probe(rest.endo[[0, -1]])[:, 1].mean())
        depth = float(np.clip(hinge_y / normal(0.71, 0.09, 0.55, 0.88), 85, 235))
        depth = depth if options.depth_mm is None else options.depth_mm
        opening_deg = normal(76, 6, 60, 95)
        opening_deg = opening_deg if options.sector_deg is None else options.sector_deg
        margin = normal(0.06, 0.03, 0.03, 0.12)
        margin = margin if options.margin is None else options.margin
        self._sector = Sector(options, depth, opening_deg, margin, normal(2.0, 1.2, 0.3, 5))
        self.spacing_mm: tuple[float, float] | None = (self._sector.spacing_mm, self._sector.spacing_mm)
        self.look = Look.draw(options)
        self._overlay = Overlay(options, self._sector, self.look, self._rhythm) if options.overlay else None
        self._last: tuple[int, NDArray[np.uint8]] | None = None
        self._next = 0

    @cached_property
    def _scanner(self) -> Ultrasound:
        # Made with the first image: who wants the truth alone need not wait for it.
        options, rest = self.options, self._ventricle.reference
        tissue = paint(rest, stream(options.seed, 4), 0.3 + 0.7 * options.variety)
        return Ultrasound(options, self.look, self._sector, tissue, rest, self._rest_pose)

    # -- source ------------------------------------------------------------------------------------------------------------------

    @property
    def sector(self) -> Sector:
        """The sector and its place in the image."""
        return self._sector

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
        share = self.look.persistence
        if share > 0 and k > 0:
            # Of one frame before, not of all: so that a frame can be had without the clip up to it.
            before = self._last[1] if self._last is not None and self._last[0] == k - 1 else self._polar(k - 1)
            shown = cv2.addWeighted(polar, 1 - share, before, share, 0)
        else:
            shown = polar
        self._last = (k, polar)
        image = self._scanner.display(np.asarray(shown, np.uint8))
        if self._overlay is not None:
            image = self._overlay.draw(image, t_s)
        return Frame(image, t_s, k, self.spacing_mm)

    def _time(self, k: int) -> float:
        if k < 0 or (self.frames is not None and k >= self.frames):
            raise ParameterError(f"phantom: expected a frame from 0 to {(self.frames or 0) - 1}, found {k}")
        return k / self.options.fps

    def _polar(self, k: int) -> NDArray[np.uint8]:
        t_s = k / self.options.fps
        cycle = self._rhythm.at(t_s)
        state = self._state(t_s)
        breath = np.sin(2 * np.pi * t_s / self._breath_s[0] + self._breath_s[1])
        # Twist and shortening carry tissue through the imaging plane; so does the breath.
        plane = 0.9 * state.contraction + 0.04 * self._breath_mm * float(breath)
        return self._scanner.polar(state, self._pose(t_s, state), plane, leaflets(state, opening(cycle, t_s)), k)

    def _state(self, t_s: float) -> State:
        return self._ventricle.at(self._rhythm.volume_ml(t_s))

    def _pose(self, t_s: float, state: State) -> Pose:
        rest = self._rest_pose
        breath = self._breath_mm / 2 * float(np.sin(2 * np.pi * t_s / self._breath_s[0] + self._breath_s[1]))
        tip = rest.tip[0] + 0.5 * breath, rest.tip[1] + breath
        return Pose(tip, rest.tip_z, rest.angle + self._swing * state.contraction)

    # -- truth -------------------------------------------------------------------------------------------------------------------

    def truth(self, k: int) -> Truth:
        """What is drawn in frame k.

        Raises:
            ParameterError: there is no such frame.
        """
        t_s = self._time(k)
        state = self._state(t_s)
        endo = self._to_image(state.endo, t_s, state)
        area = polygon_area(state.endo)
        phase = self._rhythm.at(t_s).phase(t_s)
        return Truth(k, t_s, phase, state.volume_ml, area, state.length, endo[SIDE - 1], endo[[0, -1]])

    def contour(self, k: int) -> Array:
        """(N, 2) x, y in image pixels: the endocardium of frame k from the septal hinge over the apex to the lateral
        one."""
        t_s = self._time(k)
        state = self._state(t_s)
        return self._to_image(state.endo, t_s, state)

    def mask(self, k: int) -> NDArray[np.uint8]:
        """(H, W) labels of frame k: 0 background, 1 LV cavity, 2 LV wall, 3 left atrium.

        As in the CAMUS data: papillary muscle and leaflets count as cavity, the wall is open at the mitral plane, the
        atrium begins there, and the wall is drawn on where the sector cuts it off.
        """
        t_s = self._time(k)
        state = self._state(t_s)
        pose = self._pose(t_s, state)
        shape = self._sector.height, self._sector.width

        def inside(points: Array) -> NDArray[np.bool_]:
            return rasterise(self._sector.to_image(pose.to_probe(points)), *shape)

        labels = np.zeros(shape, np.uint8)
        labels[inside(state.atrium) & self._sector.inside()] = 3
        labels[inside(np.concatenate([state.epi, state.endo[::-1]]))] = 2
        labels[inside(state.endo)] = 1
        return labels

    def beats(self, until_s: float | None = None) -> list[BeatTruth]:
        """The beats that begin and end (with the next ED) in the clip; of an endless feed, those up to `until_s`
        seconds.

        Raises:
            ParameterError: the feed is endless and `until_s` was not given.
        """
        if until_s is None:
            if self.frames is None:
                raise ParameterError("phantom: expected until_s for the beats of an endless feed, found none")
            until_s = (self.frames - 1) / self.options.fps
        found = []
        for cycle in self._rhythm.between(0.0, until_s):
            edv, esv = (self._ventricle.at(v).volume_ml for v in (cycle.edv_ml, cycle.esv_ml))
            found.append(BeatTruth(cycle.start_s, cycle.es_s, cycle.end_s, edv, esv, cycle.ectopic))
        return found

    def _to_image(self, points: Array, t_s: float, state: State) -> Array:
        return self._sector.to_image(self._pose(t_s, state).to_probe(points))


def open_phantom(uri: str) -> Phantom:
    """The phantom that ``phantom:?ef=55&hr=70&...`` names; see `PhantomOptions` for what can be asked for.

    Raises:
        ParameterError: an option is unknown or out of its range.
    """
    return Phantom(PhantomOptions.parse(uri))
