"""What benchmarks/gpu.py does beside the GPU."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.errors import NoDeviceError
from echo_rt.model import models

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "gpu.py"
SPEC = importlib.util.spec_from_file_location("benchmark_gpu", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
gpu = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gpu)


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return gpu.frames_of((300, 400), 3)


def test_the_frames_are_grey_of_the_size_asked_for_and_differ(images) -> None:
    assert [(image.shape, image.dtype) for image in images] == [((300, 400), np.uint8)] * 3
    assert (images[0] != images[2]).mean() > 0.01


def test_torch_gives_the_masks_of_the_cpu_engine(images) -> None:
    model = models()[0]
    torch_way = gpu.torch_way(model.spec, (300, 400), device="cpu")
    with CpuEngine(str(model.file("fp32")), model.spec) as engine:
        ways = {"cpu": lambda image: engine.segment(image).labels, "torch": torch_way}
        assert gpu.differences(ways, images) == {"torch": pytest.approx(0, abs=1e-3)}


def test_a_way_that_does_something_else_is_not_compared(images) -> None:
    ways = {"one": lambda image: np.zeros((9, 9), np.uint8), "other": lambda image: np.eye(9, dtype=np.uint8)}
    with pytest.raises(SystemExit, match=r"other differs from one in 11\.11% of the pixels"):
        gpu.differences(ways, images)


def test_the_ways_take_turns_and_each_frame_is_timed(images) -> None:
    order: list[str] = []
    ways = {name: lambda image, name=name: order.append(name) for name in ("a", "b")}
    taken = gpu.measure(ways, images, gpu.CHUNK + 5)
    assert {name: len(ms) for name, ms in taken.items()} == {"a": gpu.CHUNK + 5, "b": gpu.CHUNK + 5}
    assert all(ms >= 0 for ms in taken["a"])
    timed = order[2 * gpu.WARM_UP :]
    assert timed == ["a"] * gpu.CHUNK + ["b"] * gpu.CHUNK + ["a"] * 5 + ["b"] * 5


def test_figures_are_percentiles_with_the_ratio_to_the_first() -> None:
    found = {"first": gpu.summary([1.0] * 99 + [9.0]), "second": gpu.summary([2.5] * 100)}
    assert found["first"]["p50"] == 1
    assert found["first"]["max"] == 9
    assert 1 < found["first"]["p99"] < 9
    assert gpu.table(found).splitlines()[-1] == "| second | 2.500 | 2.500 | 2.50 |"


def test_the_result_bears_the_names_of_gpu_and_machine(tmp_path: Path) -> None:
    result = {"machine": {"gpu": "NVIDIA RTX 4090", "host": "echo.lab"}, "ms": {}}
    path = gpu.write(result, tmp_path / "results")
    assert path.name == "gpu-nvidia-rtx-4090-echo-lab.json"
    assert json.loads(path.read_text()) == result


def test_without_a_gpu_it_says_so_in_one_line(monkeypatch, capsys) -> None:
    def none() -> None:
        raise NoDeviceError("expected a CUDA device, found none: STAND-IN")

    monkeypatch.setattr("echo_rt.engine.cuda_driver.find_device", none)
    assert gpu.main(["--frames", "1"]) == 3
    assert capsys.readouterr().err == "gpu benchmark: expected a CUDA device, found none: STAND-IN\n"


def test_a_way_that_cannot_be_opened_is_named_and_the_others_are_measured() -> None:
    def absent() -> None:
        raise NoDeviceError("expected a CUDA device, found none: STAND-IN")

    ways, reasons = gpu.opened_ways({"one": absent, "other": lambda: len})
    assert ways == {"other": len}
    assert reasons == ["one: expected a CUDA device, found none: STAND-IN"]
    with pytest.raises(NoDeviceError, match="STAND-IN"):
        gpu.opened_ways({"one": absent})


def test_the_leader_is_the_fastest_of_tensorrts_ways_alone() -> None:
    ms = {"tensorrt, graph": {"p50": 2.0}, "tensorrt-ort": {"p50": 1.5}, "torch FP16, graph": {"p50": 0.1}}
    assert gpu.leader(ms) == "tensorrt-ort"
    assert gpu.leader({"torch FP16, graph": {"p50": 0.1}}) is None


def test_a_paced_frame_counts_from_when_it_was_due(images) -> None:
    seen: list[float] = []

    def slow_once(image: np.ndarray) -> np.ndarray:
        seen.append(gpu.time.perf_counter())
        if len(seen) == 1:
            gpu.time.sleep(0.1)
        return image

    ages = gpu.paced(slow_once, images, 4, hz=50)
    assert len(ages) == 4
    assert ages[0] >= 100
    assert ages[1] >= 80 - 1, "a frame that waited for the one before was due long ago"
