"""What `echo-rt file` prints: every figure, names that tell recordings apart, and paths as they are."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from echo_rt.commands.batch import Batch
from echo_rt.commands.job import Options
from echo_rt.commands.table import HEADINGS, labels, lines, print_table
from echo_rt.errors import printable
from support.program import echo_rt
from support.results import result_of
from support.synthetic import clip

WIDEST = ("9,999", "100 (85-100)", "100", "12,246,230 px³", "11,361,870 px³", "220", "1234")
"""Figures as long as they come."""

NARROWEST = 75
"""Columns that these figures, their headings and nine letters of a name need."""


@pytest.mark.parametrize(
    ("recordings", "shown"),
    [
        (["a/clip.avi"], ["clip"]),
        (["p1/IM00001", "p2/IM00001", "p2/IM00002"], ["p1/IM00001", "p2/IM00001", "IM00002"]),
        (["s/p1/x/IM1", "s/p2/x/IM1", "t/p1/x/IM1"], ["s/p1/x/IM1", "p2/x/IM1", "t/p1/x/IM1"]),
        (["clip.avi", "clip.mp4", "b/clip.mp4"], ["clip.avi", "clip.mp4", "clip"]),
        (["/IM1", "/p/IM1"], ["/IM1", "p/IM1"]),
        (["phantom:?ef=55&seconds=2.5"], ["phantom:?ef=55&seconds=2.5"]),
        (["a\nb\x1b[31m.avi", "\udcff.avi"], ["a\\nb\\x1b[31m", "\\udcff"]),
    ],
)
def test_a_name_has_as_many_folders_as_tell_it_from_others(recordings: list[str], shown: list[str]) -> None:
    assert labels(recordings) == shown


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c.d"]), min_size=1, max_size=4), min_size=1, max_size=8))
def test_different_paths_have_different_names(parts: list[list[str]]) -> None:
    recordings = sorted({"/".join(each) for each in parts})
    assert len(set(labels(recordings))) == len(recordings)


@pytest.mark.parametrize("width", [20, 60, 72, 80, 100, 200])
@pytest.mark.parametrize("name", ["clip", "patient-0000001/study-2026-11-26/IM00001", "患者_心尖四腔" * 5])
def test_names_give_way_and_figures_never(width: int, name: str) -> None:
    heading, row = (line.plain for line in lines([(name, *WIDEST)], width))
    assert row.split("  ")[-1].split()[-1] == WIDEST[-1]
    assert [cell for cell in WIDEST if cell not in row] == []
    assert heading.split()[-1] == HEADINGS[-1]
    assert cell_len(row) == cell_len(heading)
    assert cell_len(row) <= max(width, NARROWEST)
    assert row.startswith(name[:2])
    if width == 200:
        assert name[-7:] in row


def test_a_name_that_is_too_long_keeps_both_of_its_ends() -> None:
    names = [f"patient-{number:04}/a-long-name-of-a-study/IM00001" for number in range(3)]
    shown = [line.plain[:30].split("  ")[0] for line in lines([(name, *WIDEST) for name in names], 100)[1:]]
    assert len(set(shown)) == 3
    assert all(name.endswith("IM00001") and "…" in name for name in shown)


@pytest.mark.parametrize("text", ["/data/:x:/clip", "[bold]clip[/bold]", "a [link=x]b", "\\[x]", ":heart:"])
def test_a_path_is_no_markup(text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    print_table([(text, result_of(list(clip(3))), [f"kept in {text}"])])
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].startswith(text + " ")
    assert printed[-1] == f"{text}: kept in {text}"
    batch = Batch([text], Options())
    batch._outcomes = [_refused(f"{text}: expected a video")]
    batch._name_failures()
    assert capsys.readouterr().err == f"echo-rt: {text}: expected a video\n"


def _refused(text: str):
    from echo_rt.commands.job import Refused

    return Refused(text)


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert printable("a\x1b]0;title\x07\r\nb\u202e") == "a\\x1b]0;title\\x07\\r\\nb\\u202e"
    assert printable("Zürich 患者 50 %") == "Zürich 患者 50 %"


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_a_path_of_bytes_that_are_no_text_goes_through(cine: Path, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff\xfe:x:[b].dcm"
    with open(path, "wb") as file:
        file.write(cine.read_bytes())
    given = os.fsdecode(path)
    run = echo_rt("file", given, "--out", tmp_path / "out", "--no-overlay", "--json", PYTHONIOENCODING="ascii")
    assert run.returncode == 0, run.stderr
    (summary,) = json.loads(run.stdout)
    assert summary["recording"] == given
    (folder,) = (tmp_path / "out").iterdir()
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8"))["recording"] == given
    run = echo_rt("file", given, PYTHONIOENCODING="ascii")
    assert run.returncode == 0, run.stderr
    assert "\\udcff\\udcfe:x:[b] " in run.stdout
