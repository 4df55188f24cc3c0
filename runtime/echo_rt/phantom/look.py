"""What the machine and the acoustic window do to a recording."""

from __future__ import annotations

from dataclasses import dataclass

from echo_rt.phantom.chance import Chance, asked, random_stream
from echo_rt.phantom.options import PhantomOptions


@dataclass(frozen=True)
class Beam:
    """Full width of the point-spread function at half its height: along and across the beam."""

    axial_mm: float
    lateral_deg: float


@dataclass(frozen=True)
class Window:
    """The acoustic window and the gain."""

    near_db: float  # extra gain at the probe
    far_db: float  # and at the far rim
    lateral_db: float  # unevenness of the gain across the beams
    dropout: float  # 0 to 1, how much is lost of the lateral wall,
    apex_loss: float  # of the apex,
    shadow: float  # and beside rib and lung


@dataclass(frozen=True)
class Noise:
    """What is seen beside the echoes of tissue; 0 dB is the echo of ordinary muscle."""

    floor_db: float  # of noise and haze in the chambers
    slope_db: float  # by which the noise rises over the depth of the sector
    clutter_db: float  # of the chest wall's echoes
    haze_db: float  # side lobes: the surroundings of a bright echo against it


@dataclass(frozen=True)
class Display:
    """From the echo to the grey level."""

    dynamic_range_db: float  # from black to white
    tissue_grey: float  # share of white that ordinary muscle is shown with
    smoothing: float  # 0 to 1, the machine's speckle reduction
    gamma: float  # of the grey curve
    persistence: float  # share of the previous frame


@dataclass(frozen=True)
class Look:
    """How machine and acoustic window make this recording look; drawn from the seed, or asked for."""

    beam: Beam
    window: Window
    noise: Noise
    display: Display

    @classmethod
    def draw(cls, options: PhantomOptions) -> Look:
        """The look of these options. The order of the draws is part of what a seed means."""
        given, variety = options.look, options.look.variety
        within = Chance(random_stream(options.recording.seed, 5), 0.35 + 0.65 * variety).within

        def worse(textbook: float, clinic: float) -> float:
            """The mean of something that a textbook image has less of than one from a clinic."""
            return textbook + (clinic - textbook) * variety

        contrast = asked(given.contrast, within(worse(0.75, 0.47), 0.22, 0, 1))
        noise = asked(given.noise, within(worse(0.2, 0.35), 0.25, 0, 1))
        gain = asked(given.gain_db, within(0, 2.5, -7, 7))
        dynamic_range = asked(given.dynamic_range_db, within(55, 7, 42, 76))
        slope = within(4, 4, -3, 14) * (0.5 + noise)
        beam = Beam(axial_mm=within(0.8, 0.25, 0.5, 1.6), lateral_deg=within(1.4, 0.4, 0.9, 3.0))
        window = Window(
            near_db=within(worse(1, 3), 3, -5, 9),
            far_db=within(worse(1, 3), 5, -9, 12),
            lateral_db=within(worse(1.2, 2.2), 1.0, 0, 4.5),
            dropout=asked(given.dropout, within(worse(0.1, 0.7), 0.3, 0, 1)),
            apex_loss=asked(given.dropout, within(worse(0.1, 0.8), 0.3, 0, 1)),
            shadow=asked(given.shadow, within(worse(0.1, 0.45), 0.35, 0, 1)),
        )
        beside = Noise(
            floor_db=-7 - 18 * contrast + 6 * noise,
            slope_db=slope,
            clutter_db=within(worse(-8, -0.5), 3.5, -14, 6),
            haze_db=within(worse(-24, -19), 3, -32, -13),
        )
        display = Display(
            dynamic_range_db=dynamic_range,
            tissue_grey=0.455 + gain / dynamic_range,
            smoothing=within(0.85, 0.3, 0, 1),
            gamma=within(1.0, 0.12, 0.75, 1.3),
            persistence=asked(given.persistence, within(0.2, 0.12, 0, 0.45)),
        )
        return cls(beam, window, beside, display)
