"""`auto` measures once what runs a model fastest, keeps it, and opens an engine whatever becomes of that."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echo_rt.doctor.machine import examine
from echo_rt.engine import DEVICES, Device, fastest, measured, open_engine
from echo_rt.engine.fastest import STALE_S, Candidate, ordered
from echo_rt.errors import ModelError
from support.toy import SPEC, changed, toy_model


class FakeEngine:
    """Takes as long as its device is told to."""

    def __init__(self, spec: Any, device: str, wait_s: float) -> None:
        self.spec, self.device, self.description, self.wait_s = spec, device, f"fake {device}", wait_s

    def segment(self, image: np.ndarray, state: object = None) -> None:
        if self.wait_s < 0:
            raise ModelError("expected a frame, found none")
        time.sleep(self.wait_s)

    def close(self) -> None: ...

    def __enter__(self) -> FakeEngine:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, user_cache: Path) -> Callable[..., list[str]]:
    """Puts two devices of given times in place of the real ones, the slow one first; says what was opened."""
    log: list[str] = []

    class FakeDevice(Device):
        waits: dict[str, float]

        def load(self) -> Any:
            return type("Module", (), {"probe": staticmethod(lambda: "here")})

        def open(self, path: Path, spec: Any, threads: int = 0) -> Any:
            log.append(self.engine)
            return FakeEngine(spec, self.engine, self.waits[self.engine])

    def put(**waits: float) -> list[str]:
        FakeDevice.waits = waits
        devices = {name: FakeDevice("fake", name, ("fp32",), threaded=True) for name in waits}
        monkeypatch.setattr("echo_rt.engine.DEVICES", devices)
        monkeypatch.setattr("echo_rt.engine.fastest.default_threads", lambda: 1)
        monkeypatch.setenv(fastest.SWITCH, "1")
        log.clear()
        return log

    return put


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return toy_model(tmp_path / "toy.onnx")


def test_the_faster_device_is_taken_and_measured_once(opened: Any, model: Path) -> None:
    log = opened(slow=0.01, fast=0.0)
    with open_engine(model) as engine:
        assert engine.device == "fast"
    assert log == ["slow", "fast", "fast"]
    log.clear()
    with open_engine(model) as engine:
        assert engine.device == "fast"
    assert log == ["fast"], "what was measured is kept"


def test_what_is_kept_is_that_of_a_file_with_these_bytes(opened: Any, model: Path, tmp_path: Path) -> None:
    log = opened(slow=0.005, fast=0.0)
    measured(model)
    log.clear()
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(model.read_bytes())
    measured(copy)
    assert log == []
    other = toy_model(tmp_path / "other.onnx", changed(SPEC, version="2"))
    measured(other)
    assert log == ["slow", "fast"]


def test_doctor_says_what_was_measured(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(slow=0.005, fast=0.0)
    (auto,) = [finding for finding in examine() if finding.name == "device auto"]
    assert auto.ok
    assert re.match(r"fast fp32, 1 thread, [\d.]+ ms; slower: slow fp32, 1 thread, [\d.]+ ms$", auto.text)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'[{"device": "fast"}]', b"\xff\xfe", b'{"a": 1}', b"[1, 2]"])
def test_a_damaged_cache_is_measured_again(opened: Any, model: Path, user_cache: Path, damage: bytes) -> None:
    log = opened(slow=0.005, fast=0.0)
    measured(model)
    (kept,) = (user_cache / "fastest").glob("*.json")
    kept.write_bytes(damage)
    log.clear()
    assert measured(model)[0].device == "fast"
    assert log == ["slow", "fast"]
    assert json.loads(kept.read_text())[0]["device"] == "fast"


def test_without_a_place_for_the_cache_nothing_is_measured(opened: Any, model: Path, user_cache: Path) -> None:
    user_cache.parent.mkdir(parents=True, exist_ok=True)
    user_cache.write_text("a file where the folder should be")
    log = opened(slow=0.005, fast=0.0)
    with open_engine(model) as engine:
        assert engine.device == "slow", "the order of the devices"
    assert log == ["slow"]


def test_a_user_without_a_home_gets_no_cache_and_an_engine(
    opened: Any, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: Path("~/.cache") / name)
    monkeypatch.chdir(tmp_path)
    log = opened(slow=0.005, fast=0.0)
    with open_engine(model) as engine:
        assert engine.device == "slow"
    assert log == ["slow"]
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("way", ["switch", "device", "threads"])
def test_who_says_what_he_wants_gets_it_unmeasured(
    opened: Any, model: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    log = opened(slow=0.005, fast=0.0)
    if way == "switch":
        monkeypatch.setenv(fastest.SWITCH, "0")
    with open_engine(model, "slow" if way == "device" else "auto", 1 if way == "threads" else 0) as engine:
        assert engine.device == "slow"
    assert log == ["slow"]


def test_a_device_that_fails_is_not_taken(opened: Any, model: Path) -> None:
    opened(slow=0.005, broken=-1.0)
    found = measured(model)
    assert [(one.device, one.ms is None) for one in found] == [("slow", False), ("broken", True)]


def test_one_process_measures_and_the_others_do_not_wait(opened: Any, model: Path, user_cache: Path) -> None:
    log = opened(slow=0.005, fast=0.0)
    measured(model)
    (kept,) = (user_cache / "fastest").glob("*.json")
    kept.unlink()
    lock = kept.with_suffix(".lock")
    lock.touch()
    log.clear()
    assert [one.ms for one in measured(model)] == [None, None]
    assert log == []
    begun = time.time() - 2 * STALE_S
    os.utime(lock, (begun, begun))
    assert measured(model)[0].device == "fast", "who was cut off is waited for no longer"
    assert not lock.exists()


def test_a_little_faster_is_chance() -> None:
    first, second = Candidate("cpu", "int8", 1, 2.0), Candidate("openvino", "fp32", 1, 1.9)
    assert ordered([first, second]) == [first, second]
    clearly = Candidate("openvino", "fp32", 1, 1.5)
    assert ordered([first, clearly]) == [clearly, first]
    unmeasured = Candidate("cpu", "int8", 1)
    assert ordered([unmeasured, second]) == [second, unmeasured]
    assert ordered([unmeasured]) == [unmeasured]


def test_a_device_gets_no_file_of_a_precision_that_it_does_not_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("echo_rt.engine.fastest.default_threads", lambda: 4)
    processors = {name: DEVICES[name] for name in ("cpu", "openvino")}
    found = {(one.device, one.precision, one.threads) for one in fastest.candidates("lv-edge.int8", processors)}
    assert found == {("cpu", "int8", count) for count in (1, 2, 4)}
    every = {(one.device, one.precision) for one in fastest.candidates("lv-edge", processors)}
    assert every == {("cpu", "int8"), ("cpu", "fp32"), ("openvino", "fp32")}
