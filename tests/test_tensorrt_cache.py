"""When an engine is built, when it is loaded again, and where it lies. TensorRT and the driver are stand-ins."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.tensorrt import cache, private_files
from echo_rt.engine.tensorrt.build import BuildOptions
from echo_rt.engine.tensorrt.cache import StoredEngine, cached_engine, read_engine, write_engine
from echo_rt.engine.tensorrt.private_files import cache_folder
from echo_rt.engine.tensorrt.record import record_path, sha256
from echo_rt.errors import ModelError, OutputError
from support.private_cache import Builds, private_cache
from support.stand_in_tensorrt import DEVICE, MARK, stand_in
from support.toy import SPEC, toy_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    return private_cache(tmp_path, monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return toy_model(tmp_path / "m.onnx")


@pytest.fixture
def ask() -> Builds:
    return Builds()


def test_the_first_start_builds_and_says_so_the_second_loads_in_silence(ask: Builds, model: Path) -> None:
    first, second = ask(model), ask(model)
    assert (first.built, second.built) == (True, False)
    assert second.data == first.data
    assert second.data.startswith(MARK)
    assert second.record == first.record
    assert len(ask.said) == 1
    assert "m.onnx: no engine for this machine yet: building one with TensorRT 10.16.0 for STAND-IN GPU" in ask.said[0]


def test_the_record_beside_an_engine_says_what_it_is(ask: Builds, model: Path) -> None:
    engine = ask(model)
    record = json.loads(record_path(engine.path).read_text())
    assert record["wanted"] == {
        "onnx_sha256": sha256(model.read_bytes()),
        "precision": "fp32",
        "options": {"workspace_mib": 1024, "hardware_compatible": False, "version_compatible": False},
        "tensorrt": "10.16.0",
        "cuda_driver": "12.4",
        "gpu": "STAND-IN GPU",
        "compute_capability": "8.6",
        "format": 1,
    }
    assert record["engine_sha256"] == sha256(engine.path.read_bytes())
    assert record["inputs"] == [{"name": "image", "shape": [1, 1, 48, 64], "dtype": "float32"}]
    assert record["outputs"] == [{"name": "logits", "shape": [1, 4, 48, 64], "dtype": "float32"}]
    assert record["built_at"].endswith("+00:00")


@pytest.mark.parametrize(
    ("device", "release", "said"),
    [
        (DEVICE, "11.4", "tensorrt was 10.16.0 and is 11.4.0"),
        (replace(DEVICE, cuda_driver="13.0"), "10.16", "cuda driver was 12.4 and is 13.0"),
        (replace(DEVICE, compute_capability="8.9"), "10.16", "compute capability was 8.6 and is 8.9"),
    ],
)
def test_a_changed_machine_builds_again_in_the_same_place_and_says_why(
    ask: Builds, model: Path, monkeypatch, device: CudaDevice, release: str, said: str
) -> None:
    old = ask(model)
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in(release))
    new = ask(model, device=device)
    assert new.built
    assert new.path == old.path
    assert said in ask.said[-1]
    assert "\n" not in ask.said[-1]
    assert not ask(model, device=device).built


def test_engines_of_other_models_gpus_and_options_lie_side_by_side(ask: Builds, model: Path, tmp_path: Path) -> None:
    other = toy_model(tmp_path / "other.onnx", replace(SPEC, version="2"))
    found = [
        ask(model),
        ask(other),
        ask(model, BuildOptions(workspace_mib=64)),
        ask(model, device=replace(DEVICE, name="STAND-IN GPU 2")),
    ]
    assert len({engine.path for engine in found}) == 4
    assert not ask(model).built


def test_a_changed_model_is_not_served_by_the_old_engine(ask: Builds, model: Path) -> None:
    ask(model)
    toy_model(model, replace(SPEC, version="2"))
    assert ask(model).built


def test_an_engine_can_lie_anywhere_and_is_loaded_where_it_fits(ask: Builds, model: Path, tmp_path: Path) -> None:
    engine = write_engine(ask(model), tmp_path / "out" / "my.engine")
    assert read_engine(engine.path, engine.record.wanted).data == engine.data
    with pytest.raises(
        ModelError,
        match=r"my\.engine: expected an engine for this machine and model, found that gpu was STAND-IN GPU and is",
    ):
        read_engine(engine.path, replace(engine.record.wanted, gpu="another"))


def test_the_times_of_one_build_begin_the_next_and_only_ours(
    ask: Builds, model: Path, tmp_path: Path, folder: Path
) -> None:
    def timings(engine: StoredEngine) -> str:
        return json.loads(engine.data.removeprefix(MARK))["timings"]

    others = [toy_model(tmp_path / f"{n}.onnx", replace(SPEC, version=str(n))) for n in range(3)]
    assert timings(ask(others[0])) == ""
    assert timings(ask(others[1])) == "timed "
    (path,) = folder.glob("timing-*.cache")
    path.write_bytes(path.read_bytes() + b"tampered")
    assert timings(ask(others[2])) == ""


@pytest.mark.parametrize("broken", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_no_half_written_file_and_what_was_there(
    ask: Builds, model: Path, tmp_path: Path, monkeypatch, broken: str
) -> None:
    engine = ask(model)
    target = tmp_path / "out" / "my.engine"
    write_engine(engine, target)
    before = {path.name: path.read_bytes() for path in target.parent.iterdir()}

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if broken == "write":
        monkeypatch.setattr(private_files, "_written", full)
    else:
        monkeypatch.setattr(os, broken, full)
    with pytest.raises(
        OutputError, match=r"my\.engine: expected to write there, found: No space left on device; free some space"
    ):
        write_engine(engine, target)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in target.parent.iterdir()} == before


def test_a_write_that_stops_between_the_two_files_leaves_neither(
    ask: Builds, model: Path, tmp_path: Path, monkeypatch
) -> None:
    engine = ask(model)
    target = tmp_path / "out" / "my.engine"
    replace_file, calls = os.replace, []

    def second_fails(*names: Path) -> None:
        calls.append(names)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace_file(*names)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(OutputError, match=r"my\.engine"):
        write_engine(engine, target)
    monkeypatch.undo()
    assert list(target.parent.iterdir()) == []


def test_an_engine_from_the_cache_goes_to_tensorrt_with_what_its_options_allow(ask: Builds, model: Path) -> None:
    assert ask(model).deserialize(DEVICE).host_code_allowed is False
    assert ask(model, BuildOptions(version_compatible=True)).deserialize(DEVICE).host_code_allowed is True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the variable is that of Linux desktops")
def test_the_cache_lies_where_the_user_keeps_caches(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "echo-rt" / "engines"


def test_of_those_who_want_one_engine_at_once_one_builds_and_the_others_take_it(
    model: Path, folder: Path, monkeypatch
) -> None:
    real, building, builds = cache.build.build, threading.Event(), []

    def slow(*arguments, **options):
        builds.append(threading.get_ident())
        building.set()
        assert waiting.wait(20), "nobody came to wait"
        return real(*arguments, **options)

    monkeypatch.setattr(cache.build, "build", slow)
    waiting, said, found = threading.Event(), [], []

    def say(line: str) -> None:
        said.append(line)
        if "waiting for it" in line:
            waiting.set()

    def want() -> None:
        found.append(cached_engine(model, device=DEVICE, say=say))

    threads = [threading.Thread(target=want) for _ in range(2)]
    threads[0].start()
    assert building.wait(20)
    threads[1].start()
    for thread in threads:
        thread.join()
    assert len(builds) == 1
    assert sorted(engine.built for engine in found) == [False, True]
    assert found[0].data == found[1].data
    assert any("another process is building this engine" in line for line in said)


def test_processes_that_write_one_engine_at_once_leave_a_whole_one(model: Path, tmp_path: Path, ask: Builds) -> None:
    # Each builds for itself, a different engine every time: as without a lock, a mixture of two would be refused and
    # built again.
    program = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import platformdirs
platformdirs.user_cache_path = lambda name, appauthor: Path(sys.argv[2]) / "cache" / name
from support.stand_in_tensorrt import stand_in
sys.modules["tensorrt"] = stand_in("10.16")
from echo_rt.engine.tensorrt.cache import cached_engine
from echo_rt.engine.tensorrt.record import record_path
from echo_rt.engine.cuda_driver import CudaDevice
device = CudaDevice(0, "STAND-IN GPU", "8.6", "12.4")
for _ in range(15):
    stored = cached_engine(sys.argv[3], device=device, say=lambda line: None)
    record_path(stored.path).unlink(missing_ok=True)  # the next one has to be built again
cached_engine(sys.argv[3], device=device, say=lambda line: None)
"""
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path), str(model)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    last = ask(model)
    assert not last.built, "the last of them left no whole engine"
    assert not list(last.path.parent.glob("*.part"))
