"""The parity gate at the end of every export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

from echo_rt.engine import open_engine
from echo_rt.errors import ModelError
from echo_rt.model import model_path, models, read_spec
from echo_rt_export import parity
from echo_rt_network.model_file import read_model, write_model
from support.commands import export
from support.toy import toy_model
from support.training import toy_network_file

PHANTOM = "phantom:?ef=50&hr=80&fps=15&seconds=1.5&seed=5"


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Path:
    """A small network with both heads and two memories, in FP32."""
    return toy_network_file(tmp_path_factory.mktemp("full"))


@pytest.fixture
def skewed(tmp_path: Path) -> Path:
    """The default model with a cavity that is too large."""
    model, spec = read_model(model_path(None))
    last = next(node for node in model.graph.node if "logits" in node.output)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == last.input[2])
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.array([0, 3, 0, 0], np.float32), bias.name))
    write_model(model, spec, tmp_path / "skewed.onnx")
    return tmp_path / "skewed.onnx"


def test_a_model_agrees_with_itself_and_not_with_one_whose_cavity_is_larger(skewed: Path, cine: Path) -> None:
    with open_engine() as reference, open_engine() as same, open_engine(skewed) as other:
        twin = parity.compare(reference, same, [str(cine)])
        found = parity.compare(reference, other, [str(cine)])
    assert twin.ok
    assert twin.frames == 30
    assert set(twin.dice.values()) == {1.0}
    assert twin.ef_points == twin.probability_max == twin.size_percent["area"] == 0
    assert not found.ok
    assert "Dice of lv_cavity" in found.failures[0]
    assert found.worst["dice"] < min(1.0, max(found.dice.values()))
    assert found.size_percent["area"] is not None
    assert found.size_percent["area"] > 1
    assert "ok" not in found.for_spec()
    assert twin.for_spec()["ok"] is True


def test_the_gate_needs_an_ef_to_pass(full: Path) -> None:
    with open_engine(full) as one, open_engine(full) as other:
        found = parity.compare(one, other, [PHANTOM])
    assert set(found.dice.values()) == {1.0}
    assert found.failures == ["no recording for which both have an EF"]


def test_the_limits_of_the_gate_by_hand() -> None:
    at = parity.Parity("a", "b", parity.LIMITS["int8"], 1, 1, {"lv_cavity": 0.99}, {}, 0.0, 0.0, {}, {}, [])

    def ef(reference: float | None, candidate: float | None) -> list[dict]:
        return [{"recording": "clip", "reference": reference, "candidate": candidate}]

    assert replace(at, ef=ef(50.0, 50.69)).ok
    assert not replace(at, ef=ef(50.0, 50.71)).ok
    assert not replace(at, ef=ef(50.0, 50.0), dice={"lv_cavity": 0.9899}).ok
    assert not replace(at, ef=ef(50.0, 50.0), dice={"lv_cavity": float("nan")}).ok
    assert replace(at, ef=ef(50.0, 50.0), verdict_max={"apical": 0.04, "confidence": None}).ok
    assert not replace(at, ef=ef(50.0, 50.0), verdict_max={"apical": 0.06}).ok
    assert not replace(at, ef=[*ef(50.0, 50.0), *ef(50.0, None)]).ok
    one = np.array([[0, 1, 1, 2]], np.uint8)
    both, sizes = parity._overlap(one, np.array([[0, 1, 2, 2]], np.uint8))
    assert both.tolist() == [1, 1, 1, 0]
    assert sizes.tolist() == [2, 3, 3, 0]


def test_models_of_different_grids_cannot_be_compared(tmp_path: Path) -> None:
    with (
        open_engine() as one,
        open_engine(toy_model(tmp_path / "m.onnx")) as other,
        pytest.raises(ModelError, match="files of one model"),
    ):
        parity.compare(one, other, [PHANTOM])


def test_check_prints_what_it_found_and_fails_over_the_limits(skewed: Path, cine: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(parity, "PHANTOMS", ())
    with pytest.raises(ModelError, match=r"skewed.onnx: expected it to agree with lv-edge, found Dice of lv_cavity"):
        export(["check", "lv-edge", str(skewed), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert found["recordings"] == 1
    export(["check", "lv-edge", "lv-edge"])
    assert "passed" in capsys.readouterr().out


def test_the_shipped_model_in_fp16_passes_the_gate_and_carries_what_it_found(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(parity, "PHANTOMS", parity.PHANTOMS[:1])
    export(["onnx", "lv-edge", "--precision", "fp16", "-o", str(tmp_path / "lv-edge.fp16.onnx")])
    assert "passed" in capsys.readouterr().out
    spec = read_spec(tmp_path / "lv-edge.fp16.onnx")
    assert spec.parity["ok"] is True
    assert min(spec.parity["dice"].values()) >= 0.999
    assert replace(spec, parity={}, precision="fp32") == read_spec(model_path("lv-edge"))
    assert (tmp_path / "lv-edge.fp16.onnx").stat().st_size < 0.55 * model_path("lv-edge").stat().st_size


def test_a_network_that_does_not_pass_is_written_without_its_ok(full: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(parity, "PHANTOMS", ())
    with pytest.raises(ModelError, match="written without its ok"):
        export(["onnx", str(full), "--precision", "fp16", "-o", str(tmp_path / "m.onnx")])
    found = read_spec(tmp_path / "m.onnx").parity
    assert "ok" not in found
    assert found["frames"] == 30


def test_the_shipped_files_of_less_than_fp32_have_passed_the_gate(user_cache: Path) -> None:
    for model in models():
        assert list(model.files) == ["fp32", "fp16", "int8"]
        for precision in model.files:
            spec = read_spec(model.file(precision))
            assert spec.precision == precision
            assert precision == "fp32" or spec.parity.get("ok") is True
