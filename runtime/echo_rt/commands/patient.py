"""The patient on the command line: height and weight, for what is told per body surface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from echo_rt.measures import Body

HeightCm = Annotated[
    float | None, typer.Option(help="Height of the patient, for figures per body surface; with --weight-kg.")
]
WeightKg = Annotated[float | None, typer.Option(help="Weight of the patient; with --height-cm.")]


def patient_of(height_cm: float | None, weight_kg: float | None) -> Body | None:
    """How large the patient is, as the options say; None where they say nothing.

    Raises:
        ParameterError: no patient is so large or so small.
    """
    from echo_rt.measures import Body

    return None if height_cm is None and weight_kg is None else Body(height_cm, weight_kg)


def check_one_patient(body: Body | None, recordings: int) -> None:
    """Refuse the height and weight of one patient for recordings of several.

    Raises:
        ParameterError: there are several recordings.
    """
    from echo_rt.errors import ParameterError

    if body is not None and recordings != 1:
        raise ParameterError(
            f"expected one recording with --height-cm and --weight-kg, or an A4C with its --a2c, found {recordings}: "
            "they may be of several patients; give each one its own command"
        )


def check_whole(body: Body | None) -> None:
    """Refuse one of the two options where no header can have the other.

    Raises:
        ParameterError: height or weight alone was given.
    """
    from echo_rt.errors import ParameterError

    if body is not None and body.surface_m2 is None:
        given, other = ("--height-cm", "--weight-kg") if body.weight_kg is None else ("--weight-kg", "--height-cm")
        raise ParameterError(f"expected --height-cm and --weight-kg together, found {given} alone; add {other}")
