"""report.pdf: the page of report.html on one or two sheets of A4, by WeasyPrint."""

from __future__ import annotations

from typing import Any

from echo_rt.errors import MissingExtraError, OutputError, first_line
from echo_rt.outputs.reports import Asked
from echo_rt.outputs.reports.page import PageOutput
from echo_rt.result import RecordingResult

SHEETS = 2

SIZES_PT = (8.3, 7.6, 7.0, 6.4)
"""Of the letters: the first with which the page is on so many sheets."""


def printer() -> Any:
    """The module of WeasyPrint.

    Raises:
        MissingExtraError: it is not installed.
        OutputError: Pango is not, which draws its letters.
    """
    try:
        import weasyprint
    except ImportError:
        raise MissingExtraError("--report pdf", "reports") from None
    except OSError as error:
        raise OutputError(
            f"--report pdf: expected Pango, found: {first_line(error)}; install it (Debian: apt-get install "
            "libpango-1.0-0 libpangoft2-1.0-0), or ask for --report html"
        ) from None
    return weasyprint


class PdfOutput(PageOutput):
    """Prints the page that `PageOutput` draws.

    Raises:
        MissingExtraError: WeasyPrint or Jinja is not installed.
        OutputError: Pango is not installed, or the file cannot be written.
    """

    def __init__(self, asked: Asked) -> None:
        self._printer = printer()
        super().__init__(asked)

    def _save(self, page: str, result: RecordingResult) -> None:
        # The page has all in itself: nothing else is fetched.
        fetcher = self._printer.urls.URLFetcher(allowed_protocols={"data"})
        document = self._printer.HTML(string=page, url_fetcher=fetcher)
        for size in SIZES_PT:
            smaller = self._printer.CSS(string=f"html {{ font-size: {size}pt !important }}")
            printed = document.render(stylesheets=[smaller], pdf_variant="pdf/ua-1")
            if len(printed.pages) <= SHEETS:
                break
        self.path.write_bytes(printed.write_pdf())
