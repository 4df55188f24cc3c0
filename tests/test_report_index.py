"""index.html: what lies in a folder of results, and what gave none."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest

from echo_rt.commands.batch import Batch
from echo_rt.commands.job import Opening, Options
from echo_rt.errors import OutputError
from echo_rt.outputs import RecordingFiles
from echo_rt.outputs.reports.index import write_index
from support.browser import overflow_px
from support.pages import Page
from support.results import result_of
from support.synthetic import clip

LITTLE = ("overlay.mp4", "masks.npz", "curve.png", "readings.csv")


def results(out: Path, name: str, reports: tuple[str, ...] = (), **heart: object) -> dict:
    """Those of a simulated heart in a folder of that name; gives the summary."""
    with RecordingFiles(out, name, leave_out=LITTLE, reports=reports) as files:
        return result_of(clip(60, **heart), files=files).to_dict()


def index_of(out: Path, *refused: tuple[str, str]) -> Page:
    return Page(write_index(out, refused).read_text(encoding="utf-8"))


def links(page: Page) -> list[str]:
    return [str(found["href"]) for found in page.of("a")]


def test_every_folder_with_a_summary_is_listed_and_leads_to_its_page(tmp_path: Path) -> None:
    results(tmp_path, "b #1?", ("html",))
    results(tmp_path, "a")
    (tmp_path / "of somebody else").mkdir()
    (tmp_path / ".hidden.part").mkdir()
    (tmp_path / ".hidden.part" / "summary.json").write_text("{}")
    page = index_of(tmp_path)
    assert [unquote(link) for link in links(page)] == ["a/summary.json", "b #1?/report.html"]
    assert [found["src"] for found in page.of("img")] == ["b%20%231%3F/thumbnail.png"]
    assert all((tmp_path / unquote(address)).is_file() for address in [*links(page), str(page.of("img")[0]["src"])])
    assert "2 recordings" in page.words


def test_the_figures_are_those_of_the_summaries(tmp_path: Path) -> None:
    told = results(tmp_path, "a", ef_percent=41.0) | {"ef_low": 38.2, "ef_high": 47.0}
    (tmp_path / "a" / "summary.json").write_text(json.dumps(told))
    words = index_of(tmp_path).words
    assert f" {told['ef_percent']} 38.2 to 47.0 " in words
    assert f"{told['edv']:.1f} mL" in words
    assert f"{told['heart_rate_bpm']} {len(told['beats'])} A4C" in words


def test_recordings_without_an_ef_or_without_a_result_have_their_reason(tmp_path: Path) -> None:
    told = results(tmp_path, "a", beats_found=False, bad=range(5, 60))
    page = index_of(tmp_path, ("<b>broken.mp4", "broken.mp4: expected a video, found a text file"))
    assert f"No EF: {told['ef_reason']}" in page.words
    assert "1 without a result in the last run" in page.words
    assert "<b>broken.mp4 broken.mp4: expected a video, found a text file" in page.words
    assert page.of("b") == []


@pytest.mark.parametrize(
    "summary",
    [
        b"", b"[]", b"\xff", b"{" * 100_000, b'{"ef_percent": "<i>55"}', b'{"edv": [1], "volume_unit": {}, "beats": 3}',
        b'{"ef_percent": NaN, "ef_low": 1e400, "edv": 1' + b"0" * 400 + b', "beats": [1, {"accepted": "no"}]}',
    ],
)  # fmt: skip
def test_a_summary_that_is_none_costs_its_own_figures_alone(tmp_path: Path, summary: bytes) -> None:
    results(tmp_path, "whole")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "summary.json").write_bytes(summary)
    page = index_of(tmp_path)
    assert links(page) == ["damaged/summary.json", "whole/summary.json"]
    assert page.of("i") == []
    assert "nan" not in page.words
    assert "inf" not in page.words


def test_a_hostile_name_is_words_and_nothing_else(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> \"'&"
    results(tmp_path, name, ("html",))
    page = index_of(tmp_path)
    assert [found["src"] for found in page.of("img")] != ["x"]
    assert len(page.of("img")) == 1
    assert name in page.words
    assert unquote(links(page)[0]) == f"{name}/report.html"


def test_an_index_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>my own</h1>")
    with pytest.raises(OutputError, match=r"index\.html: expected no file or an index of echo-rt, found another; move"):
        write_index(tmp_path)
    batch = Options(tmp_path, reports=("html",))
    with pytest.raises(OutputError, match="found another"):
        Batch(["clip.mp4"], batch)
    assert (tmp_path / "index.html").read_text() == "<h1>my own</h1>"


def test_an_index_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results(tmp_path, "a")
    before = write_index(tmp_path).read_bytes()
    results(tmp_path, "b")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as broken, pytest.raises(OutputError, match="Permission denied"):
        broken.setattr(os, "replace", refuse)
        write_index(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "index.html"]
    killed = tmp_path / f".index.html.{os.getpid()}.new"
    killed.write_text("half")
    assert len(links(index_of(tmp_path))) == 2
    assert not killed.exists()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_an_index_is_for_its_owner_alone(tmp_path: Path) -> None:
    results(tmp_path, "a")
    assert write_index(tmp_path).stat().st_mode & 0o077 == 0


def test_a_batch_lists_what_earlier_runs_left_and_what_failed(tmp_path: Path) -> None:
    results(tmp_path, "earlier")
    broken = tmp_path / "broken.mp4"
    broken.write_text("a note of the laboratory\n" * 30)
    recordings = ["phantom:?seconds=0.8&height=120&width=160&fps=30", str(broken)]
    batch = Batch(recordings, Options(tmp_path, overlay=False, reports=("html",)))
    batch.run(Opening(device="cpu"), jobs=1)
    batch.write_index()
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert [link.rpartition("/")[2] for link in links(page)] == ["summary.json", "report.html"]
    assert f"{broken}: expected a video, found a text file" in page.words
    assert batch.failed == [str(broken)]


def test_a_batch_without_pages_writes_no_index(tmp_path: Path) -> None:
    Batch(["clip.mp4"], Options(tmp_path)).write_index()
    assert list(tmp_path.iterdir()) == []


def test_a_browser_sorts_the_table_and_shows_the_pictures(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium (Debian: chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    for name, percent in (("clip 10", 61.0), ("clip 9", 35.0), ("other", 50.0)):
        results(tmp_path, name, ("html",), ef_percent=percent)
    told = json.dumps({"recording": "x", "ef_percent": None, "ef_reason": "no ventricle"})
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "summary.json").write_text(told)
    path = write_index(tmp_path)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text))
        page.goto(path.as_uri())

        def order() -> list[str]:
            return page.locator("#recordings tbody a").all_text_contents()

        names = ["clip 10", "clip 9", "none", "other"]
        assert order() == names
        page.get_by_role("button", name="EF (%)").click()
        assert order() == ["clip 9", "other", "clip 10", "none"]
        page.get_by_role("button", name="EF (%)").click()
        assert order() == ["clip 10", "other", "clip 9", "none"], "what is not known comes last"
        page.get_by_role("button", name="Recording").click()
        assert order() == ["clip 9", "clip 10", "none", "other"]
        assert page.locator("th[aria-sort]").count() == 1
        page.set_viewport_size({"width": 390, "height": 844})
        assert overflow_px(page) == 0, "a wide table scrolls by itself on a phone"
        page.locator("#recordings img").first.scroll_into_view_if_needed()
        page.wait_for_function("[...document.images].every((image) => image.complete && image.naturalWidth === 160)")
        browser.close()
    assert problems == []
