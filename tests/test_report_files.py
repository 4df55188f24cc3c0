"""Reports as files: pictures within bounds, PDF on two sheets, nothing half-written, missing libraries named."""

from __future__ import annotations

import errno
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest

from echo_rt.errors import MissingExtraError, OutputError, ParameterError
from echo_rt.outputs import RecordingFiles
from echo_rt.outputs.folder import FILES
from echo_rt.outputs.reports import REPORTS, Asked, check_reports
from echo_rt.outputs.reports.moments import BEATS, SIDE, WAITING, Moments
from echo_rt.outputs.reports.page import PageOutput
from support.pages import needs_pango
from support.results import provenance, result_of
from support.synthetic import clip

LITTLE = ("overlay.mp4", "masks.npz", "curve.png", "readings.csv")


def test_the_pictures_are_those_of_the_beat_nearest_to_the_ef() -> None:
    moments, frames = Moments(), list(clip(300))
    for frame, reading in frames:
        moments.take(frame, reading)
    result = result_of(frames)
    used = [beat for beat in result.beats if beat.accepted][-result.ef.beats :]
    nearest = min(used, key=lambda beat: abs(beat.ef_percent - result.ef.percent))
    pair = moments.pair(result)
    assert pair is not None
    assert pair.ed.t_s == pytest.approx(nearest.t_ed_s, abs=0.02)
    assert pair.es.t_s == pytest.approx(nearest.t_es_s, abs=0.02)
    assert pair.ed.contour is not None
    assert np.ptp(pair.ed.contour[:, 0]) > np.ptp(pair.es.contour[:, 0])


def test_few_pictures_are_kept_however_long_and_large_a_recording_is() -> None:
    moments = Moments()
    for frame, reading in clip(WAITING + 150, image=(480, 640)):
        moments.take(frame, reading)
    kept = [*moments._waiting, *(picture for _, pair in moments._beats for picture in pair)]
    assert len(kept) <= WAITING + 2 * BEATS
    assert {picture.image.shape for picture in kept} == {(288, SIDE)}
    assert {picture.image.dtype for picture in kept} == {np.dtype(np.uint8)}
    assert all(picture.image.base is None or picture.image.base.nbytes <= SIDE * SIDE for picture in kept)


@needs_pango
@pytest.mark.parametrize("beats", [60, 75])
def test_a_long_recording_still_fits_on_two_sheets(tmp_path: Path, beats: int) -> None:
    frames = list(clip(8 * beats + 2, fps=10, image=(48, 64), bad=range(50, 60), rejected=frozenset({7, 20})))
    output = REPORTS["pdf"].open(Asked(tmp_path / "report.pdf", "a very long name " * 12, None))
    for frame, reading in frames:
        output.write(frame, reading)
    output.finish(result_of(frames, source=replace(provenance(), notes=("a note of the source " * 8,) * 20)))
    assert len(pypdf.PdfReader(tmp_path / "report.pdf").pages) <= 2


def test_reports_lie_beside_the_other_files(tmp_path: Path) -> None:
    with RecordingFiles(tmp_path, "clip", leave_out=LITTLE, reports=("html",)) as files:
        result_of(clip(60), files=files)
    assert {path.name for path in (tmp_path / "clip").iterdir()} == {"report.html", "thumbnail.png", "summary.json"}
    assert {"report.html", "report.pdf", "thumbnail.png"} <= set(FILES)


def test_a_page_that_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RecordingFiles(tmp_path, "clip", leave_out=LITTLE, reports=("html",)) as files:
        result_of(clip(60), files=files)
    before = {path.name: path.read_bytes() for path in (tmp_path / "clip").iterdir()}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(PageOutput, "_save", full)
    with (
        pytest.raises(OutputError, match=r"report\.html: expected to write there, found: No space left"),
        RecordingFiles(tmp_path, "clip", leave_out=LITTLE, reports=("html",)) as files,
    ):
        result_of(clip(90), files=files)
    assert {path.name: path.read_bytes() for path in (tmp_path / "clip").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


@pytest.mark.parametrize(("kind", "library"), [("html", "jinja2"), ("pdf", "weasyprint")])
def test_a_missing_library_is_named_before_the_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, library: str
) -> None:
    from echo_rt.outputs.reports import page

    page.template.cache_clear()
    monkeypatch.setitem(sys.modules, library, None)
    words = rf"--report {kind} needs a part that is not installed: run  pip install 'echo-rt\[reports\]'"
    with pytest.raises(MissingExtraError, match=words), RecordingFiles(tmp_path, "clip", reports=(kind,)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_missing_pango_is_named_before_the_first_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoPango:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoPango(), *sys.meta_path])
    with (
        pytest.raises(OutputError, match=r"expected Pango, found: cannot load library .*apt-get install libpango"),
        RecordingFiles(tmp_path, "clip", reports=("pdf",)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_report_is_refused_with_those_that_there_are() -> None:
    assert check_reports(["html", "pdf", "html"]) == ("html", "pdf")
    with pytest.raises(ParameterError, match=r"--report: expected html, .*pdf.*, found 'docx'"):
        check_reports(["docx"])
