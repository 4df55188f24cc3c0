"""`make test-arm64`: the kernels' tests, the engines' tests and the main job on an emulated ARM64 processor.

The main job's results are held against this machine's by the gate of `echo-rt export`. What is made lies in
build/arm64; the first run fetches about 500 MB. Times are QEMU's and say nothing of a real processor.

PYTHONPATH=tests python -m arm64.run                               all three
PYTHONPATH=tests python -m arm64.run --only job --cpu neoverse-n1  one of them, on another processor
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from arm64.board import (
    BUILT,
    CPUS,
    Board,
    BoardError,
    check_tools,
    install_libraries,
    install_product,
    make_root,
    qemu_version,
)
from arm64.compare import agreement
from echo_rt.model import model_path
from echo_rt_export.parity import real_cine
from support.remembering import temporal_model

KERNELS = [
    f"tests/test_{name}.py"
    for name in (
        "native",
        "native_choice",
        "native_drawing",
        "native_odd",
        "native_picture",
        "preprocess",
        "postprocess",
    )
]
ENGINES = ["tests/test_engine.py"]
PRECISIONS = ("int8", "fp32")


def kernels(board: Board) -> bool:
    """The C++ kernels against their definitions in NumPy."""
    return _pytest(board, KERNELS)


def engines(board: Board) -> bool:
    """What every engine does, on those that the board has."""
    ready = BUILT / "remembering.fp32.onnx"
    shutil.copyfile(temporal_model(), ready)
    return _pytest(board, ENGINES, {"ECHO_RT_TEMPORAL_MODEL": str(ready)})


def job(board: Board) -> bool:
    """The main job in each precision, here and there; whether the results agree."""
    cine = BUILT / "cine.dcm"
    shutil.copyfile(real_cine(), cine)
    agreed = [_job(board, cine, precision) for precision in PRECISIONS]
    return all(agreed)


PARTS: dict[str, Callable[[Board], bool]] = {"kernels": kernels, "engines": engines, "job": job}


def _job(board: Board, cine: Path, precision: str) -> bool:
    results = [BUILT / "results" / precision / machine for machine in ("here", board.cpu)]
    for folder in results:
        shutil.rmtree(folder, ignore_errors=True)
    asked = ["echo_rt", "file", str(cine), "--model", f"lv-edge.{precision}", "--device", "cpu", "--out"]
    subprocess.run([sys.executable, "-m", *asked, results[0]], check=True, capture_output=True)
    if board.python("-m", "arm64.patient", *asked, results[1]):
        return False
    found = agreement(*(folder / cine.stem for folder in results))
    print(f"{model_path(f'lv-edge.{precision}').name}: {found}")
    for failure in found.failures:
        print(f"{model_path(f'lv-edge.{precision}').name}: expected this machine's results, found {failure}")
    return not found.failures


def _pytest(board: Board, tests: list[str], environment: dict[str, str] | None = None) -> bool:
    # The profile `sanitize` has no deadline for an example.
    options = ["--quiet", "-p", "no:cacheprovider", "--timeout=3600", "--hypothesis-profile=sanitize"]
    return board.python("-m", "arm64.patient", "pytest", *options, *tests, environment=environment) == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-arm64", description=__doc__.partition("\n")[0])
    parser.add_argument("--only", choices=PARTS, action="append", help="one of the parts; may be given again")
    parser.add_argument("--cpu", choices=CPUS, default="cortex-a76", help="the processor that QEMU emulates")
    asked = parser.parse_args()
    try:
        check_tools()
        print(f"making the board in {BUILT} (minutes at first)", flush=True)
        root = make_root()
        install_libraries()
        install_product(root)
    except BoardError as error:
        print(f"echo-rt: {error}", file=sys.stderr)
        return 2
    board, failed = Board(root, asked.cpu), []
    print(f"emulating {asked.cpu} by qemu-user {qemu_version()}", flush=True)
    for name in asked.only or PARTS:
        start = time.monotonic()
        if not PARTS[name](board):
            failed.append(name)
        print(f"{name}: {'failed' if name in failed else 'passed'} in {time.monotonic() - start:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
