"""Which engines are refused: those whose record this user did not seal on this machine, or does not fit."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from echo_rt.engine.tensorrt.build import BuildOptions, TensorInfo
from echo_rt.engine.tensorrt.cache import read_engine
from echo_rt.engine.tensorrt.private_files import cache_folder, user_key
from echo_rt.engine.tensorrt.record import EngineRecord, Wanted, record_path, seal, sha256
from echo_rt.errors import ModelError, OutputError
from support.private_cache import Builds, private_cache
from support.stand_in_tensorrt import MARK
from support.toy import toy_model

WANTED = Wanted("a" * 64, "fp16", BuildOptions(), "10.16.0", "12.4", "STAND-IN GPU", "8.6")
RECORD = EngineRecord(
    WANTED, "b" * 64, (TensorInfo("image", (1, 1, 48, 64), "float32"),), (), "2026-01-01T00:00:00+00:00", 12.5
)
KEY = bytes(32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    return private_cache(tmp_path, monkeypatch)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return toy_model(tmp_path / "m.onnx")


@pytest.fixture
def ask() -> Builds:
    return Builds()


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


def test_a_foreign_engine_with_a_consistent_record_is_refused(ask: Builds, model: Path, folder: Path) -> None:
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
        record["engine_sha256"] = sha256(MARK + b"evil")
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
    text = json.dumps({**raw, "seal": seal(json.loads(json.dumps(raw)), KEY)})
    with pytest.raises(ValueError, match="another layout"):
        EngineRecord.from_json(text, KEY)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows guards the folder by its access list")
def test_key_engine_and_folder_are_for_their_owner_alone(ask: Builds, model: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    engine = ask(model)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in (folder / "seal.key", engine.path, record_path(engine.path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="Windows guards the folder by its access list")
def test_a_key_that_others_could_read_is_made_anew_and_no_old_seal_holds(
    ask: Builds, model: Path, folder: Path
) -> None:
    ask(model)
    key = folder / "seal.key"
    old = key.read_bytes()
    key.chmod(0o644)
    assert ask(model).built
    assert key.read_bytes() != old
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no user ids")
def test_a_cache_folder_of_somebody_else_is_refused(monkeypatch, folder: Path) -> None:
    folder.mkdir(parents=True)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    with pytest.raises(OutputError, match="expected it to be yours"):
        cache_folder()


def test_two_processes_that_begin_together_share_one_key(folder: Path, monkeypatch) -> None:
    kept = cache_folder()
    link = os.link

    def late(source: Path, target: Path) -> None:
        if not target.exists():
            target.write_bytes(b"k" * 32)
            target.chmod(0o600)
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert user_key(kept) == b"k" * 32
    assert {path.name for path in kept.iterdir()} == {"seal.key"}
