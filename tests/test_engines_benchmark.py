"""What benchmarks/engines.py compares is the same answer, and what it counts is what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from echo_rt.engine import open_engine
from echo_rt.model import model_path, read_spec

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "engines.py"
SPEC = importlib.util.spec_from_file_location("benchmark_engines", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
engines = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(engines)


@pytest.mark.parametrize("size", [(600, 800), (480, 640), (300, 300)])
def test_the_plain_loop_gives_the_labels_of_the_engine(size) -> None:
    path = model_path("lv-edge.fp32")
    loop = engines.plain_loop(str(path), read_spec(path), 1)
    image = engines.frames(*size, 1)[0]
    labels, areas = loop(image)
    with open_engine(path, "cpu") as engine:
        expected = engine.segment(image).mask()
    assert labels.shape == expected.shape == size
    assert (labels == expected).mean() > 0.99
    assert (expected == 1).mean() > 0.02
    assert areas == np.bincount(labels.ravel(), minlength=4).tolist()


def test_every_candidate_runs_as_often_and_in_blocks() -> None:
    calls: list[str] = []
    found = engines.medians({"a": lambda k: calls.append("a"), "b": lambda k: calls.append("b")}, rounds=20, block=5)
    assert set(found) == {"a", "b"}
    assert calls.count("a") == calls.count("b") >= 20 + 4
    assert "".join(calls[:12]) == "aaaaaabbbbbb"
