"""Who lies under which probe: everything of a phantom that is drawn once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echo_rt.phantom.anatomy import State, Ventricle
from echo_rt.phantom.cavity import SIDE
from echo_rt.phantom.chance import Chance, asked, random_stream
from echo_rt.phantom.cycle import Rhythm
from echo_rt.phantom.geometry import Pose, Sector
from echo_rt.phantom.look import Look
from echo_rt.phantom.options import PhantomOptions


@dataclass(frozen=True)
class Placement:
    """Where the heart lies, and how beat and breath move it."""

    rest: Pose  # at a regular ED, without breath
    swing: float  # radians by which a whole contraction would turn it
    breath_mm: float  # drift with the breath, from end to end
    breath_s: float  # length of a breath
    breath_start: float  # radians of the first breath that are over at time 0

    @classmethod
    def draw(cls, chance: Chance, options: PhantomOptions, rest: State) -> Placement:
        within = chance.within
        tip_y, turn = within(20.5, 6, 10, 40), within(-11.5, 7, -30, 8)
        turn = asked(options.view.rotation_deg, turn)
        # Who holds the probe keeps the whole ventricle in the sector: an apex that leans to the left lies more to the
        # left.
        tip_x = float(np.clip(within(-7, 5.6, -22, 10) + 0.6 * (turn + 11.5), -26, 16))
        return cls(
            rest=Pose((tip_x, tip_y), float(rest.epi[SIDE - 1, 1]), float(np.radians(turn))),
            swing=float(np.radians(within(6, 3, -2, 14))),
            breath_mm=asked(options.heart.breathing, within(3, 2, 0, 9)),
            breath_s=chance.rng.uniform(3.2, 5.5),
            breath_start=chance.rng.uniform(0, 2 * np.pi),
        )

    def pose(self, t_s: float, contraction: float) -> Pose:
        """The heart's pose at an instant."""
        breath = self.breath_mm / 2 * self._breath(t_s)
        tip = self.rest.tip[0] + 0.5 * breath, self.rest.tip[1] + breath
        return Pose(tip, self.rest.tip_z, self.rest.angle + self.swing * contraction)

    def plane(self, t_s: float, contraction: float) -> float:
        """How far twist, shortening and breath carry tissue through the imaging plane, in radians (`Ultrasound`)."""
        return 0.9 * contraction + 0.04 * self.breath_mm * self._breath(t_s)

    def _breath(self, t_s: float) -> float:
        return float(np.sin(2 * np.pi * t_s / self.breath_s + self.breath_start))


@dataclass(frozen=True, eq=False)
class Scene:
    """One heart, its beats, its place under the probe, the sector and the look of the recording."""

    ventricle: Ventricle
    rhythm: Rhythm
    placement: Placement
    sector: Sector
    look: Look

    @classmethod
    def draw(cls, options: PhantomOptions) -> Scene:
        """The scene of these options. The order of the draws is part of what a seed means."""
        chance = Chance(random_stream(options.recording.seed, 0), 0.3 + 0.7 * options.look.variety)
        edv_ml = asked(options.heart.edv_ml, chance.within(100, 28, 45, 220)) * (1 - options.view.foreshorten)
        ventricle = Ventricle(options, edv_ml)
        rest = ventricle.reference
        placement = Placement.draw(chance, options, rest)
        hinge_mm = float(placement.rest.to_probe(rest.endo[[0, -1]])[:, 1].mean())
        sector = _sector(chance, options, hinge_mm)
        return cls(ventricle, Rhythm(options, edv_ml), placement, sector, Look.draw(options))

    def state(self, t_s: float) -> State:
        """The ventricle at an instant."""
        return self.ventricle.at(self.rhythm.volume_ml(t_s))


def _sector(chance: Chance, options: PhantomOptions, hinge_mm: float) -> Sector:
    """A sector that shows a mitral annulus at that depth."""
    view = options.view
    depth = float(np.clip(hinge_mm / chance.within(0.71, 0.09, 0.55, 0.88), 85, 235))
    opening = chance.within(76, 6, 60, 95)
    margin = chance.within(0.06, 0.03, 0.03, 0.12)
    top = chance.within(2.0, 1.2, 0.3, 5)
    return Sector(
        options, asked(view.depth_mm, depth), asked(view.sector_deg, opening), asked(view.margin, margin), top
    )
