"""The steps of benchmarks/first_gpu.sh: each in a process of its own, with a time limit, all in one JSON.

The JSON is written anew after every step, so that whatever ends this program leaves what was found by then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]
LAST_LINES = 25
PARITY, KERNELS = "tests/test_tensorrt_engine_gpu.py", "tests/test_cuda_kernels_gpu.py"
PYTEST = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
SANITIZER = ["compute-sanitizer", "--target-processes", "all", "--error-exitcode", "9"]
LIBRARIES = (
    "tensorrt", "pycuda", "cuda-bindings", "torch", "onnxruntime-gpu", "onnxruntime", "onnx", "numpy", "echo-rt",
)  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A program to run.

    Attributes:
        limit_s: it is ended after so long.
        programs: what has to be on the path.
        result: it writes a JSON where ``{json}`` stands in the command.
    """

    name: str
    command: Sequence[str]
    limit_s: float
    programs: Sequence[str] = ()
    result: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def steps() -> list[Step]:
    """In their order: what the others need first, then what is worth most."""
    soak = [sys.executable, "benchmarks/live_soak.py", "--minutes", "0.7", "--device", "tensorrt"]
    return [
        Step("kernels", compile_kernels(), 60, programs=("nvcc",)),
        Step("parity of the kernels", [*PYTEST, KERNELS], 40),
        Step("parity of the engine", [*PYTEST, "--maxfail=3", PARITY], 150),
        Step("latency", [sys.executable, "benchmarks/gpu.py", "--json", "{json}"], 150, result=True),
        *(
            Step(f"compute-sanitizer {tool}", [*SANITIZER, "--tool", tool, *PYTEST, KERNELS], 40, SANITIZER[:1])
            for tool in ("memcheck", "racecheck", "initcheck")
        ),
        Step("soak", soak, 75),
        Step("engines", [*PYTEST, "tests/test_tensorrt_gpu.py"], 60),
    ]


def compile_kernels() -> list[str]:
    """A command that makes kernels.fatbin for this very GPU in the tree; nothing to do where one is installed."""
    target = TREE / "runtime" / "echo_rt" / "kernels.fatbin"
    program = (
        "import subprocess, sys\n"
        "from echo_rt.engine.tensorrt.kernels import fatbin_path\n"
        "from echo_rt.errors import DeviceError\n"
        "try:\n"
        "    print('installed:', fatbin_path())\n"
        "except DeviceError:\n"
        "    nvcc = ['nvcc', '-std=c++17', '-O3', '-arch=native', '-fatbin', '-o', *sys.argv[1:]]\n"
        "    sys.exit(subprocess.run(nvcc).returncode)\n"
    )
    return [sys.executable, "-c", program, str(target), str(TREE / "runtime" / "native" / "kernels.cu")]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=float, default=480.0, help="seconds for all of it")
    given = parser.parse_args(arguments)
    end_s = time.monotonic() + given.limit
    found: dict[str, Any] = {"format": 1, "limit_s": given.limit, "environment": environment(), "steps": []}
    why = found["environment"]["no_gpu"]
    for step in steps():
        found["steps"].append(outcome(step, end_s - time.monotonic(), why))
        write(given.out, found)
        print(said(found["steps"][-1]), flush=True)
    print(f"written to {given.out}")
    return 0 if all(step["outcome"] in ("passed", "not run") for step in found["steps"]) else 1


def outcome(step: Step, left_s: float, why: str | None) -> dict[str, Any]:
    """What came of a step: its name, ``outcome``, and ``why`` or what it left.

    Args:
        left_s: of the time for all steps.
        why: nothing that needs a GPU can be run; None where it can.
    """
    missing = [program for program in step.programs if shutil.which(program) is None]
    if why is None and missing:
        why = f"expected {' and '.join(missing)} on the path, found none"
    if why is None and left_s < 5:
        why = "the time for all steps is over"
    if why is not None:
        return {"name": step.name, "outcome": "not run", "why": why}
    with tempfile.TemporaryDirectory(prefix="echo-rt-gpu-") as folder:
        result = Path(folder) / "result.json"
        start_s = time.monotonic()
        ended, lines = run(step, min(step.limit_s, left_s), result)
        seconds = round(time.monotonic() - start_s, 1)
        about: dict[str, Any] = {"name": step.name, "outcome": ended, "seconds": seconds, "last_lines": lines}
        if step.result and result.is_file():
            about["result"] = json.loads(result.read_text())
    return about


def run(step: Step, limit_s: float, result: Path) -> tuple[str, list[str]]:
    """How it ended, and the last lines of what it said. After `limit_s` it is ended, with all that it started."""
    command = [str(result) if part == "{json}" else part for part in step.command]
    with tempfile.TemporaryFile("w+", errors="replace") as said_file:
        child = subprocess.Popen(
            command, cwd=TREE, stdout=said_file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **step.environment}, start_new_session=True,
        )  # fmt: skip
        try:
            status = child.wait(limit_s)
            ended = "passed" if status == 0 else f"failed with status {status}"
        except subprocess.TimeoutExpired:
            ended = f"ended after {limit_s:.0f} s"
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        said_file.seek(0)
        return ended, said_file.read().splitlines()[-LAST_LINES:]


def environment() -> dict[str, Any]:
    """The machine, its libraries, the tree and the models; ``no_gpu`` is None, or why there is none."""
    found = {distribution.name: distribution.version for distribution in distributions()}
    return {
        "no_gpu": no_gpu(),
        "nvidia_smi": answer(
            ["nvidia-smi", "--query-gpu=name,driver_version,compute_cap,memory.total,power.limit", "--format=csv"]
        ),
        "nvcc": answer(["nvcc", "--version"]),
        "compute_sanitizer": answer(["compute-sanitizer", "--version"]),
        "python": sys.version.split()[0],
        "versions": {name: found[name] for name in LIBRARIES if name in found},
        "commit": answer(["git", "rev-parse", "HEAD"]),
        "models": {path.name: sha256(path) for path in sorted((TREE / "models").glob("*.onnx"))},
        "devices": devices(),
    }


def no_gpu() -> str | None:
    """Why there is no GPU that echo-rt can use."""
    return tried(_find)


def devices() -> dict[str, str]:
    """What each of echo-rt's devices says of itself here, or why it cannot be used."""
    from echo_rt.engine import DEVICES, probe

    found: dict[str, str] = {}
    for name in DEVICES:
        why = tried(lambda name=name: found.update({name: probe(name)}))  # type: ignore[misc]
        if why is not None:
            found[name] = f"not here: {why}"
    return found


def _find() -> None:
    from echo_rt.engine.cuda_driver import find_device

    find_device()


def tried(step: Callable[[], None]) -> str | None:
    """None, or why it failed."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - whatever it is belongs into the JSON
        return str(error) or type(error).__name__
    return None


def answer(command: Sequence[str]) -> str:
    """What a short program says, or why it says nothing."""
    try:
        done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"not here: {type(error).__name__}"
    return (done.stdout or done.stderr).strip()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(path: Path, found: Mapping[str, Any]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def said(step: Mapping[str, Any]) -> str:
    """One line on a step."""
    return f"{step['name']}: {step['outcome']}" + (f" ({step['why']})" if "why" in step else f", {step['seconds']} s")


if __name__ == "__main__":
    sys.exit(main())
