"""What other systems and people take of a recording's result, each a file beside the others.

Each renders `RecordingResult`, and decides nothing. May import the rest of `outputs` and the ground floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from echo_rt.errors import ParameterError
from echo_rt.outputs.base import FileOutput


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is made for.

    Attributes:
        path: of the file.
        name: of the recording, as a title.
        recording: its path or address, whose DICOM header may be asked for patient and study; None where it is not
            known.
    """

    path: Path
    name: str
    recording: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """One kind.

    Attributes:
        file: its name in the folder of results.
        open: makes it; what it imports is imported there. MissingExtraError says what this installation lacks.
        about: for people, in a few words.
        beside: a further file that it writes.
    """

    file: str
    open: Callable[[Asked], FileOutput]
    about: str
    beside: str | None = None


THUMBNAIL = "thumbnail.png"


def _fhir(asked: Asked) -> FileOutput:
    from echo_rt.outputs.reports.fhir import FhirOutput

    return FhirOutput(asked.path)


def _html(asked: Asked) -> FileOutput:
    from echo_rt.outputs.reports.page import PageOutput

    return PageOutput(asked)


def _pdf(asked: Asked) -> FileOutput:
    from echo_rt.outputs.reports.pdf import PdfOutput

    return PdfOutput(asked)


def _sr(asked: Asked) -> FileOutput:
    from echo_rt.outputs.reports.sr import ECHO, open_sr

    return open_sr(asked, ECHO)


def _sr1500(asked: Asked) -> FileOutput:
    from echo_rt.outputs.reports.sr import MEASUREMENTS, open_sr

    return open_sr(asked, MEASUREMENTS)


def _seg(asked: Asked) -> FileOutput:
    from echo_rt.outputs.reports.seg import SegmentationOutput

    return SegmentationOutput(asked)


def _labelmap(asked: Asked) -> FileOutput:
    from echo_rt.outputs.reports.seg import SegmentationOutput

    return SegmentationOutput(asked, label_map=True)


REPORTS: dict[str, Report] = {
    "html": Report("report.html", _html, "a page for a browser", THUMBNAIL),
    "pdf": Report("report.pdf", _pdf, "the same page on paper"),
    "fhir": Report("report.fhir.json", _fhir, "FHIR R4 Observations"),
    "sr": Report("report.sr.dcm", _sr, "a DICOM structured report, Simplified Adult Echo"),
    "sr1500": Report("report.tid1500.dcm", _sr1500, "a DICOM measurement report (TID 1500)"),
    "seg": Report("segmentation.dcm", _seg, "a DICOM segmentation of every frame"),
    "labelmap": Report("segmentation.labelmap.dcm", _labelmap, "the same as a label map, compressed"),
}
"""By the name that `--report` takes. A new one adds its line here."""


def check_reports(kinds: Iterable[str]) -> tuple[str, ...]:
    """The same kinds, each once.

    Raises:
        ParameterError: there is no such report.
    """
    asked = tuple(dict.fromkeys(kinds))
    if unknown := [kind for kind in asked if kind not in REPORTS]:
        raise ParameterError(f"--report: expected {', '.join(REPORTS)}, found {', '.join(map(repr, unknown))}")
    return asked
