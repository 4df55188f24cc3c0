"""What a frame costs on an NVIDIA GPU, from bytes to probabilities and labels on the processor.

    python benchmarks/gpu.py                       # lv-edge, 600 x 800
    python benchmarks/gpu.py --frames 5000 --without torch --without onnxruntime

It needs '.[tensorrt,train]', nvcc at installation and torch with CUDA, and writes benchmarks/results/gpu-MACHINE.json.
The ways run in turn, a chunk of frames each, so that clocks and heat are the same for all. p50 and p99 are of all
chunks together. All give the same masks, or the benchmark fails.

`torch` is what one writes with torch for speed: the same preprocess, the network in FP16 and softmax in one CUDA graph
with page-locked copies. `onnxruntime` is the `cuda` engine.
"""

from __future__ import annotations

import argparse
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

from echo_rt.errors import EchoRtError
from echo_rt.model import ModelSpec, models
from echo_rt.reference.preprocess import coverage
from echo_rt.segmentation import GridMap

Way = Callable[[np.ndarray], np.ndarray]
"""An image in, its labels (h, w) out."""

CHUNK, WARM_UP = 200, 50
MAX_DIFFERENT = 5e-3
"""Share of pixels in which two ways may differ: FP16 in different orders of summation, on borders."""

RESULTS = Path(__file__).with_name("results")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="lv-edge")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--size", type=int, nargs=2, default=(600, 800), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--without", action="append", default=[], choices=("torch", "onnxruntime"))
    options = parser.parse_args(arguments)
    from echo_rt.engine.cuda_driver import find_device

    try:
        device = find_device()
        with ExitStack() as opened:
            model = next(model for model in models() if model.name == options.model)
            images = frames_of(tuple(options.size), 16)
            ways = open_ways(opened, model.file("fp16"), model.spec, tuple(options.size), options.without)
            agreement = differences(ways, images)
            taken_ms = measure(ways, images, options.frames)
    except EchoRtError as error:
        print(f"gpu benchmark: {error}", file=sys.stderr)
        return 3
    machine = {"gpu": device.name, "compute_capability": device.compute_capability, "cuda_driver": device.cuda_driver}
    machine |= {"host": platform.node(), "system": platform.platform(), "versions": versions()}
    result = {"machine": machine, "model": model.name, "frame": list(options.size), "frames": options.frames}
    result |= {"ms": {name: summary(ms) for name, ms in taken_ms.items()}, "labels_different": agreement}
    path = write(result, RESULTS)
    print(table(result["ms"]))
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
) -> dict[str, Way]:
    """All ways that were asked for; the first one is what the others are compared with."""
    from echo_rt.engine.tensorrt.engine import TensorRtEngine

    ways: dict[str, Way] = {}
    for name, graph in (("tensorrt, graph", True), ("tensorrt, no graph", False)):
        engine = opened.enter_context(TensorRtEngine(str(path), spec_of(path), graph=graph))
        ways[name] = lambda image, engine=engine: engine.segment(image).labels
    if "torch" not in without:
        ways["torch FP16, graph"] = torch_way(spec, size)
    if "onnxruntime" not in without:
        from echo_rt.engine.onnx_runtime.cuda import CudaEngine

        onnxruntime = opened.enter_context(CudaEngine(str(path), spec_of(path)))
        ways["onnxruntime cuda"] = lambda image: onnxruntime.segment(image).labels
    return ways


def spec_of(path: Path) -> ModelSpec:
    from echo_rt.model import read_spec

    return read_spec(path)


def torch_way(spec: ModelSpec, size: tuple[int, int], device: str = "cuda") -> Way:
    """Torch as one writes it for speed: page-locked copies, and one CUDA graph in FP16 from luma to labels.

    Args:
        spec: of the model.
        size: (H, W) of the frames, which are grey.
        device: ``cpu`` runs the same steps in FP32 without a graph, which is what a test of it can do.
    """
    import torch

    from echo_rt_network.onnx_file import fold_batch_norm
    from echo_rt_network.weights import load_weights, weights_path

    on_gpu = device != "cpu"
    dtype = torch.float16 if on_gpu else torch.float32
    network, _ = load_weights(weights_path(spec.name))
    network.eval()
    fold_batch_norm(network)
    network.to(device, dtype, memory_format=torch.channels_last)
    place = GridMap.letterbox(size, spec.input.grid)
    rows = torch.from_numpy(coverage(place.scale, place.y0, place.grid[0], size[0]).copy()).to(device)
    columns = torch.from_numpy(coverage(place.scale, place.x0, place.grid[1], size[1]).copy()).to(device)
    host = torch.empty(size, dtype=torch.uint8, pin_memory=on_gpu)
    frame = torch.empty(size, dtype=torch.uint8, device=device)
    found = [
        torch.empty((4, *place.grid), pin_memory=on_gpu),
        torch.empty(place.grid, dtype=torch.uint8, pin_memory=on_gpu),
    ]

    def step() -> None:
        frame.copy_(host, non_blocking=True)
        grey = ((rows @ frame.float() @ columns.T - spec.input.mean) / spec.input.std).to(dtype)
        probability = network(grey[None, None]).logits[0].float().softmax(0)
        found[0].copy_(probability, non_blocking=True)
        found[1].copy_(probability.argmax(0).to(torch.uint8), non_blocking=True)

    graph = captured(step) if on_gpu else None

    def run(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            host.numpy()[...] = image
            if graph is None:
                step()
            else:
                graph.replay()
                torch.cuda.synchronize()
            found[0].numpy().copy()  # the others give the probabilities too
            return found[1].numpy().copy()

    return run


def captured(step: Callable[[], None]) -> Any:
    """The step as a CUDA graph of torch, after three runs for what a capture does not allow."""
    import torch

    with torch.inference_mode():
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        side.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
    return graph


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


def write(result: Mapping[str, Any], folder: Path) -> Path:
    """As JSON, named after the GPU and the machine; an older result of the same is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", f"{result['machine']['gpu']} {result['machine']['host']}".lower()).strip("-")
    path = folder / f"gpu-{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
