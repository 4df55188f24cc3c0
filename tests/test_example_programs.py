"""The programs and notebooks in examples/ do what they say, on data of a few seconds."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import echo_rt
from support.shapes import labels_of

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PROGRAMS = {"own_source", "own_output", "own_measure", "batch_to_pandas", "fine_tune", "service"}
NOTEBOOKS = {"first-ef", "frame-by-frame", "how-well"}
SMALL = "phantom:?ef=60&hr=90&fps=25&seconds=2&height=120&width=160"
LINES, CELL_S = 60, 20


def program(name: str) -> Any:
    """The module of an example."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # FastAPI looks for the types of a handler there
    spec.loader.exec_module(module)
    return module


def test_the_examples_are_these_and_short() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == PROGRAMS
    assert {path.stem for path in EXAMPLES.glob("*.ipynb")} == NOTEBOOKS
    assert [path.name for path in EXAMPLES.glob("*.py") if len(path.read_text().splitlines()) > LINES] == []


def test_a_source_of_ones_own_is_followed(tmp_path: Path) -> None:
    frames = list(echo_rt.open_source(SMALL))
    np.save(tmp_path / "frames.npy", np.stack([frame.image for frame in frames]))
    readings = list(echo_rt.stream(program("own_source").ArrayFrames(str(tmp_path / "frames.npy"), 25.0)))
    assert [reading.t_s for reading in readings] == [n / 25 for n in range(len(frames))]
    assert sum(reading.quality.ok for reading in readings) > len(frames) / 2


def test_an_output_of_ones_own_has_a_line_for_each_frame() -> None:
    rows = [json.loads(line) for line in program("own_output").lines(SMALL)]
    assert len(rows) == 50
    assert rows[-1]["ef_percent"] == list(echo_rt.stream(SMALL))[-1].ef.percent
    assert len(rows[-1]["contour_px"][0]) == 2


def test_a_measure_of_ones_own_is_larger_at_ed() -> None:
    beats = program("own_measure").of_beats(SMALL)
    assert beats
    # The ventricle shortens less than it narrows: at ES it is the longer one for its width.
    assert all(0.2 < at_es < at_ed < 1 for _, at_ed, at_es in beats)


def test_a_folder_becomes_a_table_with_the_bad_ones_in_it(cine: Path, tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="needs pandas: pip install 'echo-rt[pandas]'")
    shutil.copy(cine, tmp_path / "a.dcm")
    (tmp_path / "b.avi").write_text("no recording")
    table = program("batch_to_pandas").table(tmp_path)
    assert table["ef_percent"].notna().tolist() == [True, False]
    assert "b.avi" in table["reason"][1]


def test_a_folder_of_pictures_becomes_a_model(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs torch: pip install 'echo-rt[train]'")
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for patient in range(8):
        for radius in (40, 28):
            labels = labels_of((220, 240), 110, radius, 14, (120.0, 150.0))
            image = np.array([20, 60, 180, 80])[labels] + rng.normal(0, 8, labels.shape)
            name = f"p{patient}_{radius}.png"
            cv2.imwrite(str(tmp_path / "images" / name), np.clip(image, 0, 255).astype(np.uint8))
            cv2.imwrite(str(tmp_path / "masks" / name), labels)
    small = ("epochs=1", "warmup_epochs=0", "validate_every=0", "readers=0", "tensorboard=false")
    program("fine_tune").fine_tune(tmp_path, tmp_path / "my.onnx", *small)
    assert echo_rt.process(SMALL, tmp_path / "my.onnx", device="cpu").frames.total == 50


@pytest.mark.filterwarnings("ignore:Using .httpx. with")
def test_the_service_answers_with_a_summary_and_refuses_what_is_no_recording(cine: Path) -> None:
    pytest.importorskip("fastapi", reason="needs fastapi: pip install fastapi httpx")
    pytest.importorskip("httpx", reason="needs httpx: pip install fastapi httpx")
    from fastapi.testclient import TestClient

    with TestClient(program("service").app) as client:
        answer = client.post("/ef", content=cine.read_bytes())
        assert answer.status_code == 200
        assert answer.json()["ef_percent"] == echo_rt.process(cine).to_dict()["ef_percent"]
        refused = client.post("/ef", content=b"no recording")
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("recording: expected")


@pytest.mark.parametrize("name", sorted(NOTEBOOKS))
@pytest.mark.filterwarnings("ignore")  # of the kernel's own libraries
def test_a_notebook_runs_from_its_first_cell_to_its_last(name: str, tmp_path: Path) -> None:
    for library in ("nbclient", "ipykernel", "pandas"):
        pytest.importorskip(library, reason=f"needs {library}, which the dev extra brings")
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in cells if cell.outputs], "what a notebook shows is not kept in the repository"
    NotebookClient(notebook, timeout=10 * CELL_S, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {kind for cell in cells for output in cell.outputs for kind in output.get("data", {"text/plain": ""})}
    assert {"text/plain"} <= kinds
    if name != "how-well":
        assert {"text/html", "image/png"} <= kinds, "the table and the picture are shown"
