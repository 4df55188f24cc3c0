"""What the ventricle puts out: stroke volume, cardiac output, and both per body surface area.

Stroke volume is EDV - ESV by the method of disks (Lang et al., J Am Soc Echocardiogr 28:1-39, 2015). What leaks back
through the mitral valve is in it. The ranges are theirs, of women and men together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.measures import Body, Measure, Normal, Unknown

SOURCE = "Lang et al., J Am Soc Echocardiogr 28:1-39, 2015"


def stroke_volume_ml(beat: BeatSamples) -> float:
    """EDV - ESV."""
    return beat.in_mL(beat.beat.edv - beat.beat.esv)


def cardiac_output_l_min(beat: BeatSamples) -> float:
    """Stroke volume times heart rate."""
    return stroke_volume_ml(beat) * beat.beat.heart_rate_bpm / 1000


def end_diastolic_ml(beat: BeatSamples) -> float:
    """EDV."""
    return beat.in_mL(beat.beat.edv)


def end_systolic_ml(beat: BeatSamples) -> float:
    """ESV."""
    return beat.in_mL(beat.beat.esv)


def indexed(beat: BeatSamples, figure: Callable[[BeatSamples], float]) -> float:
    """A figure over the body surface area in m²."""
    return figure(beat) / surface_m2(beat.body)


def surface_m2(body: Body) -> float:
    """That of the patient.

    Raises:
        Unknown: height and weight are not known.
    """
    if body.surface_m2 is None:
        raise Unknown("height and weight are not known")
    return body.surface_m2


MEASURES = (
    Measure("sv", "Stroke volume", "mL", 0, SOURCE, stroke_volume_ml, "Output", foremost=True),
    Measure("co", "Cardiac output", "L/min", 1, SOURCE, cardiac_output_l_min, "Output"),
    Measure(
        "svi",
        "Stroke volume index",
        "mL/m²",
        0,
        SOURCE,
        partial(indexed, figure=stroke_volume_ml),
        "Output",
        Normal(35.0, None, "Baumgartner et al., J Am Soc Echocardiogr 30:372-392, 2017"),
    ),
    Measure("ci", "Cardiac index", "L/min/m²", 1, SOURCE, partial(indexed, figure=cardiac_output_l_min), "Output"),
    Measure(
        "edvi",
        "EDV index",
        "mL/m²",
        0,
        SOURCE,
        partial(indexed, figure=end_diastolic_ml),
        "Output",
        Normal(29.0, 74.0, SOURCE),
    ),
    Measure(
        "esvi",
        "ESV index",
        "mL/m²",
        0,
        SOURCE,
        partial(indexed, figure=end_systolic_ml),
        "Output",
        Normal(8.0, 31.0, SOURCE),
    ),
)
