"""What a frame costs on an NVIDIA GPU, from bytes to probabilities and labels on the processor.

    python benchmarks/gpu.py                       # lv-edge, 600 x 800
    python benchmarks/gpu.py --frames 5000 --without torch --without onnxruntime
    python benchmarks/gpu.py --json result.json

It needs '.[tensorrt,train]', nvcc at installation and torch with CUDA, and writes benchmarks/results/gpu-MACHINE.json.
The ways run in turn, a chunk of frames each, so that clocks and heat are the same for all. p50 and p99 are of all
chunks together. All give the same masks, or the benchmark fails. Then each takes a frame every 1/60 s, as a live feed
has them. A way that cannot be opened here is named with its reason.

`tensorrt` is echo-rt's own engine, with and without a CUDA graph. `tensorrt-ort` is TensorRT by ONNX Runtime. The
result names the one of these that leads. `torch` is what one writes with torch for speed: the same preprocess, the
network in FP16 and softmax in one CUDA graph with page-locked copies. `onnxruntime` is the `cuda` engine.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from gpu_torch import torch_way

from echo_rt.errors import EchoRtError
from echo_rt.model import ModelSpec, models

Way = Callable[[np.ndarray], np.ndarray]
"""An image in, its labels (h, w) out."""

CHUNK, WARM_UP = 200, 50
PACE_HZ = 60.0
TENSORRT = ("tensorrt, graph", "tensorrt, no graph", "tensorrt-ort")
MAX_DIFFERENT = 5e-3
"""Share of pixels in which two ways may differ: FP16 in different orders of summation, on borders."""

RESULTS = Path(__file__).with_name("results")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="lv-edge")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--size", type=int, nargs=2, default=(600, 800), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--without", action="append", default=[], choices=("torch", "onnxruntime"))
    parser.add_argument("--paced", type=int, default=600, help="frames of each way at 60 a second")
    parser.add_argument("--json", type=Path, help="write the result there instead of into results/")
    options = parser.parse_args(arguments)
    from echo_rt.engine.cuda_driver import find_device

    try:
        device = find_device()
        with ExitStack() as opened:
            model = next(model for model in models() if model.name == options.model)
            images = frames_of(tuple(options.size), 16)
            ways, absent = open_ways(opened, model.file("fp16"), model.spec, tuple(options.size), options.without)
            agreement = differences(ways, images)
            taken_ms = measure(ways, images, options.frames)
            paced_ms = {name: paced(way, images, options.paced) for name, way in ways.items()}
    except EchoRtError as error:
        print(f"gpu benchmark: {error}", file=sys.stderr)
        return 3
    machine = {"gpu": device.name, "compute_capability": device.compute_capability, "cuda_driver": device.cuda_driver}
    machine |= {"host": platform.node(), "system": platform.platform(), "versions": versions()}
    result = {"machine": machine, "model": model.name, "version": model.spec.version, "frame": list(options.size)}
    result |= {"frames": options.frames, "ms": {name: summary(ms) for name, ms in taken_ms.items()}}
    result |= {"paced_ms": {name: summary(ms) for name, ms in paced_ms.items()}, "pace_hz": PACE_HZ}
    result |= {"leads": leader(result["ms"]), "labels_different": agreement, "not_measured": absent}
    path = write(result, RESULTS, options.json)
    print(table(result["ms"]))
    print(f"of TensorRT's ways {result['leads']} leads")
    for line in absent:
        print(f"not measured: {line}")
    print(f"written to {path}")
    return 0


def frames_of(size: tuple[int, int], count: int) -> list[np.ndarray]:
    """Frames of a simulated heart, grey, at that size."""
    import cv2

    from echo_rt.phantom import Phantom, PhantomOptions

    with Phantom(PhantomOptions.of(seconds=count / 20, fps=20)) as source:
        grey = [
            cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY) if frame.image.ndim == 3 else frame.image for frame in source
        ]
    return [cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR) for image in grey[:count]]


def open_ways(
    opened: ExitStack, path: Path, spec: ModelSpec, size: tuple[int, int], without: list[str]
) -> tuple[dict[str, Way], list[str]]:
    """All ways that were asked for and can be opened here, and why the others cannot.

    The first one is what the others are compared with.

    Raises:
        EchoRtError: none can be opened; the reason is that of the first.
    """

    def tensorrt(graph: bool) -> Way:
        from echo_rt.engine.tensorrt.engine import TensorRtEngine

        return segmented(opened.enter_context(TensorRtEngine(str(path), spec_of(path), graph=graph)))

    def by_onnxruntime(module: str, kind: str) -> Way:
        engine = getattr(importlib.import_module(f"echo_rt.engine.onnx_runtime.{module}"), kind)
        return segmented(opened.enter_context(engine(str(path), spec_of(path))))

    openers: dict[str, Callable[[], Way]] = {
        "tensorrt, graph": lambda: tensorrt(True),
        "tensorrt, no graph": lambda: tensorrt(False),
        "tensorrt-ort": lambda: by_onnxruntime("tensorrt", "OrtTensorRtEngine"),
        "torch FP16, graph": lambda: torch_way(spec, size),
        "onnxruntime cuda": lambda: by_onnxruntime("cuda", "CudaEngine"),
    }
    left_out = {"torch": ("torch FP16, graph",), "onnxruntime": ("onnxruntime cuda", "tensorrt-ort")}
    wanted = {name for name in openers if not any(name in left_out[other] for other in without)}
    return opened_ways({name: opener for name, opener in openers.items() if name in wanted})


def opened_ways(openers: Mapping[str, Callable[[], Way]]) -> tuple[dict[str, Way], list[str]]:
    """The ways that open, and the reasons of those that do not; the first reason is raised where none does."""
    ways: dict[str, Way] = {}
    failed: dict[str, EchoRtError | ImportError] = {}
    for name, opener in openers.items():
        try:
            ways[name] = opener()
        except (EchoRtError, ImportError) as error:  # noqa: PERF203 - few ways
            failed[name] = error
    if not ways:
        raise next(iter(failed.values()))
    return ways, [f"{name}: {error}" for name, error in failed.items()]


def segmented(engine: Any) -> Way:
    """An engine as a way."""
    return lambda image: engine.segment(image).labels


def spec_of(path: Path) -> ModelSpec:
    from echo_rt.model import read_spec

    return read_spec(path)


def differences(ways: Mapping[str, Way], images: list[np.ndarray]) -> dict[str, float]:
    """Share of pixels in which each way's labels differ from the first way's, over all images.

    Raises:
        SystemExit: they are not the same answer.
    """
    first, *others = ways
    found = {}
    for name in others:
        found[name] = float(np.mean([(ways[name](image) != ways[first](image)).mean() for image in images]))
        if found[name] > MAX_DIFFERENT:
            raise SystemExit(
                f"{name} differs from {first} in {found[name]:.2%} of the pixels: it does something else, and is not "
                "compared"
            )
    return found


def measure(ways: Mapping[str, Way], images: list[np.ndarray], frames: int) -> dict[str, list[float]]:
    """Milliseconds of each frame by each way, the ways in turn."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        for k in range(WARM_UP):
            way(images[k % len(images)])
    for start in range(0, frames, CHUNK):
        for name, way in ways.items():
            for k in range(start, min(start + CHUNK, frames)):
                before = time.perf_counter()
                way(images[k % len(images)])
                taken[name].append(1e3 * (time.perf_counter() - before))
    return taken


def paced(way: Way, images: list[np.ndarray], frames: int, hz: float = PACE_HZ) -> list[float]:
    """Milliseconds from when each frame was due until its labels were there, a frame every 1 / hz s."""
    ages: list[float] = []
    start = time.perf_counter()
    for k in range(frames):
        due = start + k / hz
        time.sleep(max(0.0, due - time.perf_counter()))
        way(images[k % len(images)])
        ages.append(1e3 * (time.perf_counter() - due))
    return ages


def leader(ms: Mapping[str, Mapping[str, float]]) -> str | None:
    """Of TensorRT's ways the one with the smallest p50; None without any."""
    found = {name: ms[name]["p50"] for name in TENSORRT if name in ms}
    return min(found, key=found.__getitem__) if found else None


def summary(ms: list[float]) -> dict[str, float]:
    """p50, p99 and the largest, in milliseconds."""
    return {"p50": float(np.percentile(ms, 50)), "p99": float(np.percentile(ms, 99)), "max": max(ms)}


def table(ms: Mapping[str, Mapping[str, float]]) -> str:
    """In markdown, with how many times as long as the first way each takes."""
    base = next(iter(ms.values()))["p50"]
    lines = ["| way | p50 ms | p99 ms | times the first |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {found['p50']:.3f} | {found['p99']:.3f} | {found['p50'] / base:.2f} |"
        for name, found in ms.items()
    ]
    return "\n".join(lines)


def versions() -> dict[str, str]:
    """Of what took part and is installed."""
    from importlib.metadata import distributions

    wanted = {"tensorrt", "pycuda", "cuda-bindings", "torch", "onnxruntime-gpu", "onnxruntime", "numpy", "echo-rt"}
    return {found.name: found.version for found in distributions() if found.name in wanted}


def write(result: Mapping[str, Any], folder: Path, chosen: Path | None = None) -> Path:
    """As JSON where `chosen` says, else named after GPU and machine; an older result of the same is replaced."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{result['machine']['gpu']} {result['machine']['host']}".lower()).strip("-")
    path = chosen or folder / f"gpu-{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
