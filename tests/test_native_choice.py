"""The loops are in C++ where they were built, else in NumPy, and one module chooses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from echo_rt import native


def test_native_py_alone_chooses() -> None:
    files = (Path(native.__file__).parent).rglob("*.py")
    assert [file.name for file in files if re.search(r"\b(import|from) .*\b_native\b", file.read_text())] == [
        "native.py"
    ]


def test_without_the_kernels_every_loop_is_its_definition_and_a_frame_is_measured() -> None:
    code = """
import sys
sys.modules["echo_rt._native"] = None
from echo_rt import Monitor, native, open_engine, open_source, reference
from echo_rt.doctor.machine import examine

loops = {name: loop for name, loop in vars(native).items() if callable(loop)}
assert loops.keys() | {"tally"} == set(reference.__all__), loops.keys()
assert all(loop is getattr(reference, name) for name, loop in loops.items())
assert [found.ok for found in examine() if found.name == "native kernels"] == [False]
with open_source("phantom:?seconds=1&seed=3") as phantom, open_engine("lv-edge", "cpu") as engine:
    monitor = Monitor(engine.spec)
    for frame in list(phantom)[:6]:
        reading = monitor.update(engine.segment(frame.image), frame)
    print(reading.ventricle.volume, reading.wall.thickness.mean(), int(reading.segmentation.mask(1).sum()))
"""
    plain, fast = (
        subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split()
        for text in (
            code,
            "\n".join(line for line in code.splitlines() if "_native" not in line and "assert" not in line),
        )
    )
    np.testing.assert_allclose(np.array(plain, float), np.array(fast, float), rtol=2e-3)
