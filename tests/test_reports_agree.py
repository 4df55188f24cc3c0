"""Every report shows the numbers of summary.json, to the last digit that stands there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from echo_rt import process
from echo_rt.errors import MissingExtraError
from echo_rt.outputs import RecordingFiles
from echo_rt.outputs.folder import CURVE, MASKS, OVERLAY, TABLE
from echo_rt.outputs.reports import REPORTS
from echo_rt.result import ClipFigures
from support.hearts import A2C, A4C, Traced
from support.printed import COMPARED_IN, NO_NUMBERS, NUMBERS_IN, summary_numbers
from support.results import result_of
from support.synthetic import clip


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The reports that this installation can make."""
    return [kind for kind in REPORTS if can_make(kind, tmp_path_factory.mktemp("probe"))]


def can_make(kind: str, out: Path) -> bool:
    try:
        with RecordingFiles(out, "clip", reports=[kind]):
            return True
    except MissingExtraError:
        return False


def beats(out: Path, kinds: list[str], **changes: Any) -> Path:
    """A clip of several beats."""
    without = (TABLE, MASKS, OVERLAY, CURVE)
    with RecordingFiles(out, "clip", recording="clip.dcm", leave_out=without, reports=kinds) as files:
        result_of(clip(150, **changes), ClipFigures(reason="the volume hardly changes"), files=files)
    return out / "clip"


def two_views(out: Path, kinds: list[str]) -> Path:
    process(A4C, Traced(A4C, A2C), a2c=A2C, out=out, name="heart", overlay=False, reports=kinds)
    (folder,) = [path.parent for path in out.glob("*/summary.json") if "biplane" in path.read_text()]
    return folder


CASES: dict[str, Callable[[Path, list[str]], Path]] = {
    "beats": beats,
    "no EF": lambda out, kinds: beats(out, kinds, beats_found=False),
    "no scale": lambda out, kinds: beats(out, kinds, spacing_mm=None),
    "two views": two_views,
}


@pytest.fixture(scope="module", params=CASES)
def folder(request: pytest.FixtureRequest, kinds: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a recording, with every report."""
    return CASES[request.param](tmp_path_factory.mktemp("out"), kinds)


@pytest.mark.parametrize("kind", sorted(NUMBERS_IN.keys() & REPORTS.keys()))
def test_every_number_of_a_report_is_that_of_the_summary_to_the_last_digit(
    kind: str, kinds: list[str], folder: Path
) -> None:
    if kind not in kinds:
        pytest.skip(f"--report {kind} needs a part that is not installed")
    known, shown = summary_numbers(folder / "summary.json"), NUMBERS_IN[kind](folder / REPORTS[kind].file)
    assert shown == {place: known.get(place) for place in shown}
    # Not by showing nothing.
    assert ("ef_percent" in shown) == ("ef_percent" in known)
    assert {"ef_low", "ef_high", "heart_rate_bpm"} & known.keys() <= shown.keys()


def test_the_numbers_of_every_report_are_compared() -> None:
    said = NUMBERS_IN.keys() | COMPARED_IN.keys() | NO_NUMBERS
    assert REPORTS.keys() <= said, "a new report: say in support/printed.py how to read it"
    for file in COMPARED_IN.values():
        assert "def test_every_number_" in (Path(__file__).parent / file).read_text(), file
