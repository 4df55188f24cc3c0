"""The code in CONTRIBUTING.md runs, so that whoever starts from it starts from what works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from typer.testing import CliRunner

import echo_rt
from echo_rt.engine.host import HostEngine
from echo_rt.errors import output_errors
from echo_rt.model import ModelSpec
from echo_rt.outputs.base import FileOutput
from echo_rt.sources.base import Recording
from support.results import result_of
from support.shapes import ventricle
from support.synthetic import clip

PAGE = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
SPEC = ModelSpec("toy", "1", 64, 48, 40.0, 50.0)


def sure_of_a_cavity(image: np.ndarray) -> np.ndarray:
    """A network that sees cavity everywhere, whatever the image."""
    return np.array([0.0, 9.0, 0.0, 0.0], np.float32).reshape(1, 4, 1, 1)


GIVEN = {
    "Annotated": Annotated,
    "FileOutput": FileOutput,
    "HostEngine": HostEngine,
    "Recording": Recording,
    "echo_rt": echo_rt,
    "my_network": sure_of_a_cavity,
    "np": np,
    "output_errors": output_errors,
    "typer": typer,
}
"""What the code in the page uses; it has types beside these, in annotations alone."""


def example(name: str) -> Any:
    """The function or class of that name in the page."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (code,) = (block for block in blocks if f" {name}(" in block)
    names: dict[str, Any] = dict(GIVEN)
    exec("from __future__ import annotations\n" + code, names)
    return names[name]


def test_the_output_writes_the_accepted_beats(tmp_path: Path) -> None:
    result = result_of(clip(100, rejected=frozenset({1})))
    with example("BeatsOutput")(tmp_path / "beats.csv") as output:
        output.finish(result)
    rows = (tmp_path / "beats.csv").read_text().splitlines()
    assert len(rows) == result.accepted_beats == len(result.beats) - 1


def test_the_recording_gives_its_frames_to_the_engine(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 48, 64), np.uint8)
    np.save(tmp_path / "clip.npy", images)
    readings = list(echo_rt.stream(example("ArrayCine")(tmp_path / "clip.npy")))
    assert [reading.t_s for reading in readings] == [0, 0.02, 0.04]


def test_the_measure_is_one_of_a_ventricle() -> None:
    reading = echo_rt.Monitor(SPEC).update(ventricle(), echo_rt.Frame(np.zeros((240, 240), np.uint8), 0.0, 0))
    assert reading.ventricle is not None
    assert 1.3 < example("sphericity").fget(reading.ventricle) < 1.7


def test_the_engine_segments() -> None:
    with example("MineEngine")("mine.onnx", SPEC) as engine:
        assert (engine.segment(np.zeros((96, 128), np.uint8)).labels == 1).all()


def test_the_command_lists_the_beats_of_a_recording() -> None:
    app = typer.Typer()
    app.command()(example("beats"))
    said = CliRunner().invoke(app, ["phantom:?ef=60&hr=90&fps=25&seconds=3&height=240&width=320"])
    assert said.exit_code == 0, said.output
    assert re.search(r"^0\.\d+ s: EF \d\d %, accepted$", said.output, re.MULTILINE)
