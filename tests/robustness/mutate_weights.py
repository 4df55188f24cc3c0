"""Trained weights (safetensors) that lie about their sizes, their architecture or themselves."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from echo_rt.model import METADATA_KEY
from echo_rt_network.unet import UNet
from echo_rt_network.weights import load_weights, save_weights
from robustness.changes import damaged
from robustness.harness import Case, chance
from robustness.json_values import DEEP, HUGE, as_text, mutated
from support.toy import SPEC, changed

SEEDS = 60


def make(seed: int, folder: Path) -> Case:
    """The header, the description in it, or the bytes changed."""
    draw = chance("weights", seed)
    header, numbers = parts()
    kind = draw.choice(["header", "description", "spec", "bytes"])
    if kind == "header":
        done, header = mutated(draw, header)
    elif kind == "bytes":
        return Case("bytes", seed, _damaged(draw, folder))
    else:
        said = json.loads(header["__metadata__"][METADATA_KEY])
        if kind == "spec":
            done, spec = mutated(draw, json.loads(said["spec"]))
            said["spec"] = as_text(spec)
        else:
            done, said = mutated(draw, said)
        header = {**header, "__metadata__": {METADATA_KEY: as_text(said)}}
    return Case(f"{kind}: {done}", seed, written(folder, header, numbers))


def run(case: Case) -> object:
    """Load them as `echo-rt export`, `evaluate` and `train init=` do."""
    network, spec = load_weights(case.path)
    return network.architecture, spec.to_json()


@cache
def whole() -> bytes:
    """The weights of a small network."""
    with tempfile.TemporaryDirectory() as folder:
        network = UNet([4, 8], len(SPEC.classes), ["view"])
        return save_weights(network.eval(), changed(SPEC, heads=["view"]), Path(folder) / "w.safetensors").read_bytes()


def parts() -> tuple[dict[str, Any], bytes]:
    """Header and numbers."""
    (length,) = struct.unpack("<Q", whole()[:8])
    return json.loads(whole()[8 : 8 + length]), whole()[8 + length :]


def written(folder: Path, header: Any, numbers: bytes) -> Path:
    """A file with this header."""
    text = as_text(header).encode("utf-8", "surrogatepass")
    path = folder / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)
    return path


def _damaged(draw: Random, folder: Path) -> Path:
    path = folder / "w.safetensors"
    path.write_bytes(damaged(draw, whole())[1])
    return path


def described(**change: Any) -> dict[str, Any]:
    """The header with another description."""
    header, _ = parts()
    said = {**json.loads(header["__metadata__"][METADATA_KEY]), **change}
    return {**header, "__metadata__": {METADATA_KEY: as_text(said)}}


def corpus(folder: Path) -> Iterator[Case]:
    """What once gave a traceback, or would take memory that the file does not hold."""
    changes: dict[str, Any] = {
        "an architecture of terabytes": {"architecture": {"widths": [4096] * 12, "heads": [], "memory": [4096] * 12}},
        "an architecture too long": {"architecture": {"widths": [4] * 100_000}},
        "widths of text": {"architecture": {"widths": "48"}},
        "no widths": {"architecture": {"widths": []}},
        "a width of 0": {"architecture": {"widths": [0, 8]}},
        "other widths": {"architecture": {"widths": [4, 16], "heads": ["view"]}},
        "unknown heads": {"architecture": {"widths": [4, 8], "heads": ["\x1b[31m"]}},
        "no architecture": {"architecture": None},
        "a spec that is none": {"spec": 5},
        "a spec of numbers": {"spec": "[1]"},
        "deep": {"architecture": DEEP},
        "huge": {"architecture": {"widths": [HUGE]}},
    }
    for name, change in changes.items():
        yield Case(name, None, written(folder, described(**change), parts()[1]))
    header, numbers = parts()
    yield Case("no description", None, written(folder, {**header, "__metadata__": {METADATA_KEY: "{"}}, numbers))
    yield Case("weights of NaN", None, written(folder, header, b"\xff" * len(numbers)))
    yield Case("no file", None, folder / "none.safetensors")
    yield Case("a folder", None, folder)
    for name, data in {
        "empty": b"",
        "8 bytes": b"\xff" * 8,
        "a header of 2^62 bytes": struct.pack("<Q", 2**62),
    }.items():
        path = folder / "odd.safetensors"
        path.write_bytes(data)
        yield Case(name, None, path)
