"""report.html and report.pdf: what they say of a recording, and how."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdf
import pytest

from echo_rt import process
from echo_rt.chambers import Scale
from echo_rt.outputs.reports import Asked
from echo_rt.outputs.reports.bulls_eye import place_of
from echo_rt.outputs.reports.page import PageOutput
from echo_rt.reading import SEGMENTS, Reason
from echo_rt.result import RecordingResult
from echo_rt.wall import SegmentMotion, Wall
from support.pages import Page, at, can_print, needs_pango
from support.results import provenance, result_of
from support.synthetic import clip

HOSTILE = '<script>alert(1)</script> & "q" \'<img src=x onerror=alert(2)>'


def page_of(
    folder: Path, frames: list, source: Any = None, change: Any = lambda result: result, name: str = "clip"
) -> tuple[Page, dict[str, Any]]:
    """The page of some frames and the summary of the same result, after a change to it."""
    output = PageOutput(Asked(folder / "report.html", name, None))
    for frame, reading in frames:
        output.write(frame, reading)
    result = change(result_of(frames, source=source))
    output.finish(result)
    return Page((folder / "report.html").read_text(encoding="utf-8")), result.to_dict()


@pytest.fixture(scope="module")
def heart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RecordingResult]:
    """The folder and the result of a simulated heart that a network has seen."""
    out = tmp_path_factory.mktemp("heart")
    address = "phantom:?seconds=3.5&height=120&width=160&fps=30&ef=45"
    reports = ("html", "pdf") if can_print() else ("html",)
    result = process(address, out=out, name="heart", overlay=False, reports=reports)
    return out / "heart", result


def test_every_number_of_the_page_is_that_of_the_summary(heart: tuple[Path, RecordingResult]) -> None:
    told = json.loads((heart[0] / "summary.json").read_text())
    page = Page((heart[0] / "report.html").read_text())
    keys = {data.key for data in page.data}
    measured = {f"measures.{name}.value" for name, found in told["measures"].items() if found["value"] is not None}
    assert {"ef_percent", "ef_low", "ef_high", "edv", "esv", "heart_rate_bpm", "fac_percent"} <= keys
    assert measured <= keys
    assert len(measured) > 10
    assert {f"wall.{segment}.motion_percent" for segment in SEGMENTS} <= keys
    for key, value, text in page.data:
        shown = text.replace("−", "-").replace(",", "")
        digits = len(shown.partition(".")[2])
        assert value == at(told, key), key
        assert float(shown) == round(value, digits), key
        if not key.endswith(("edv", "esv", "_s")):
            assert float(shown) == value, f"{key} is printed as it stands there"


def test_what_was_not_measured_is_named_with_its_reason(heart: tuple[Path, RecordingResult]) -> None:
    words = Page((heart[0] / "report.html").read_text()).words
    unknown = [figure for figure in heart[1].figures.in_view("A4C") if figure.value is None]
    assert unknown
    for figure in unknown:
        assert figure.measure.label in words
        assert f"{figure.reason}:" in words


def test_the_page_tells_of_model_engine_version_and_recording(heart: tuple[Path, RecordingResult]) -> None:
    words, made = Page((heart[0] / "report.html").read_text()).words, heart[1].provenance
    for said in (made.model, made.engine, f"echo-rt {made.version}", made.recording_id, made.recording):
        assert said in words
    assert words.count("For research. Not a medical device.") == 2


def test_the_page_has_all_in_itself(heart: tuple[Path, RecordingResult]) -> None:
    page = Page((heart[0] / "report.html").read_text())
    asked = [
        found.get("src") or found.get("href") for name, found in page.tags if name in ("img", "image", "a", "link")
    ]
    assert len(asked) == 3, "ED, ES and the curves"
    assert all(address and address.startswith("data:image/") for address in asked)
    assert page.of("script") == []
    policy = next(found["content"] for found in page.of("meta") if found.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_whoever_cannot_see_the_page_can_follow_it(heart: tuple[Path, RecordingResult]) -> None:
    page = Page((heart[0] / "report.html").read_text())
    headings = [int(name[1]) for name, _ in page.tags if re.fullmatch(r"h[1-6]", name)]
    assert headings[0] == 1
    assert set(headings[1:]) == {2}
    assert page.of("html")[0]["lang"] == "en"
    assert all(found.get("alt") for found in page.of("img"))
    assert all(found.get("role") == "img" and found.get("aria-label") for found in page.of("svg"))
    assert all(found.get("scope") in ("row", "col") for found in page.of("th"))
    ids = [found["id"] for _, found in page.tags if "id" in found]
    assert len(ids) == len(set(ids))
    assert {found["aria-labelledby"] for found in page.of("section")} <= set(ids)


@needs_pango
def test_the_pdf_is_the_page_on_two_sheets_of_a4(heart: tuple[Path, RecordingResult]) -> None:
    document = pypdf.PdfReader(heart[0] / "report.pdf")
    assert len(document.pages) in (1, 2)
    assert [round(float(side)) for side in document.pages[0].mediabox[2:]] == [595, 842]
    words = " ".join(" ".join(sheet.extract_text() for sheet in document.pages).split())
    told = heart[1].to_dict()
    for said in (
        f"{told['ef_percent']}",
        f"{told['ef_low']} to {told['ef_high']}",
        told["recording_id"],
        told["model"],
    ):
        assert said in words
    assert words.count("For research. Not a medical device.") == 1 + len(document.pages)


def test_two_views_show_the_biplane_figures_and_both_walls(tmp_path: Path) -> None:
    small = "seconds=2.6&height=120&width=160&fps=30"
    process(
        f"phantom:?{small}",
        a2c=f"phantom:?{small}&named=A2C&seed=2",
        out=tmp_path,
        name="heart",
        overlay=False,
        reports=("html",),
    )
    told = json.loads((tmp_path / "heart" / "summary.json").read_text())
    page = Page((tmp_path / "heart" / "report.html").read_text())
    keys = {data.key for data in page.data}
    assert {"ef_percent", "a4c.ef_percent", "a2c.ef_percent", "biplane.beats.0.ef_percent"} <= keys
    assert {f"{view}.wall.{segment}.motion_percent" for view in ("a4c", "a2c") for segment in SEGMENTS} <= keys
    assert all(data.value == at(told, data.key) for data in page.data)
    assert "basal inferior" in page.words
    assert "disks, biplane" in page.words


# -- made without a network --------------------------------------------------------------------------------------------


def test_without_an_ef_the_reason_stands_in_its_place_and_no_number(tmp_path: Path) -> None:
    page, told = page_of(tmp_path, list(clip(40, beats_found=False, bad=range(5, 40))))
    assert told["ef_percent"] is None
    assert page.data == []
    assert "No EF" in page.words
    assert told["ef_reason"] in page.words
    assert f"35 of 40: {Reason.FORESHORTENED}" in page.words
    assert "EDV" not in page.words
    assert len(page.of("image")) == 1, "a frame of the recording"
    assert page.of("path") == [], "without a contour"


def test_beats_that_do_not_count_show_their_reason_and_no_figure(tmp_path: Path) -> None:
    page, told = page_of(tmp_path, list(clip(150, rejected=frozenset({1, 3}))))
    shown = {data.key for data in page.data if data.key.startswith("beats.") and data.key.endswith("ef_percent")}
    counted = {f"beats.{n}.ef_percent" for n, beat in enumerate(told["beats"]) if beat["accepted"]}
    assert shown == counted
    assert "left out: too few good frames" in page.words
    assert "2 left out: too few good frames (2)" in page.words


def test_a_stale_figure_is_marked_with_its_reason(tmp_path: Path) -> None:
    why = "stale: no good beat for 6 s"
    page, _ = page_of(
        tmp_path,
        list(clip(150)),
        change=lambda result: replace(result, ef=replace(result.ef, stale=True, reason=why)),
    )
    assert f"⚠ {why}" in page.words


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (52.0, 60.0, "All of this is above 50 %."),
        (42.0, 49.0, "All of this is from 40 to 50 %."),
        (30.0, 38.0, "All of this is below 40 %."),
        (45.0, 60.0, "not sure on which side of 50 % it is."),
        (35.0, 55.0, "not sure on which side of 40 % and of 50 % it is."),
    ],
)
def test_how_sure_ef_is_stands_in_words(tmp_path: Path, low: float, high: float, words: str) -> None:
    middle = (low + high) / 2
    page, _ = page_of(
        tmp_path,
        list(clip(120)),
        change=lambda result: replace(result, ef=replace(result.ef, percent=middle, low=low, high=high)),
    )
    assert words in page.words
    assert f"95 % interval {low} to {high} %" in page.words


def test_an_akinetic_segment_is_marked_by_words_too(tmp_path: Path) -> None:
    motion = [SegmentMotion(name, 20.0, 30.0, 25.0, None, 9.0, Scale.MM, name == "mid_septal", 4) for name in SEGMENTS]
    page, _ = page_of(tmp_path, list(clip(120)), change=lambda result: replace(result, wall=Wall(tuple(motion))))
    assert page.words.count("■ akinetic") == 1
    assert " AK " in page.words
    eye = next(found for found in page.of("svg") if found.get("class") == "eye")
    assert "mid inferoseptal akinetic" in str(eye["aria-label"])
    assert [found["class"] for found in page.of("path") if found.get("class") in ("seen", "still")].count("still") == 1


def test_the_two_walls_of_a_view_stand_where_the_heart_association_has_them() -> None:
    assert [place_of(segment, "A4C") for segment in SEGMENTS] == [
        "basal inferoseptal", "mid inferoseptal", "apical septal",
        "apical lateral", "mid anterolateral", "basal anterolateral",
    ]  # fmt: skip
    assert [place_of(segment, "A2C") for segment in SEGMENTS] == [
        "basal inferior", "mid inferior", "apical inferior", "apical anterior", "mid anterior", "basal anterior",
    ]  # fmt: skip


def test_a_hostile_name_is_words_and_nothing_else(tmp_path: Path) -> None:
    source = replace(
        provenance(), recording=HOSTILE, model=HOSTILE, engine=HOSTILE, spacing_note=HOSTILE, notes=("\x1b[2J", HOSTILE)
    )
    frames = list(clip(120, rejected=frozenset({1})))
    frames = [
        (frame, replace(reading, beat=reading.beat and replace(reading.beat, reason=reading.beat.reason and HOSTILE)))
        for frame, reading in frames
    ]
    page, _ = page_of(tmp_path, frames, source, name=HOSTILE)
    assert page.of("script") == []
    assert all(str(found["src"]).startswith("data:image/svg+xml;") for found in page.of("img"))
    assert page.words.count(HOSTILE) >= 6
    assert "\\x1b[2J" in page.words
    assert "\x1b" not in page.words


def test_a_name_that_no_text_can_hold_is_escaped(tmp_path: Path) -> None:
    page, _ = page_of(tmp_path, list(clip(60)), name="a\udcffb")
    assert "a\\udcffb" in page.words
