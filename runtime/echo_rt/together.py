"""Recordings of one heart, taken together: two views, or one alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echo_rt.cardiac.two_views import ViewEvidence
    from echo_rt.engine import Engine
    from echo_rt.measures import Body
    from echo_rt.model import ModelSpec
    from echo_rt.reading import Beat
    from echo_rt.result import Biplane, RecordingResult
    from echo_rt.sources import Source


def bodies(given: Body | None, sources: Sequence[Source]) -> list[Body]:
    """How large the patient of each recording is.

    What was given comes first, then what the recording's header says, then that of the other view of the same patient.

    Args:
        given: of the patient of all of them; None for nothing.
        sources: entered.

    Raises:
        ParameterError: height or weight was given without the other, and no header has that.
    """
    from echo_rt.errors import ParameterError
    from echo_rt.measures import Body
    from echo_rt.sources.base import Recording

    recordings = [source if isinstance(source, Recording) else None for source in sources]
    said = [Body() if recording is None else recording.body for recording in recordings]
    patients = {recording.identity.patient for recording in recordings if recording is not None} - {None}
    if len(patients) <= 1:
        whole = next((body for body in said if body.surface_m2 is not None), None)
        said = [body if whole is None or body.surface_m2 is not None else whole for body in said]
    if given is None:
        return said
    found = [given.or_else(body) for body in said]
    if given != Body() and all(body.surface_m2 is None for body in found):
        here, other = ("height", "weight in kg") if given.weight_kg is None else ("weight", "height in cm")
        raise ParameterError(
            f"expected height and weight of the patient, found the {here} alone; give the {other} too: no header has it"
        )
    return found


def check_method(ef_method: str, two_views: bool) -> None:
    """See that the EF method fits the number of views; ParameterError says what does."""
    from echo_rt.errors import ParameterError

    if ef_method == "biplane" and not two_views:
        raise ParameterError(
            "expected an A2C recording beside the A4C one for the EF method biplane, found none; name it (--a2c)"
        )
    if two_views and ef_method not in ("disks", "biplane"):
        raise ParameterError(
            f"expected the EF method biplane, which is made of disks, with an A2C recording, found {ef_method!r}"
        )


def joint(
    spec: ModelSpec,
    beats: tuple[Sequence[Beat], Sequence[Beat]],
    calibrated: tuple[bool, bool],
    evidence: tuple[ViewEvidence, ViewEvidence],
) -> Biplane:
    """What two views of one heart come to, or why they come to nothing. Each pair is A4C, then A2C.

    Args:
        spec: of the model, which knows its error.
        beats: of each view, accepted or not.
        calibrated: whether the scale of each is known.
        evidence: what is known of each view.
    """
    from echo_rt.cardiac.biplane import biplane, no_biplane
    from echo_rt.cardiac.ejection_fraction import error_points
    from echo_rt.cardiac.two_views import doubts, why_not

    if (reason := why_not(*evidence)) is not None:
        return no_biplane(reason)
    error = error_points(spec, "biplane", [beat for view in beats for beat in view if beat.accepted])
    return replace(biplane(*beats, calibrated=calibrated, error_points=error), doubts=doubts(*evidence))


def together(followed: list[tuple[RecordingResult, ViewEvidence]], engine: Engine) -> list[RecordingResult]:
    """Those of the recordings; of two that of the first tells of both."""
    if len(followed) == 1:
        return [followed[0][0]]
    (a4c, one), (a2c, other) = followed
    known = (a4c.frames.scale.calibrated, a2c.frames.scale.calibrated)
    return [_two_views(a4c, a2c, joint(engine.spec, (a4c.beats, a2c.beats), known, (one, other))), a2c]


def _two_views(a4c: RecordingResult, a2c: RecordingResult, found: Biplane) -> RecordingResult:
    from echo_rt.cardiac.measures.two_views import joined

    return a4c.with_second_view(a2c, found, joined(a4c.figures, a2c.figures, found))
