"""`echo-rt bench`: what it counts, what it says, and that it runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from echo_rt.bench import energy, measure, report
from echo_rt.bench.machine import describe, product_model
from echo_rt.bench.work import multiply_adds
from echo_rt.commands.app import app
from echo_rt.commands.bench import bench
from echo_rt.errors import ModelError, ParameterError
from echo_rt.model import models
from echo_rt_network.model_file import write_model
from support.toy import SPEC, toy_model


def test_the_products_that_the_ceiling_is_measured_with_are_right() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (16, 16), np.uint8), rng.integers(-127, 128, (16, 16), np.int8)
    session = onnxruntime.InferenceSession(product_model("MatMulInteger", 2, 6, 3, b))
    np.testing.assert_array_equal(session.run(None, {"a": a})[0], a.astype(np.int32) @ b.astype(np.int32))
    x, y = rng.normal(size=(2, 16, 16)).astype(np.float32)
    session = onnxruntime.InferenceSession(product_model("MatMul", 1, 1, 1, y))
    np.testing.assert_allclose(session.run(None, {"a": x})[0], x @ y, atol=1e-4)


def test_multiply_adds_by_hand(tmp_path: Path) -> None:
    plain = onnx.load(toy_model(tmp_path / "toy.onnx"))
    write_model(plain, SPEC, tmp_path / "checked.onnx")  # with the shapes of all tensors
    assert multiply_adds(tmp_path / "checked.onnx") == 4 * 48 * 64, "four 1x1 filters over one channel"


def test_a_model_is_the_same_work_in_every_precision_but_for_the_first_layer_and_within_its_limit(
    user_cache: Path,
) -> None:
    for model in models():
        work = {precision: multiply_adds(model.file(precision)) for precision in model.files}
        # In INT8 the first convolution sees squares of pixels: more multiply-adds in less time.
        assert work["fp16"] == work["fp32"] <= work["int8"] <= 1.01 * work["fp32"], model.name
        assert work["int8"] <= 0.76e9


@pytest.mark.parametrize("content", [b"", b"not a model at all", b"\x08"])
def test_what_is_no_model_has_no_work(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="expected an ONNX file with the shapes of its tensors"):
        multiply_adds(path)


def test_percentiles_and_jitter_by_hand() -> None:
    found = measure.summary(np.array([1.0, 3.0, 1.0, 3.0, 2.0]))
    assert (found["p50"], found["max"], found["mean"], found["frames"]) == (2.0, 3.0, 2.0, 5)
    assert found["jitter"] == pytest.approx((2 + 2 + 2 + 1) / 4)
    assert found["iqr"] == 2.0


def test_a_paced_feed_hands_over_no_frame_before_it_is_due() -> None:
    due = measure._Due(measure.heart_frames(measure.Plan(frames=20, height=120, width=160), 50.0)[:6], 200.0)
    times = [due.at_s for _ in due]
    assert np.diff(times) == pytest.approx([1 / 200] * 5)


def result(network_ms: float, iqr_ms: float = 0.2) -> dict:
    stage = {
        "p50": network_ms,
        "p95": 1.0,
        "p99": 1.0,
        "max": 1.0,
        "mean": 1.0,
        "iqr": iqr_ms,
        "jitter": 0.1,
        "frames": 9,
    }
    engine = {"device": "cpu", "model": "lv-edge", "precision": "int8", "stages": {"network": stage}}
    return {"format": 1, "machine": describe(), "engines": [engine]}


@pytest.mark.parametrize(("after", "verdict"), [(4.05, "the same"), (3.0, "faster"), (5.0, "slower")])
def test_a_comparison_calls_faster_only_what_is_more_than_the_spread(after: float, verdict: str) -> None:
    [(name, stage, _, _, percent, said)] = report.compare(result(4.0), result(after))
    assert (name, stage, said) == ("cpu int8", "network", verdict)
    assert percent == pytest.approx(100 * (after - 4) / 4)


def test_comparing_what_is_no_result_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(
        ParameterError, match="expected the JSON of `echo-rt bench`, found something else; make one with"
    ):
        bench(compare=(tmp_path / "a.json", tmp_path / "a.json"))


def test_a_whole_run_ends_in_one_line_of_json_and_can_be_compared(tmp_path: Path, capsys) -> None:
    out, picture = tmp_path / "r" / "a.json", tmp_path / "p.png"
    options = [
        "bench",
        "--device",
        "cpu",
        "--frames",
        "20",
        "--quick",
        "--size",
        "120x160",
        "--json",
        str(out),
        "--plot",
        str(picture),
    ]
    app(options, standalone_mode=False)
    said = capsys.readouterr().out
    found = json.loads(said.strip().splitlines()[-1])
    assert found == json.loads(out.read_text())
    [engine] = found["engines"]
    assert engine["precision"] == "int8"
    assert set(engine["stages"]) == set(measure.STAGES)
    assert engine["stages"]["network"]["p50"] < engine["stages"]["total"]["p50"]
    assert set(engine["streams"]) == {"1", "2"}
    assert found["multiply_adds"] == 743436416
    assert 0 < engine["ceiling_share"] < 1.5
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "of the ceiling" in said
    used = engine["energy"]
    assert used.get("joules_a_frame", 1) > 0
    assert ("reason" in used) == any(line.startswith("not measured: energy: ") for line in found["not_measured"])
    app(["bench", "--compare", str(out), str(out)], standalone_mode=False)
    assert "the same" in capsys.readouterr().out


def rapl(root: Path, package: str, microjoules: int) -> None:
    folder = root / package
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("1000000000\n")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's counters")
def test_energy_is_that_of_all_packages_and_a_counter_may_begin_anew(tmp_path: Path) -> None:
    rapl(tmp_path, "intel-rapl:0", 5_000_000)
    rapl(tmp_path, "intel-rapl:0:0", 1)
    rapl(tmp_path, "intel-rapl:1", 999_000_000)

    def work() -> str:
        rapl(tmp_path, "intel-rapl:0", 9_000_000)
        rapl(tmp_path, "intel-rapl:0:0", 900_000_000)
        rapl(tmp_path, "intel-rapl:1", 2_000_000)
        return "done"

    found, used = energy.during(work, 10, tmp_path)
    assert found == "done"
    assert used["joules_a_frame"] == pytest.approx((4 + 3) / 10)
    assert used["watts"] > 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's counters")
def test_where_energy_cannot_be_read_the_reason_is_given(tmp_path: Path, monkeypatch) -> None:
    assert energy.during(lambda: 1, 1, tmp_path) == (1, {"reason": f"{tmp_path} has no intel-rapl: a virtual machine, "
        "or a processor that does not count"})  # fmt: skip
    rapl(tmp_path, "intel-rapl:0", 5)

    def refused(path: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    assert "is for root alone; run this as root" in energy.during(lambda: 1, 1, tmp_path)[1]["reason"]
