"""Biplane figures of a study whose views were followed one by one, on whatever machine.

Of each recording its document keeps what `echo_rt.together` makes them of. So no recording is followed twice, and the
figures are those of `echo_rt.process(a4c, a2c=a2c)`.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from echo_rt.chambers import BeatDisks, Disks
from echo_rt.checked import MismatchError, Verbatim, record
from echo_rt.fields import rounded, significant
from echo_rt.provenance import Identity
from echo_rt.reading import APICAL_VIEWS

if TYPE_CHECKING:
    from echo_rt.arrays import Array
    from echo_rt.cardiac.two_views import ViewEvidence
    from echo_rt.chambers import BeatDisks, Disks
    from echo_rt.measures import MeasureFigure
    from echo_rt.model import ModelSpec
    from echo_rt.reading import Beat
    from echo_rt.result import RecordingResult
    from echo_rt.together import OneView

PREFIX = "biplane_"
"""Of the columns of two views; the mean strain has a name of its own already."""


@dataclass(frozen=True)
class KeptBeat:
    """An accepted beat, as in `echo_rt.reading.Beat`."""

    t_ed_s: float
    t_es_s: float
    t_next_ed_s: float
    edv: float
    esv: float
    eda: float
    esa: float
    ef_percent: float
    fac_percent: float
    expected_dice: float | None
    ed: Disks | None
    es: Disks | None


@dataclass(frozen=True)
class KeptFigure:
    """`echo_rt.measures.MeasureFigure`, of the measure of that name."""

    name: str
    scale: str
    value: float | None
    reason: str | None
    spread: float | None
    beats: int


@dataclass(frozen=True)
class KeptRolling:
    """`echo_rt.measures.Rolling`."""

    fac_percent: float | None
    heart_rate_bpm: float | None
    rr_variation_percent: float | None
    irregular: bool
    height_cm: float | None
    weight_kg: float | None
    measures: tuple[KeptFigure, ...]


@dataclass(frozen=True)
class KeptView:
    """What the document of a recording keeps for another view of the same heart: `echo_rt.together.OneView`.

    Attributes:
        said, patient, study, seen: of `echo_rt.cardiac.two_views.ViewEvidence`.
        pictures: its small pictures, grey levels from 0 to 255, row after row: deflated, then in base 64.
    """

    said: str | None
    patient: str | None
    study: str | None
    seen: Mapping[str, int]
    pictures: Verbatim
    calibrated: bool
    beats: tuple[KeptBeat, ...]
    figures: KeptRolling


def evidence_fields(result: RecordingResult, evidence: ViewEvidence) -> dict[str, Any]:
    """What a second view needs to know of a recording that was followed alone; for JSON, every figure exact."""
    figures = result.figures
    kept = KeptView(
        said=evidence.said,
        patient=evidence.identity.patient,
        study=evidence.identity.study,
        seen=dict(evidence.seen),
        pictures=_packed(evidence.pictures),
        calibrated=result.frames.scale.calibrated,
        beats=tuple(_kept_beat(beat) for beat in result.beats if beat.accepted),
        figures=KeptRolling(
            figures.fac_percent,
            figures.heart_rate_bpm,
            figures.rr_variation_percent,
            figures.irregular,
            figures.body.height_cm,
            figures.body.weight_kg,
            tuple(_kept_figure(figure) for figure in figures.measures),
        ),
    )
    return asdict(kept)


def view_of(fields: object) -> OneView:
    """What `evidence_fields` gave, read back from JSON.

    Raises:
        MismatchError: it is something else.
    """
    from echo_rt.cardiac.two_views import ViewEvidence
    from echo_rt.measures import Body, Rolling
    from echo_rt.together import OneView

    kept = record(KeptView, fields, "pair")
    evidence = ViewEvidence(kept.said, Identity(kept.patient, kept.study), kept.seen, _unpacked(kept.pictures))
    said = kept.figures
    figures = Rolling(
        said.fac_percent,
        said.heart_rate_bpm,
        said.rr_variation_percent,
        said.irregular,
        tuple(_figure(figure) for figure in said.measures),
        Body(said.height_cm, said.weight_kg),
    )
    return OneView(evidence, kept.calibrated, tuple(_beat(beat) for beat in kept.beats), figures)


def paired(documents: Sequence[Mapping[str, Any]], spec: ModelSpec) -> dict[str, dict[str, Any]]:
    """The biplane columns of the recordings of one study, by recording, or the reason why there are none.

    The view of a recording is what its header says, else what the model clearly sees. Of each view one recording
    counts: that of the most accepted beats; of these that of the largest share of usable frames; of these the first by
    its address. Both get the same figures. The other recordings of a view get a reason.

    Args:
        documents: in any order; those without evidence for a pair get nothing. One whose evidence is not as we write
            it gets that as its reason.
        spec: of the model that followed them.
    """
    known = {str(document["recording"]): document for document in documents if document.get("pair")}
    read = {recording: _view_or_why_not(document) for recording, document in known.items()}
    views = {recording: view for recording, view in read.items() if not isinstance(view, str)}
    columns = {recording: {f"{PREFIX}reason": why} for recording, why in read.items() if isinstance(why, str)}
    found: dict[str, list[str]] = {view: [] for view in APICAL_VIEWS}
    for recording, view in views.items():
        if (shown := view.evidence.said or view.evidence.shown) in found:
            found[shown].append(recording)
    ranks = {
        recording: (-len(views[recording].beats), -_usable(known[recording]), recording)
        for alike in found.values()
        for recording in alike
    }
    chosen = [min(alike, key=ranks.__getitem__, default=None) for alike in found.values()]
    (a4c, a2c) = chosen
    missing = next((view for view, best in zip(APICAL_VIEWS, chosen, strict=True) if best is None), None)
    for name, alike in found.items():
        better = f"another {name} recording of the study counts: it has as many usable beats and frames, or more"
        reason = better if missing is None else f"no {missing} recording in the study"
        columns |= {recording: {f"{PREFIX}reason": reason} for recording in alike}
    if a4c is not None and a2c is not None:
        figures = _columns(views[a4c], views[a2c], spec)
        columns |= {a4c: {**figures, f"{PREFIX}with": a2c}, a2c: {**figures, f"{PREFIX}with": a4c}}
    return columns


def figure_columns() -> dict[str, str]:
    """The columns of the measures that are made of both views, by the name of the measure."""
    from echo_rt.cardiac.measures.table import MEASURES
    from echo_rt.cardiac.measures.two_views import OF_BOTH
    from echo_rt.chambers import Scale

    names = {measure.name: measure.column(Scale.MM) for measure in MEASURES}
    return {name: names[name] if name == "ls_mean" else PREFIX + names[name] for name in OF_BOTH}


def _columns(a4c: OneView, a2c: OneView, spec: ModelSpec) -> dict[str, Any]:
    from echo_rt.together import both_views, shared_bodies

    bodies = shared_bodies([a4c.figures.body, a2c.figures.body], [a4c.evidence.identity, a2c.evidence.identity])
    a4c, a2c = (
        replace(view, figures=replace(view.figures, body=body)) for view, body in zip((a4c, a2c), bodies, strict=True)
    )
    found, figures = both_views(a4c, a2c, spec)
    values = {figure.measure.name: figure.to_dict()["value"] for figure in figures.measures}
    return {
        f"{PREFIX}ef_percent": rounded(found.ef.percent, 1),
        f"{PREFIX}ef_low": rounded(found.ef.low, 1),
        f"{PREFIX}ef_high": rounded(found.ef.high, 1),
        f"{PREFIX}edv_ml": significant(found.edv),
        f"{PREFIX}esv_ml": significant(found.esv),
        f"{PREFIX}pairs": len(found.beats),
        f"{PREFIX}reason": found.ef.reason,
        f"{PREFIX}note": "; ".join(filter(None, (found.volume_note, *found.doubts))) or None,
        **{column: values.get(name) for name, column in figure_columns().items()},
    }


def _view_or_why_not(document: Mapping[str, Any]) -> OneView | str:
    try:
        return view_of(document["pair"])
    except MismatchError as error:
        return f"its document is damaged: {error}"


def _usable(document: Mapping[str, Any]) -> float:
    """Share of the frames that could be used."""
    summary = document["summary"]
    rejected: int = sum(summary["rejected_frames"].values())
    return 1 - rejected / max(1, int(summary["frames"]))


def _kept_beat(beat: Beat) -> KeptBeat:
    disks = beat.details.disks
    ed, es = (None, None) if disks is None else disks
    return KeptBeat(
        **{name: float(getattr(beat, name)) for name in _BEAT},
        expected_dice=beat.details.expected_dice,
        ed=ed,
        es=es,
    )


_BEAT = tuple(name for name, kind in KeptBeat.__annotations__.items() if kind == "float")


def _beat(kept: KeptBeat) -> Beat:
    from echo_rt.reading import Beat, BeatDetails

    disks = None if kept.ed is None or kept.es is None else BeatDisks(kept.ed, kept.es)
    details = BeatDetails(disks, kept.expected_dice)
    return Beat(**{name: getattr(kept, name) for name in _BEAT}, details=details)


def _kept_figure(figure: MeasureFigure) -> KeptFigure:
    return KeptFigure(
        figure.measure.name, figure.scale.length, figure.value, figure.reason, figure.spread, figure.beats
    )


def _figure(kept: KeptFigure) -> MeasureFigure:
    from echo_rt.cardiac.measures.table import MEASURES
    from echo_rt.chambers import Scale
    from echo_rt.measures import MeasureFigure

    measure = next((measure for measure in MEASURES if measure.name == kept.name), None)
    scale = next((scale for scale in Scale if scale.length == kept.scale), None)
    if measure is None or scale is None:
        raise MismatchError(f"expected a measure of this version in mm or px, found {kept.name} in {kept.scale}")
    return MeasureFigure(measure, scale, kept.value, kept.reason, kept.spread, kept.beats)


def _packed(pictures: Sequence[Array]) -> Verbatim:
    """Small pictures are made of grey levels: a byte a pixel holds them exactly."""
    import numpy as np

    levels = b"".join(picture.astype(np.uint8).tobytes() for picture in pictures)
    return Verbatim(base64.b64encode(zlib.compress(levels, 9)).decode())


def _unpacked(packed: str) -> tuple[Array, ...]:
    import numpy as np

    from echo_rt.cardiac.two_views import PICTURES, SIDE_PX

    try:
        levels = zlib.decompressobj().decompress(base64.b64decode(packed, validate=True), PICTURES * SIDE_PX**2)
        pictures = np.frombuffer(levels, np.uint8).reshape(-1, SIDE_PX, SIDE_PX)
    except (ValueError, zlib.error):
        raise MismatchError(f"expected pictures of {SIDE_PX} x {SIDE_PX} pixels, found something else") from None
    return tuple(picture.astype(np.float64) for picture in pictures)
