"""Teach a shipped model your own pictures: FOLDER has images/ and masks/, files of the same names.

A mask holds 0 for background, 1 for the cavity, 2 for the muscle and 3 for the left atrium.

python examples/fine_tune.py FOLDER my.onnx epochs=20
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def echo_rt(*words: str) -> None:
    """Run a command of echo-rt; it ends this program where it fails."""
    subprocess.run([sys.executable, "-m", "echo_rt", *words], check=True)


def fine_tune(folder: Path, onnx: Path, *settings: str) -> None:
    """Train from `lv-edge`, write an FP32 ONNX file, and let it say what it is."""
    run = onnx.with_suffix(".run")
    start = ("init=lv-edge", "model.grid=[112,144]", "learning_rate=5e-4", "batch=4")
    echo_rt("train", f"data.root={folder}", "data.format=folder", f"out={run}", *start, *settings)
    echo_rt("export", "onnx", str(run), "-o", str(onnx))


if __name__ == "__main__":
    fine_tune(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
    print(f"try it: echo-rt file clip.dcm --model {sys.argv[2]}")
