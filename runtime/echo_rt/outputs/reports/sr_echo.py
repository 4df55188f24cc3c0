"""The content of a Simplified Adult Echo report: TID 5300 of PS3.16."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    LanguageOfContentItemAndDescendants,
    NumContentItem,
    ObservationContext,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.valuerep import DS

from echo_rt.outputs.reports import sr_codes
from echo_rt.outputs.reports.identifiers import RESEARCH
from echo_rt.outputs.reports.sr_codes import Term
from echo_rt.outputs.reports.sr_figures import Figure, Section

TEMPLATE = "5300"
ENGLISH = Term("en", "RFC5646", "English")
COMMENT = Term("121106", "DCM", "Comment")
SOURCE = Term("121112", "DCM", "Source of Measurement")

_TITLE = Term("125200", "DCM", "Adult Echocardiography Procedure Report")
_CORE = Term("125301", "DCM", "Pre-coordinated Measurements")
_OTHER = Term("125302", "DCM", "Post-coordinated Measurements")
_SHORT_LABEL = Term("125309", "DCM", "Short Label")
_DERIVATION = Term("121401", "DCM", "Derivation")
_BODY_SURFACE = Term("8277-6", "LN", "Body Surface Area")

_MODIFIERS = {
    "kind": Term("125306", "DCM", "Measurement Type"),
    "site": Term("363698007", "SCT", "Finding Site"),
    "observed": Term("125305", "DCM", "Finding Observation Type"),
    "property": Term("125307", "DCM", "Measured Property"),
    "cycle": Term("272518008", "SCT", "Cardiac Cycle Point"),
    "method": Term("370129005", "SCT", "Measurement Method"),
    "mode": Term("399264008", "SCT", "Image Mode"),
    "view": Term("111031", "DCM", "Image View"),
    "divisor": Term("125308", "DCM", "Measurement Divisor"),
}
_TWO_DIMENSIONS = Term("399064001", "SCT", "2D mode")


def concept(term: Term) -> CodedConcept:
    """As highdicom has it."""
    return CodedConcept(*term)


def echo_report(
    sections: Sequence[Section], context: ObservationContext, sources: Mapping[str, tuple[str, str]]
) -> ContainerContentItem:
    """The root of the content tree.

    Args:
        sections: what it says.
        context: who observed.
        sources: SOP class and instance UIDs of the recordings that can be referred to, by the recording.
    """
    root = ContainerContentItem(concept(_TITLE), template_id=TEMPLATE)
    children: list[ContentItem] = [*LanguageOfContentItemAndDescendants(concept(ENGLISH)), *context]
    for core, title in ((True, _CORE), (False, _OTHER)):
        measured = [
            _measurement(figure, sources.get(section.recording))
            for section in sections
            for figure in section.figures
            if figure.core is core
        ]
        if measured:
            container = ContainerContentItem(concept(title), relationship_type="CONTAINS")
            container.ContentSequence = ContentSequence(measured)
            children.append(container)
    remarks = [f"{section.title}: {remark}" for section in sections for remark in section.remarks]
    children += [text(COMMENT, said, "CONTAINS") for said in (RESEARCH, *remarks)]
    root.ContentSequence = ContentSequence(children)
    return root


def as_told(number: Dataset, value: float) -> None:
    """Write a number as summary.json does: pydicom makes 71.0 of 71."""
    number.MeasuredValueSequence[0].NumericValue = DS(json.dumps(value))


def text(name: Term, said: str, relationship: str) -> TextContentItem:
    """A text with its concept name."""
    return TextContentItem(concept(name), said, relationship_type=relationship)


def _measurement(figure: Figure, source: tuple[str, str] | None) -> NumContentItem:
    """TID 5301 for a core measurement, TID 5302 with the facets for any other."""
    number = NumContentItem(
        concept(figure.code), figure.value, concept(sr_codes.UNITS[figure.unit]), relationship_type="CONTAINS"
    )
    as_told(number, figure.value)
    children: list[ContentItem] = [] if figure.core else _modifiers(figure)
    if figure.derivation is not None:
        children.append(_coded(_DERIVATION, figure.derivation))
    children.append(text(_SHORT_LABEL, figure.label, "HAS PROPERTIES"))
    if source is not None:
        frames = list(figure.frames) or None
        children.append(ImageContentItem(concept(SOURCE), *source, frames, relationship_type="INFERRED FROM"))
    number.ContentSequence = ContentSequence(children)
    return number


def _modifiers(figure: Figure) -> list[ContentItem]:
    of = figure.facets
    values = {
        "kind": of.kind,
        "site": of.site,
        "observed": of.observed,
        "property": of.property or figure.code,
        "cycle": of.cycle,
        "method": figure.method,
        "mode": _TWO_DIMENSIONS,
        "view": sr_codes.VIEWS.get(figure.view or ""),
        "divisor": _BODY_SURFACE if of.kind is sr_codes.INDEXED else None,
    }
    return [_coded(_MODIFIERS[name], value) for name, value in values.items() if value is not None]


def _coded(name: Term, value: Term) -> CodeContentItem:
    return CodeContentItem(concept(name), concept(value), relationship_type="HAS CONCEPT MOD")
