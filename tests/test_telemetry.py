"""Nothing that echo-rt loads calls its vendor: its name look-ups are watched, and the files in the user's home."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import onnxruntime
import pytest

from echo_rt.engine.onnx_runtime import session

STAYS = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
{}
print("loaded", flush=True)
while True:
    signal.pause()
"""
ENGINE = """
import numpy as np
import echo_rt
engine = echo_rt.open_engine(device={device!r})
engine.segment(np.zeros((240, 320), np.uint8))
"""

# What is watched: a program's text, or the arguments of `echo-rt`.
PROGRAMS: dict[str, str | list[str]] = {
    "engine cpu": STAYS.format(ENGINE.format(device="cpu")),
    "engine openvino": STAYS.format(ENGINE.format(device="openvino")),
    "training and export": STAYS.format("import echo_rt_export.conversion, echo_rt_train.training"),
    "doctor": ["doctor"],
    "file": ["file", "CINE", "--out", "OUT"],
    "live with its page": ["live", "phantom:?fps=15", "--view", "web", "--port", "0"],
    "live from a host": ["live", "http://feed.invalid/echo", "--view", "none"],
    "models": ["models"],
    "bench": ["bench", "--quick", "--frames", "20", "--device", "cpu", "--size", "120x160"],
}
ENDING = ("doctor", "file", "models", "bench")
NAMED = {"live from a host": {"name feed.invalid"}}
"""What the user named; nothing else may be asked for."""

# The same libraries without echo-rt. Where they do call, the watch must see it; else it proves nothing.
VENDORS: dict[str, str | list[str]] = {name: STAYS.format(f"import {name}") for name in ("onnxruntime", "openvino")}
PATIENCE_S = 40
"""ONNX Runtime first calls some 10 s after it was loaded."""
BUSY_S = 120
"""For all programs to load, or to end, on a machine that is busy with something else."""


@dataclass(frozen=True)
class Watched:
    """A program that was watched.

    Attributes:
        status: it ended with.
        calls: names looked up and addresses called, in order.
        left: files in its home, relative to it.
    """

    status: int
    calls: list[str]
    left: list[str]


class _Program:
    def __init__(self, folder: Path, library: Path, what: str | list[str], cine: Path) -> None:
        self.log, self.home = folder / "calls", folder / "home"
        self.home.mkdir(parents=True)
        # Nothing of this environment but the path: the libraries keep quiet by themselves where they find the variables
        # of a CI service.
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LD_PRELOAD": str(library),
            "NETWORK_WATCH_LOG": str(self.log),
        }
        named = {"CINE": str(cine), "OUT": str(folder / "out")}
        arguments = (
            ["-c", what] if isinstance(what, str) else ["-m", "echo_rt", *(named.get(word, word) for word in what)]
        )
        self.stays = isinstance(what, str) or what[0] not in ENDING
        self.output = folder / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )

    def loaded(self) -> bool:
        """Whether it has loaded all that it loads: it has said something, or has ended."""
        return self.process.poll() is not None or (self.stays and self.output.stat().st_size > 0)

    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def end(self) -> Watched:
        if self.stays:
            self.process.terminate()
        status = self.process.wait(timeout=BUSY_S)
        left = [str(path.relative_to(self.home)) for path in sorted(self.home.rglob("*")) if path.is_file()]
        return Watched(status, self.calls(), left)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The watch, compiled."""
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("look-ups are watched by a preloaded library: that needs Linux and a C compiler")
    made = tmp_path_factory.mktemp("watch") / "network_watch.so"
    source = Path(__file__).with_name("support") / "network_watch.c"
    subprocess.run(
        [compiler, "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", source, "-o", made, "-ldl"], check=True
    )
    return made


@pytest.fixture(scope="module")
def watched(library: Path, cine: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Watched]]:
    """All of them side by side, until the vendors' own programs have called.

    Those begin when the others have loaded everything. So by then the others would have called too.
    """
    folder = tmp_path_factory.mktemp("watched")
    running: dict[str, _Program] = {}

    def start(programs: dict[str, str | list[str]]) -> list[_Program]:
        for name, what in programs.items():
            if find_spec("openvino") is not None or "openvino" not in name:
                running[name] = _Program(folder / name.replace(" ", "-"), library, what, cine)
        return [running[name] for name in programs if name in running]

    def wait(condition: Callable[[], bool], patience_s: float) -> bool:
        give_up = time.monotonic() + patience_s
        while not (met := condition()) and time.monotonic() < give_up:
            time.sleep(0.2)
        return met

    try:
        ours = start(PROGRAMS)
        assert wait(lambda: all(program.loaded() for program in ours), BUSY_S), "a program did not begin"
        theirs = start(VENDORS)
        wait(lambda: all(program.calls() for program in theirs), PATIENCE_S)
        yield {name: program.end() for name, program in running.items()}
    finally:
        for program in running.values():
            program.process.kill()
            program.process.wait()


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_name_is_looked_up_and_no_host_called_but_what_was_named(watched: dict[str, Watched], name: str) -> None:
    if name not in watched:
        pytest.skip("openvino is not installed")
    assert set(watched[name].calls) == NAMED.get(name, set())
    assert watched[name].status == (128 + signal.SIGTERM if name.startswith("live") else 0)


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_identifier_is_left_in_the_home_of_the_user(watched: dict[str, Watched], name: str) -> None:
    if name not in watched:
        pytest.skip("openvino is not installed")
    vendors = [path for path in watched[name].left if "microsoft" in path.lower() or path.startswith("intel/")]
    assert vendors == []


@pytest.mark.parametrize("name", VENDORS)
def test_the_watch_sees_the_libraries_call_when_nothing_keeps_them_from_it(
    watched: dict[str, Watched], name: str
) -> None:
    if name not in watched:
        pytest.skip("openvino is not installed")
    if not watched[name].calls:
        pytest.skip(
            f"this version of {name} called nobody in {PATIENCE_S} s, so that its silence under echo-rt proves nothing"
        )
    assert all(call.startswith("name ") for call in watched[name].calls), (
        "the watch lets no look-up out, so that no address is known"
    )


def test_where_onnx_runtime_is_imported_its_own_switch_is_thrown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    thrown: list[str] = []
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: thrown.append("off"), raising=False)
    importlib.reload(session)
    assert thrown == ["off"]
    # Some builds of ONNX Runtime have no such switch.
    monkeypatch.delattr(onnxruntime, "disable_telemetry_events")
    importlib.reload(session)
    assert thrown == ["off"]


def test_no_other_module_of_the_engines_imports_onnx_runtime() -> None:
    folder = Path(session.__file__).parents[1]
    importing = {
        path
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "onnxruntime" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "onnxruntime")
    }
    assert importing == {Path(session.__file__)}
