"""The content of a measurement report, TID 1500 of PS3.16, for viewers that read no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from highdicom.sr import (
    AlgorithmIdentification,
    FindingSite,
    LanguageOfContentItemAndDescendants,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    SourceImageForMeasurement,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from echo_rt.outputs.reports.identifiers import MAKER, RESEARCH, Maker, made_up_uid
from echo_rt.outputs.reports.sr_codes import UNITS, Term
from echo_rt.outputs.reports.sr_echo import COMMENT, ENGLISH, as_told, concept, text
from echo_rt.outputs.reports.sr_figures import Figure, Section

_PROCEDURE = Term("433236007", "SCT", "Transthoracic echocardiography")
_INTELLIGENCE = Term("123110", "DCM", "Artificial Intelligence")


def measurement_report(
    sections: Sequence[Section],
    context: ObservationContext,
    sources: Mapping[str, tuple[str, str]],
    maker: Maker,
    document: str,
) -> MeasurementReport:
    """The root of the content tree, a measurement group for each section.

    Args:
        sections, context, sources: as in `echo_report`.
        maker: who measured.
        document: UID of the document, from which those of the groups are made.
    """
    groups = []
    for number, section in enumerate(sections, 1):
        source = sources.get(section.recording)
        group = MeasurementsAndQualitativeEvaluations(
            TrackingIdentifier(uid=made_up_uid(document, str(number)), identifier=section.title),
            algorithm_id=AlgorithmIdentification(*maker.algorithm, family=concept(_INTELLIGENCE), manufacturer=MAKER),
            measurements=[_measurement(figure, source) for figure in section.figures],
            source_images=[SourceImageForMeasurementGroup(*source)] if source else None,
        )
        remarks = section.remarks if number > 1 else (RESEARCH, *section.remarks)
        group[0].ContentSequence.extend([text(COMMENT, said, "CONTAINS") for said in remarks])
        groups.append(group)
    return MeasurementReport(
        context,
        concept(_PROCEDURE),
        groups,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(concept(ENGLISH)),
    )


def _measurement(figure: Figure, source: tuple[str, str] | None) -> Measurement:
    measurement = Measurement(
        concept(figure.code),
        figure.value,
        concept(UNITS[figure.unit]),
        derivation=None if figure.derivation is None else concept(figure.derivation),
        finding_sites=[FindingSite(concept(figure.facets.site))],
        method=None if figure.method is None else concept(figure.method),
        referenced_images=None if source is None else [SourceImageForMeasurement(*source, list(figure.frames) or None)],
    )
    as_told(measurement[0], figure.value)
    return measurement
