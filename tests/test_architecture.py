"""The house: who may import whom. Read from the source, not from what happens to run."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

RUNTIME = Path(__file__).resolve().parents[1] / "runtime" / "echo_rt"
WINGS = {"sources", "phantom", "engine", "cardiac", "outputs"}
GROUND = {"errors", "frame", "segmentation", "reading", "result", "fields", "model", "arrays", "_native", "reference"}


def imported(path: Path) -> set[str]:
    """Every module of the project that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write it out, so that this test can read it"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in names if name.startswith(("echo_rt.", "echo_rt_"))}


def rooms(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("echo_rt.")}


def files(folder: str) -> list[Path]:
    return sorted((RUNTIME / folder).rglob("*.py"))


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_a_wing_imports_itself_and_the_ground_floor_alone(wing: str) -> None:
    found = {room for path in files(wing) for room in rooms(path)}
    assert files(wing)
    # A phantom is a source too: its address is opened like any other, and it is imported when it is.
    assert found <= GROUND | {wing} | ({"phantom"} if wing == "sources" else set())


def test_the_ground_floor_imports_nothing_above_it() -> None:
    for name in GROUND - {"_native"}:
        for path in files(name) or [RUNTIME / f"{name}.py"]:
            assert rooms(path) <= GROUND, path


def test_stream_is_the_only_place_where_the_four_wings_meet() -> None:
    above = [*RUNTIME.glob("*.py"), *files("live")]
    meeting = {path.name for path in above if rooms(path) >= WINGS - {"phantom"} and path.name != "__init__.py"}
    assert meeting == {"pipeline.py"}


def test_the_runtime_never_imports_training_or_export() -> None:
    for path in RUNTIME.rglob("*.py"):
        assert not [name for name in imported(path) if name.startswith("echo_rt_")], path


def test_import_echo_rt_is_lean() -> None:
    heavy = ("torch", "onnx", "matplotlib", "cv2", "numpy", "av", "pydicom", "onnxruntime")
    code = f"import echo_rt, sys; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_a_whole_recording_needs_neither_torch_nor_onnx(cine: Path) -> None:
    heavy = ("torch", "onnx", "matplotlib")
    code = f"import echo_rt, sys; list(echo_rt.stream({str(cine)!r})); print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_the_public_names_are_these() -> None:
    import echo_rt

    assert sorted(echo_rt.__all__) == sorted(
        [
            "SEGMENTS",
            "Beat",
            "DataError",
            "DeviceError",
            "EchoRtError",
            "EjectionFraction",
            "Engine",
            "EngineClosedError",
            "Frame",
            "FrameError",
            "LeftVentricle",
            "MissingExtraError",
            "ModelError",
            "ModelSpec",
            "Monitor",
            "NoDeviceError",
            "OutputError",
            "ParameterError",
            "Quality",
            "Reading",
            "Reason",
            "RecordingResult",
            "Segmentation",
            "ShippedModel",
            "Source",
            "SourceError",
            "SourceFormatError",
            "SourceNotFoundError",
            "WallBeat",
            "WallReading",
            "__version__",
            "models",
            "open_engine",
            "open_source",
            "process",
            "stream",
        ]
    )
    for name in echo_rt.__all__:
        assert getattr(echo_rt, name) is not None


def test_every_error_is_also_the_builtin_that_fits_and_prints_as_its_message() -> None:
    from echo_rt import errors

    assert issubclass(errors.SourceNotFoundError, FileNotFoundError)
    assert issubclass(errors.ModelError, ValueError)
    assert str(errors.SourceError("one line")) == "one line"
    assert str(errors.OutputError("one line")) == "one line"
    assert "pip install 'echo-rt[train]'" in str(errors.MissingExtraError("echo-rt train", "train"))
