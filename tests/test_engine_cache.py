"""Which engines are loaded, which are refused, and when one is built again. TensorRT and the driver are stand-ins."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from echo_rt.engine.cuda_driver import CudaDevice
from echo_rt.engine.tensorrt import cache as engine_cache
from echo_rt.engine.tensorrt import private_files
from echo_rt.engine.tensorrt.build import BuildOptions, TensorInfo
from echo_rt.engine.tensorrt.cache import EngineRecord, Wanted, cached_engine, read_engine, record_path, write_engine
from echo_rt.engine.tensorrt.private_files import cache_folder, user_key
from echo_rt.errors import ModelError, OutputError
from support.stand_in_tensorrt import MARK, stand_in
from support.toy import SPEC, toy_model

DEVICE = CudaDevice(0, "STAND-IN GPU", "8.6", "12.4")
WANTED = Wanted("a" * 64, "fp16", BuildOptions(), "10.16.0", "12.4", "STAND-IN GPU", "8.6")
RECORD = EngineRecord(
    WANTED, "b" * 64, (TensorInfo("image", (1, 1, 48, 64), "float32"),), (), "2026-01-01T00:00:00+00:00", 12.5
)
KEY = bytes(32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    """A cache folder of the test's own, and a stand-in for TensorRT 10.16."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / "cache" / name)
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in("10.16"))
    return tmp_path / "cache" / "echo-rt" / "engines"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return toy_model(tmp_path / "m.onnx")


class Builds:
    """Asks for the engine of a model, and keeps what was said of it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(
        self, model: Path, options: BuildOptions | None = None, device: CudaDevice = DEVICE
    ) -> engine_cache.StoredEngine:
        return cached_engine(model, options, device=device, say=self.said.append)


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
        "onnx_sha256": engine_cache.sha256(model.read_bytes()),
        "precision": "fp32",
        "options": {"workspace_mib": 1024, "hardware_compatible": False, "version_compatible": False},
        "tensorrt": "10.16.0",
        "cuda_driver": "12.4",
        "gpu": "STAND-IN GPU",
        "compute_capability": "8.6",
        "format": 1,
    }
    assert record["engine_sha256"] == engine_cache.sha256(engine.path.read_bytes())
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


@pytest.mark.parametrize("name", [field.name for field in fields(Wanted)])
def test_every_field_counts(name: str) -> None:
    other = {"options": BuildOptions(hardware_compatible=True), "format": 2}.get(name, "other")
    changed = replace(WANTED, **{name: other})
    assert WANTED.differences(WANTED) == []
    assert len(changed.differences(WANTED)) == 1


@pytest.mark.parametrize("damage", ["cut short", "changed", "empty", "exchanged"])
def test_an_engine_that_is_not_the_one_of_its_record_is_refused_and_built_again(
    ask: Builds, model: Path, damage: str
) -> None:
    engine = ask(model)
    data = engine.path.read_bytes()
    changed = bytes([data[0] ^ 1]) + data[1:]
    engine.path.write_bytes(
        {"cut short": data[:-1], "changed": changed, "empty": b"", "exchanged": MARK + b"of somebody else"}[damage]
    )
    with pytest.raises(
        ModelError, match="expected the engine of its record, found one that was changed or cut short; build it again"
    ):
        read_engine(engine.path)
    again = ask(model)
    assert again.built
    assert "changed or cut short" in ask.said[-1]
    assert read_engine(again.path).data == again.data


def test_an_engine_without_a_record_is_refused(ask: Builds, model: Path) -> None:
    engine = ask(model)
    record_path(engine.path).unlink()
    with pytest.raises(ModelError, match="expected an engine and its record, found No such file"):
        read_engine(engine.path)
    assert ask(model).built


def test_a_foreign_engine_with_a_consistent_record_is_refused(ask: Builds, model: Path, cache: Path) -> None:
    """Somebody else built it, for the same model and machine, and hands over both files: all hashes fit."""
    engine = ask(model)
    theirs = engine.record.to_json(bytes(32))
    record_path(engine.path).write_text(theirs)
    with pytest.raises(
        ModelError, match="expected an engine that you built here, found that its record does not bear the seal"
    ):
        read_engine(engine.path)
    assert ask(model).built


@pytest.mark.parametrize("change", ["seal", "no seal", "hash", "gpu", "not JSON", "a list", "binary"])
def test_a_record_that_was_written_by_hand_is_refused(ask: Builds, model: Path, change: str) -> None:
    engine = ask(model)
    path = record_path(engine.path)
    record = json.loads(path.read_text())
    if change == "seal":
        record["seal"] = "0" * 64
    elif change == "no seal":
        del record["seal"]
    elif change == "hash":
        engine.path.write_bytes(MARK + b"evil")
        record["engine_sha256"] = engine_cache.sha256(MARK + b"evil")
    elif change == "gpu":
        record["wanted"]["gpu"] = "another"
    path.write_bytes(
        {"not JSON": b"{", "a list": b"[]", "binary": b"\xff\xfe"}.get(change, json.dumps(record).encode())
    )
    with pytest.raises(ModelError, match="build it again"):
        read_engine(engine.path)
    assert ask(model).built


def test_a_record_comes_back_as_it_went_in_and_only_with_its_key() -> None:
    assert EngineRecord.from_json(RECORD.to_json(KEY), KEY) == RECORD
    with pytest.raises(ValueError, match="seal"):
        EngineRecord.from_json(RECORD.to_json(KEY), b"1" * 32)


def test_a_record_of_another_layout_is_refused_and_not_a_crash() -> None:
    raw = {**asdict(RECORD), "colour": "red"}
    text = json.dumps({**raw, "seal": engine_cache._seal(json.loads(json.dumps(raw)), KEY)})
    with pytest.raises(ValueError, match="another layout"):
        EngineRecord.from_json(text, KEY)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows guards the folder by its access list")
def test_key_engine_and_folder_are_for_their_owner_alone(ask: Builds, model: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    engine = ask(model)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    for path in (cache / "seal.key", engine.path, record_path(engine.path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="Windows guards the folder by its access list")
def test_a_key_that_others_could_read_is_made_anew_and_no_old_seal_holds(ask: Builds, model: Path, cache: Path) -> None:
    ask(model)
    key = cache / "seal.key"
    old = key.read_bytes()
    key.chmod(0o644)
    assert ask(model).built
    assert key.read_bytes() != old
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no user ids")
def test_a_cache_folder_of_somebody_else_is_refused(monkeypatch, cache: Path) -> None:
    cache.mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: cache.stat().st_uid + 1)
    with pytest.raises(OutputError, match="expected it to be yours"):
        cache_folder()


def test_an_engine_can_lie_anywhere_and_is_loaded_where_it_fits(ask: Builds, model: Path, tmp_path: Path) -> None:
    engine = write_engine(ask(model), tmp_path / "out" / "my.engine")
    assert read_engine(engine.path, engine.record.wanted).data == engine.data
    with pytest.raises(
        ModelError,
        match=r"my\.engine: expected an engine for this machine and model, found that gpu was STAND-IN GPU and is",
    ):
        read_engine(engine.path, replace(engine.record.wanted, gpu="another"))


def test_the_times_of_one_build_begin_the_next_and_only_ours(
    ask: Builds, model: Path, tmp_path: Path, cache: Path
) -> None:
    def timings(engine: engine_cache.StoredEngine) -> str:
        return json.loads(engine.data.removeprefix(MARK))["timings"]

    others = [toy_model(tmp_path / f"{n}.onnx", replace(SPEC, version=str(n))) for n in range(3)]
    assert timings(ask(others[0])) == ""
    assert timings(ask(others[1])) == "timed "
    (path,) = cache.glob("timing-*.cache")
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


def test_two_processes_that_begin_together_share_one_key(cache: Path, monkeypatch) -> None:
    folder = cache_folder()
    link = os.link

    def late(source: Path, target: Path) -> None:
        if not target.exists():
            target.write_bytes(b"k" * 32)
            target.chmod(0o600)
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert user_key(folder) == b"k" * 32
    assert {path.name for path in folder.iterdir()} == {"seal.key"}


def test_an_engine_from_the_cache_goes_to_tensorrt_with_what_its_options_allow(ask: Builds, model: Path) -> None:
    assert ask(model).deserialize(DEVICE).host_code_allowed is False
    assert ask(model, BuildOptions(version_compatible=True)).deserialize(DEVICE).host_code_allowed is True


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the variable is that of Linux desktops")
def test_the_cache_lies_where_the_user_keeps_caches(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "echo-rt" / "engines"


def test_of_those_who_want_one_engine_at_once_one_builds_and_the_others_take_it(
    model: Path, cache: Path, monkeypatch
) -> None:
    real, building, builds = engine_cache.tensorrt_build.build, threading.Event(), []

    def slow(*arguments, **options):
        builds.append(threading.get_ident())
        building.set()
        assert waiting.wait(20), "nobody came to wait"
        return real(*arguments, **options)

    monkeypatch.setattr(engine_cache.tensorrt_build, "build", slow)
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
from echo_rt.engine.tensorrt import cache as engine_cache
from echo_rt.engine.cuda_driver import CudaDevice
device = CudaDevice(0, "STAND-IN GPU", "8.6", "12.4")
for _ in range(15):
    stored = engine_cache.cached_engine(sys.argv[3], device=device, say=lambda line: None)
    engine_cache.record_path(stored.path).unlink(missing_ok=True)  # the next one has to be built again
engine_cache.cached_engine(sys.argv[3], device=device, say=lambda line: None)
"""
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path), str(model)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    last = ask(model)
    assert not last.built, "the last of them left no whole engine"
    assert not list(last.path.parent.glob("*.part"))
