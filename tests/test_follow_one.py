"""One recording followed for a study: the result of `process`, what a second view needs, and the files asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from echo_rt import process
from echo_rt.errors import ParameterError
from echo_rt.outputs.files import OUTPUTS
from echo_rt.pipeline import follow_one
from support.hearts import A2C, A4C, Traced


def timeless(summary: dict) -> dict:
    return {name: value for name, value in summary.items() if name != "latency_ms"}


def test_the_result_is_that_of_process_and_the_evidence_tells_the_view() -> None:
    result, evidence = follow_one(A2C, Traced(A2C))
    assert timeless(result.to_dict()) == timeless(process(A2C, Traced(A2C)).to_dict())
    assert evidence.said == result.provenance.view == "A2C"
    assert len(evidence.pictures) > 1


def test_only_the_files_asked_for_are_made(tmp_path: Path) -> None:
    follow_one(A4C, Traced(A4C), out=tmp_path, name="one", leave_out=set(OUTPUTS) - {"masks.npz"})
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["masks.npz"]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_biplane_ef_of_one_recording_is_refused() -> None:
    with pytest.raises(ParameterError, match="expected an A2C recording"):
        follow_one(A4C, Traced(A4C), ef_method="biplane")
