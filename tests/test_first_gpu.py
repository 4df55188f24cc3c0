"""benchmarks/first_gpu.sh: on a machine without a GPU, and its steps on one by hand."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from echo_rt.model import models

TREE = Path(__file__).resolve().parents[1]
SCRIPT = TREE / "benchmarks" / "first_gpu.py"
SPEC = importlib.util.spec_from_file_location("first_gpu", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
first_gpu = importlib.util.module_from_spec(SPEC)
sys.modules["first_gpu"] = first_gpu  # a dataclass asks for its module
SPEC.loader.exec_module(first_gpu)

MOST_MB = 60


def step(program: str, **more) -> first_gpu.Step:
    return first_gpu.Step("by hand", [sys.executable, "-c", program, "{json}"], more.pop("limit_s", 30), **more)


@pytest.mark.skipif(sys.platform == "win32", reason="a script for bash")
def test_without_a_gpu_the_json_is_whole_and_each_step_says_why_it_was_not_run(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "gpu.json"
    command = ["bash", str(TREE / "benchmarks" / "first_gpu.sh"), str(out)]
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHON": sys.executable}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=hidden, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert [entry["name"] for entry in found["steps"]] == [entry.name for entry in first_gpu.steps()]
    why = found["environment"]["no_gpu"]
    assert why.startswith("expected a CUDA device, found no")
    for entry in found["steps"]:
        assert (entry["outcome"], entry["why"]) == ("not run", why)
        assert f"{entry['name']}: not run ({why})" in done.stdout
    assert found["environment"]["versions"]["numpy"]
    assert found["environment"]["devices"]["cpu"].startswith("ONNX Runtime")
    assert len(found["environment"]["models"][models()[0].path.name]) == 64


def test_the_steps_fit_into_their_time_but_for_one_that_may_be_cut_short() -> None:
    limits = [entry.limit_s for entry in first_gpu.steps()]
    assert max(limits) < 480 / 2
    names = [entry.name for entry in first_gpu.steps()]
    assert names[:4] == ["kernels", "parity of the kernels", "parity of the engine", "latency"]
    assert {"compute-sanitizer memcheck", "soak"} <= set(names)


def test_every_file_that_a_step_runs_is_in_the_tree() -> None:
    parts = [
        part for entry in first_gpu.steps() for part in entry.command if part.startswith(("tests/", "benchmarks/"))
    ]
    assert len(parts) >= 6
    assert [part for part in parts if not (TREE / part).is_file()] == []


def test_a_step_that_passes_leaves_its_result() -> None:
    program = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('{\"ms\": 2}'); print('well')"
    found = first_gpu.outcome(step(program, result=True), 60, None)
    assert (found["outcome"], found["result"], found["last_lines"]) == ("passed", {"ms": 2}, ["well"])


def test_a_step_that_fails_leaves_its_last_lines() -> None:
    found = first_gpu.outcome(step("for k in range(99): print(k)\nraise SystemExit('broken')"), 60, None)
    assert found["outcome"] == "failed with status 1"
    assert found["last_lines"][-2:] == ["98", "broken"]
    assert len(found["last_lines"]) == first_gpu.LAST_LINES


def test_a_step_that_takes_too_long_is_ended_with_its_children() -> None:
    program = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )
    found = first_gpu.outcome(step(program, limit_s=3), 60, None)
    assert found["outcome"] == "ended after 3 s"
    child = int(found["last_lines"][0])
    until_s = time.monotonic() + 20
    while runs(child) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not runs(child)


def runs(process: int) -> bool:
    """Whether it does; one that has ended may wait for its parent to ask."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("left_s", "programs", "why"),
    [
        (60, ("no-such-nvcc",), "expected no-such-nvcc on the path, found none"),
        (2, (), "the time for all steps is over"),
    ],
)
def test_a_step_that_cannot_run_says_why(left_s: float, programs: tuple[str, ...], why: str) -> None:
    found = first_gpu.outcome(step("", programs=programs), left_s, None)
    assert (found["outcome"], found["why"]) == ("not run", why)


def test_all_that_it_needs_is_small_enough_to_be_carried() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TREE, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    tracked = [TREE / name for name in listed.stdout.split("\0") if name]
    made = [model.path.stat().st_size // 2 for model in models()]  # FP16 files, made from FP32
    total = sum(path.stat().st_size for path in tracked if path.is_file()) + sum(made)
    assert total < MOST_MB << 20
