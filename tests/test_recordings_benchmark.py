"""What benchmarks/recordings.py compares of two runs is every figure, and nothing of how long they took."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "recordings.py"
SPEC = importlib.util.spec_from_file_location("benchmark_recordings", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
recordings = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(recordings)


def written(out: Path, ef_percent: float = 55.0, volume_ml: str = "80.1", time_ms: str = "3.1") -> Path:
    (out / "clip").mkdir(parents=True)
    (out / "clip" / "summary.json").write_text(json.dumps({"ef_percent": ef_percent, "latency_ms": {"p50": time_ms}}))
    (out / "clip" / "readings.csv").write_text(f"frame,volume_ml,time_network_ms\n0,{volume_ml},{time_ms}\n")
    return out


def test_runs_that_took_another_time_are_the_same(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one"), written(tmp_path / "other", time_ms="9.9")
    assert recordings.figures(one) == recordings.figures(other)
    assert len(recordings.figures(one)) == 2


@pytest.mark.parametrize("change", [{"ef_percent": 54.0}, {"volume_ml": "80.2"}])
def test_runs_of_which_a_figure_differs_are_not(change: dict[str, object], tmp_path: Path) -> None:
    one, other = written(tmp_path / "one"), written(tmp_path / "other", **change)  # type: ignore[arg-type]
    assert recordings.figures(one) != recordings.figures(other)
