"""Recordings of `echo-rt live` whose description, lines or frames lie."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import echo_rt
from echo_rt.cardiac.monitor import Monitor
from echo_rt.following import follow
from echo_rt.frame import Kept
from echo_rt.outputs.recorder import Recorder
from robustness.changes import damaged, put_in_place_of
from robustness.harness import Case, chance
from robustness.json_values import DEEP, HUGE, as_text, mutated
from support.live_parts import StandInEngine, frames

SEEDS = 30

FILES = ("recording.json", "readings.jsonl", "frames.mkv")

THINGS = ("missing", "empty", "a folder", "a pipe", "another", "a link to a device")


def make(seed: int, folder: Path) -> Case:
    """One to three changes of a take of 24 frames, half of them with a cut."""
    draw = chance("takes", seed)
    take = whole_take(folder, draw.random() < 0.5)
    name = "; ".join(mutate(draw, take) for _ in range(draw.choice([1, 1, 1, 2, 3])))
    return Case(name, seed, take)


def run(case: Case) -> object:
    """Follow it as `echo-rt file --out` does, and as `echo-rt live` plays it."""
    engine = StandInEngine()
    with echo_rt.open_source(case.path) as source:
        for frame in source:
            assert frame.t_s == frame.t_s
    result = echo_rt.process(case.path, engine, out=case.path.parent / "out", overlay=False)
    return json.dumps(result.to_dict(), allow_nan=False)


@cache
def written() -> Path:
    """Two takes, made once: of whole pictures, and of pictures with a part that was followed."""
    folder = Path(tempfile.mkdtemp(prefix="echo-rt-takes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine, noise = StandInEngine(), np.random.default_rng(0)
    screens = [noise.integers(0, 256, (60, 90), np.uint8) for _ in range(24)]
    outline = np.array([[12, 8], [70, 8], [40, 50]], np.int32)
    plain = frames(24, fps=30, size=(48, 64))
    cut = [replace(f, kept=Kept(screen, 10, 6, outline)) for f, screen in zip(plain, screens, strict=True)]
    for name, shown in (("plain", plain), ("cut", cut)):
        recorder = Recorder(folder / name, {"roi": "auto", "model": "m 1", "engine": "e", "ef_method": "disks"})
        for frame, reading in follow(shown, engine, Monitor(engine.spec)):
            recorder.write(replace(frame, spacing_mm=(0.5, 0.5)), reading, "given:", 1)
        recorder.close()
    return folder


def whole_take(folder: Path, cut: bool = False) -> Path:
    """A copy of a take in an empty folder."""
    return Path(shutil.copytree(written() / ("cut" if cut else "plain") / "take-001", folder / "take-001"))


def mutate(draw: Random, take: Path) -> str:
    """Change one of the files; what was done."""
    what = draw.choice(["recording.json", "line", "line", "line", "order", "bytes", "bytes", "file"])
    fixed = {"recording.json": "recording.json", "line": "readings.jsonl", "order": "readings.jsonl"}
    path = take / fixed.get(what, draw.choice(FILES))
    if what == "file" or not path.is_file():  # a change before may have made it a pipe
        done = put_in_place_of(draw, path, THINGS)
    elif what == "recording.json":
        done, raw = mutated(draw, _json_of(path.read_bytes()))
        path.write_bytes(as_text(raw).encode("utf-8", "surrogatepass"))
    elif what == "bytes":
        done, data = damaged(draw, path.read_bytes())
        path.write_bytes(data)
    else:
        done = _mutate_lines(draw, path, what)
    return f"{path.name}: {done}"


def _json_of(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return {}


def _mutate_lines(draw: Random, path: Path, what: str) -> str:
    lines = path.read_bytes().split(b"\n")
    at = draw.randrange(len(lines))
    if what == "line":
        done, raw = mutated(draw, _json_of(lines[at]))
        lines[at] = as_text(raw).encode("utf-8", "surrogatepass")
    else:
        done = draw.choice("shuffled,reversed,doubled,none,one less,endless,UTF-16,CRLF,a mark".split(","))
        if done == "shuffled":
            draw.shuffle(lines)
        elif done == "reversed":
            lines.reverse()
        elif done == "doubled":
            lines.insert(at, lines[at])
        elif done == "none":
            lines = [b""] * draw.randrange(3)
        elif done == "one less":
            del lines[at]
        elif done == "endless":
            lines[at] = b" " * 300_000 + lines[at]
        elif done == "UTF-16":
            lines = b"\n".join(lines).decode("utf-8", "replace").encode("utf-16").split(b"\n")
        elif done == "CRLF":
            lines = [line + b"\r" for line in lines]
        else:
            lines[0] = b"\xef\xbb\xbf" + lines[0]
    path.write_bytes(b"\n".join(lines))
    return f"{done} at {at}"


ABOUT: list[dict[str, Any]] = [
    {"frames": "24"}, {"frames": -1}, {"frames": [24]}, {"frames": HUGE}, {"frames": 1e300}, {"cut": 1}, {"cut": {}},
    {"cut": {"x": 0, "y": 0, "width": 10**9, "height": 10}}, {"cut": {"x": -5, "y": 0, "width": 9, "height": 9}},
    {"cut": {"x": 0, "y": 0, "width": 9, "height": 9, "outline": "round"}}, {"roi": "\x1b[2J"}, {"cut": DEEP},
    {"cut": {"x": 0, "y": 0, "width": 9, "height": 9, "outline": [[1, 1]]}}, {"source": "\x1b[2J"}, {"roi": None},
]  # fmt: skip

LINES: list[dict[str, Any]] = [
    {"t_s": None}, {"t_s": "0.1"}, {"t_s": float("nan")}, {"t_s": 1e308}, {"t_s": -1e308}, {"t_s": HUGE},
    {"index": 1.5}, {"index": None}, {"index": 10**18}, {"index": -3}, {"spacing_mm": [0.5]}, {"spacing_mm": [0, 0]},
    {"spacing_mm": "x"}, {"spacing_mm": {"0": 1, "1": 1}}, {"spacing_mm": [1e-320, 1e308]}, {"ms": -1},
    {"spacing_mm": [None, None]}, {"ms": "soon"}, {"ms": 10**12}, {"index": True}, {"quality": DEEP},
]  # fmt: skip


def corpus(folder: Path) -> Iterator[Case]:
    """What once lost the take, gave a traceback or ended the interpreter."""
    for number, change in enumerate([*ABOUT, *LINES]):
        take = whole_take(folder / str(number))
        if change in ABOUT:
            path = take / "recording.json"
            path.write_text(as_text({**json.loads(path.read_text()), **change}))
        else:
            path = take / "readings.jsonl"
            lines = path.read_text().splitlines()
            lines[5] = as_text({**json.loads(lines[5]), **change})
            path.write_text("\n".join(lines))
        yield Case(ascii(change)[:60], None, take)
