"""What the machine and the acoustic window do to a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from echo_rt.phantom.options import PhantomOptions, stream


@dataclass(frozen=True)
class Look:
    """How the machine and the acoustic window make this recording look; drawn from the seed, or asked for.

    0 dB is the echo of ordinary muscle.

    Attributes:
        dynamic_range_db: from black to white.
        tissue_grey: share of white that ordinary muscle is shown with.
        floor_db: of noise and haze in the chambers.
        noise_slope_db: by which the noise rises over the depth of the sector.
        axial_mm, lateral_deg: full width of the point-spread function at half its height.
        near_db, far_db: extra gain at the probe and at the far rim.
        lateral_db: unevenness of the gain across the beams.
        dropout, apex_loss, shadow: 0 to 1, how much is lost of the lateral wall, of the apex, and beside rib and lung.
        clutter_db: of the chest wall's echoes.
        haze_db: side lobes: how bright the surroundings of a bright echo are against it.
        smoothing: 0 to 1, the machine's speckle reduction.
        gamma: of the grey curve.
        persistence: share of the previous frame.
    """

    dynamic_range_db: float
    tissue_grey: float
    floor_db: float
    noise_slope_db: float
    axial_mm: float
    lateral_deg: float
    near_db: float
    far_db: float
    lateral_db: float
    dropout: float
    apex_loss: float
    shadow: float
    clutter_db: float
    haze_db: float
    smoothing: float
    gamma: float
    persistence: float

    @classmethod
    def draw(cls, options: PhantomOptions) -> Look:
        rng, variety = stream(options.seed, 5), options.variety
        spread = 0.35 + 0.65 * variety

        def normal(mean: float, sd: float, low: float, high: float) -> float:
            return float(np.clip(mean + sd * spread * rng.standard_normal(), low, high))

        def worse(textbook: float, clinic: float) -> float:
            """The mean of something that a textbook image has less of than one from a clinic."""
            return textbook + (clinic - textbook) * variety

        def asked(given: float | None, drawn: float) -> float:
            return drawn if given is None else given

        contrast, noise = normal(worse(0.75, 0.47), 0.22, 0, 1), normal(worse(0.2, 0.35), 0.25, 0, 1)
        contrast, noise = asked(options.contrast, contrast), asked(options.noise, noise)
        gain = asked(options.gain_db, normal(0, 2.5, -7, 7))
        dynamic_range = asked(options.dynamic_range_db, normal(55, 7, 42, 76))
        return cls(
            dynamic_range_db=dynamic_range,
            tissue_grey=0.455 + gain / dynamic_range,
            floor_db=-7 - 18 * contrast + 6 * noise,
            noise_slope_db=normal(4, 4, -3, 14) * (0.5 + noise),
            axial_mm=normal(0.8, 0.25, 0.5, 1.6),
            lateral_deg=normal(1.4, 0.4, 0.9, 3.0),
            near_db=normal(worse(1, 3), 3, -5, 9),
            far_db=normal(worse(1, 3), 5, -9, 12),
            lateral_db=normal(worse(1.2, 2.2), 1.0, 0, 4.5),
            dropout=asked(options.dropout, normal(worse(0.1, 0.7), 0.3, 0, 1)),
            apex_loss=asked(options.dropout, normal(worse(0.1, 0.8), 0.3, 0, 1)),
            shadow=asked(options.shadow, normal(worse(0.1, 0.45), 0.35, 0, 1)),
            clutter_db=normal(worse(-8, -0.5), 3.5, -14, 6),
            haze_db=normal(worse(-24, -19), 3, -32, -13),
            smoothing=normal(0.85, 0.3, 0, 1),
            gamma=normal(1.0, 0.12, 0.75, 1.3),
            persistence=asked(options.persistence, normal(0.2, 0.12, 0, 0.45)),
        )
