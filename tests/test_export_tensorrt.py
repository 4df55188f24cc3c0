"""`echo-rt export tensorrt`: in a process of its own on a machine without a device, and in ours with stand-ins for
device and TensorRT."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.tensorrt import cache
from echo_rt.engine.tensorrt.cache import read_engine
from echo_rt.engine.tensorrt.record import record_path
from echo_rt.errors import ModelError, ParameterError
from support.commands import export
from support.program import echo_rt
from support.stand_in_tensorrt import MARK, stand_in
from support.toy import toy_model


@pytest.fixture
def no_device(tmp_path: Path) -> dict[str, str]:
    """An environment without a CUDA device, in which importing tensorrt leaves a trace and ends the process as TensorRT
    would."""
    package = tmp_path / "site" / "tensorrt.py"
    package.parent.mkdir()
    package.write_text(f"import os, pathlib; pathlib.Path({str(tmp_path / 'imported')!r}).touch(); os.abort()")
    return {"PYTHONPATH": str(package.parent), "CUDA_VISIBLE_DEVICES": "", "XDG_CACHE_HOME": str(tmp_path / "cache")}


def test_without_a_device_it_says_so_in_one_line_with_status_3_and_leaves_tensorrt_alone(
    tmp_path: Path, no_device
) -> None:
    found = echo_rt("export", "tensorrt", toy_model(tmp_path / "m.onnx"), "-o", tmp_path / "m.engine", **no_device)
    assert found.returncode == 3, "a crash would be a negative number"
    assert found.stdout == ""
    (line,) = found.stderr.splitlines()
    assert line.startswith("echo-rt: expected a CUDA device, found n")
    assert not (tmp_path / "imported").exists()
    assert not (tmp_path / "m.engine").exists()


def test_the_trap_for_imports_of_tensorrt_works(tmp_path: Path, no_device) -> None:
    run = subprocess.run([sys.executable, "-c", "import tensorrt"], env={**os.environ, **no_device}, check=False)
    assert run.returncode < 0
    assert (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("spec", "message"), [(None, "a file without an echo-rt spec"), ("{}", "expected an echo-rt spec of format 1")]
)
def test_a_file_that_is_no_model_of_ours_is_named_before_any_device(
    tmp_path: Path, no_device, spec, message: str
) -> None:
    found = echo_rt("export", "tensorrt", toy_model(tmp_path / "m.onnx", spec), **no_device)
    assert found.returncode == 2
    assert message in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_it_needs_neither_torch_nor_onnx(tmp_path: Path, no_device) -> None:
    model = toy_model(tmp_path / "m.onnx")
    code = (
        "import sys; from echo_rt.errors import NoDeviceError; from echo_rt_export.commands import export\n"
        f"try: export(['tensorrt', {str(model)!r}], standalone_mode=False)\n"
        "except NoDeviceError: print([m for m in ('torch', 'onnx', 'onnxruntime', 'tensorrt') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **no_device}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / "cache" / name)
    monkeypatch.setattr(cache, "find_device", lambda: CudaDevice(0, "STAND-IN GPU", "8.6", "12.4"))
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in("11.4"))


def test_the_engine_and_its_record_are_written_where_they_are_wanted(tmp_path: Path, stand_ins, capsys) -> None:
    target = tmp_path / "out" / "m.engine"
    export(["tensorrt", str(toy_model(tmp_path / "m.onnx")), "-o", str(target)])
    assert {path.name for path in target.parent.iterdir()} == {"m.engine", "m.engine.json"}
    assert read_engine(target).data.startswith(MARK)
    said = capsys.readouterr()
    assert said.out.startswith(f"{target}: fp32, TensorRT 11.4.0, STAND-IN GPU, 0.0 MB, built in 0 s")
    assert said.err.startswith("echo-rt: m.onnx: no engine for this machine yet: building one")


def test_without_a_target_the_engine_stays_in_the_cache_and_is_found_again(tmp_path: Path, stand_ins, capsys) -> None:
    model = str(toy_model(tmp_path / "m.onnx"))
    export(["tensorrt", model])
    first = capsys.readouterr().out
    export(["tensorrt", model])
    second = capsys.readouterr()
    assert second.err == ""
    assert first.split(":")[0] == second.out.split(":")[0]
    assert Path(second.out.split(":")[0]).is_file()
    assert "from the cache, built 20" in second.out


def test_options_reach_the_build(tmp_path: Path, stand_ins, capsys) -> None:
    target = tmp_path / "m.engine"
    export(
        [
            "tensorrt",
            str(toy_model(tmp_path / "m.onnx")),
            "-o",
            str(target),
            "--workspace",
            "64",
            "--hardware-compatible",
        ]
    )
    engine = read_engine(target)
    assert b'"WORKSPACE": 67108864' in engine.data
    assert b'"level": "AMPERE_PLUS"' in engine.data
    assert engine.record.wanted.options.hardware_compatible


def test_the_engine_does_not_overwrite_its_model(tmp_path: Path, stand_ins) -> None:
    model = toy_model(tmp_path / "m.onnx")
    before = model.read_bytes()
    with pytest.raises(ParameterError, match="expected a file for the engine, found the model itself"):
        export(["tensorrt", str(model), "-o", str(model)])
    assert model.read_bytes() == before


def test_an_engine_that_cannot_be_built_leaves_nothing(tmp_path: Path, stand_ins, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in("11.4", fail="build"))
    target = tmp_path / "m.engine"
    with pytest.raises(ModelError, match="out of memory"):
        export(["tensorrt", str(toy_model(tmp_path / "m.onnx")), "-o", str(target)])
    assert not target.exists()
    assert not record_path(target).exists()
    left = {path.name: path.stat().st_size for path in (tmp_path / "cache" / "echo-rt" / "engines").iterdir()}
    # The lock's empty file stays: to remove it would let two processes hold one lock.
    assert [name for name, size in left.items() if size] == ["seal.key"]
    assert all(name.endswith(".lock") for name, size in left.items() if not size)
