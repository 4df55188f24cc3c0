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


REPORTS: dict[str, Report] = {
    "html": Report("report.html", _html, "a page for a browser", THUMBNAIL),
    "pdf": Report("report.pdf", _pdf, "the same page on paper"),
    "fhir": Report("report.fhir.json", _fhir, "FHIR R4 Observations"),
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
