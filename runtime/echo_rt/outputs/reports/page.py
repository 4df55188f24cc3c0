"""report.html: one page of a recording, for people, whole in itself."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echo_rt.errors import MissingExtraError, output_errors
from echo_rt.frame import Frame
from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.fonts import quiet
from echo_rt.outputs.reports import THUMBNAIL, Asked
from echo_rt.outputs.reports.parts import Parts
from echo_rt.outputs.reports.pictures import drawn, thumbnail
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATES = Path(__file__).with_name("templates")


@cache
def template(name: str) -> Template:
    """A template of the folder beside this module: what is put into it is escaped.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingExtraError("--report html", "reports") from None
    folder = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return folder.get_template(name)


def style(name: str) -> Any:
    """A style sheet of that folder, as it may stand in a page unescaped: it is ours."""
    from markupsafe import Markup

    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


class PageOutput(FileOutput):
    """Draws the page at the end, and a thumbnail for the index of a batch beside it.

    It keeps some numbers a frame, as the curve does, and some 200 small pictures: see `moments`.

    Args:
        asked: what it is made for.

    Raises:
        MissingExtraError: Jinja is not installed.
        OutputError: the file cannot be written.
    """

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked.path)
        self._name, self._parts = asked.name, Parts()
        self._template = template("report.html")
        self._open = True

    def write(self, frame: Frame, reading: Reading) -> None:
        self._parts.take(frame, reading)

    def finish(self, result: RecordingResult) -> None:
        if not self._open:
            return
        self._open = False
        with output_errors(self.path):
            page = self.page(result)
            self._save(page, result)
        self._parts = Parts()

    def discard(self) -> None:
        self._parts = Parts()

    def page(self, result: RecordingResult) -> str:
        """The page as HTML."""
        from echo_rt.outputs.reports.sheet import sheet

        pair, moments = self._parts.moments.pair(result), self._parts.moments
        return self._template.render(
            sheet(result, self._name),
            css=style("page.css"),
            drawing=style("drawing.css"),
            ed=pair and drawn(pair.ed),
            es=pair and drawn(pair.es),
            any=moments.any and drawn(moments.any, outlined=False),
            figure=self._figure(result),
        )

    def _save(self, page: str, result: RecordingResult) -> None:
        self.path.write_text(page, encoding="utf-8")
        pair = self._parts.moments.pair(result)
        if (picture := pair.ed if pair else self._parts.moments.any) is not None:
            self.path.with_name(THUMBNAIL).write_bytes(thumbnail(picture, outlined=pair is not None))

    def _figure(self, result: RecordingResult) -> str:
        """The drawing over time as a data address; empty without frames."""
        if not self._parts.unusable:
            return ""
        with quiet():
            from echo_rt.outputs.reports.page_figure import draw_figure

            svg = draw_figure(self._parts, result)
        return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
