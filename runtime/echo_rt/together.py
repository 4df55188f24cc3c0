"""Recordings of one heart, taken together: two views, or one alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echo_rt.cardiac.two_views import ViewEvidence
    from echo_rt.engine import Engine
    from echo_rt.measures import Body, Rolling
    from echo_rt.model import ModelSpec
    from echo_rt.provenance import Identity
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
    said = shared_bodies(said, [recording.identity for recording in recordings if recording is not None])
    if given is None:
        return said
    found = [given.or_else(body) for body in said]
    if given != Body() and all(body.surface_m2 is None for body in found):
        here, other = ("height", "weight in kg") if given.weight_kg is None else ("weight", "height in cm")
        raise ParameterError(
            f"expected height and weight of the patient, found the {here} alone; give the {other} too: no header has it"
        )
    return found


def shared_bodies(said: Sequence[Body], identities: Sequence[Identity]) -> list[Body]:
    """Those of the recordings; where one is not known, that of another of the same patient, as far as headers say."""
    whole = next((body for body in said if body.surface_m2 is not None), None)
    if whole is None or len({identity.patient for identity in identities} - {None}) > 1:
        return list(said)
    return [whole if body.surface_m2 is None else body for body in said]


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


@dataclass(frozen=True)
class OneView:
    """All of one recording that the figures of two views are made of.

    Attributes:
        evidence: of its view.
        calibrated: whether its scale is known.
        beats: the accepted ones at least.
        figures: of these beats.
    """

    evidence: ViewEvidence
    calibrated: bool
    beats: Sequence[Beat]
    figures: Rolling

    @classmethod
    def of(cls, result: RecordingResult, evidence: ViewEvidence) -> OneView:
        """That of a recording that was followed."""
        return cls(evidence, result.frames.scale.calibrated, result.beats, result.figures)


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
    found, figures = both_views(OneView.of(a4c, one), OneView.of(a2c, other), engine.spec)
    return [a4c.with_second_view(a2c, found, figures), a2c]


def both_views(a4c: OneView, a2c: OneView, spec: ModelSpec) -> tuple[Biplane, Rolling]:
    """The biplane figures of two recordings of one heart, or why there are none, and all further measures."""
    from echo_rt.cardiac.measures.two_views import joined

    known, evidence = (a4c.calibrated, a2c.calibrated), (a4c.evidence, a2c.evidence)
    found = joint(spec, (a4c.beats, a2c.beats), known, evidence)
    return found, joined(a4c.figures, a2c.figures, found)
