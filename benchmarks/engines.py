"""What a frame costs in the engine, as ratios that hold on other machines too; everything side by side in one process, in turns.

    python benchmarks/engines.py                # lv-edge, frames of 600x800; a table and one JSON line
    python benchmarks/engines.py --threads 1

`plain loop` is what one writes without echo-rt: OpenCV resizes and pads, NumPy normalises, ONNX Runtime runs the FP32 file, NumPy takes the
softmax and the winner, OpenCV brings the labels back to the image's size. `whole frame` is the same answer by the engine: uint8 in, labels
at the image's size and the areas out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.engine import postprocess as post
from echo_rt.engine.cpu import CpuEngine
from echo_rt.engine.host import HostEngine
from echo_rt.engine.preprocess import Preprocess
from echo_rt.model import ModelSpec, model_path, read_spec
from echo_rt.segmentation import GridMap, Segmentation
from echo_rt.sources.phantom import Phantom, PhantomOptions

Image = NDArray[np.uint8]
STEPS = ("preprocess grey", "preprocess BGR", "postprocess", "mask")


def frames(height: int, width: int, count: int = 16) -> list[Image]:
    """Grey frames of a simulated heart, (height, width)."""
    phantom = Phantom(PhantomOptions(ef=55, hr=75, fps=20, seconds=1, seed=4, height=height, width=width))
    images = [phantom.frame(k).image for k in range(count)]
    return [np.ascontiguousarray(image if image.ndim == 2 else image[..., 0]) for image in images]


def medians(candidates: Mapping[str, Callable[[int], Any]], rounds: int) -> dict[str, float]:
    """Milliseconds of each, the median of many turns: a disturbance hits all alike.

    Args:
        candidates: each takes the number of the round.
        rounds: so many turns, after a tenth of it to warm up.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(-rounds // 10, rounds):
        for name, run in candidates.items():
            start = time.perf_counter()
            run(abs(turn))
            if turn >= 0:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(all_of_it) for name, all_of_it in times.items()}


def letterboxed(image: Image, spec: ModelSpec) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """As one writes it with OpenCV: the grey image within the grid, (h, w), and where it lies there."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    height, width = grey.shape
    scale = max(height / spec.height, width / spec.width)
    inner = (round(width / scale), round(height / scale))
    top, left = (spec.height - inner[1]) // 2, (spec.width - inner[0]) // 2
    place = (slice(top, top + inner[1]), slice(left, left + inner[0]))
    grid = np.zeros((spec.height, spec.width), np.float32)
    grid[place] = cv2.resize(grey.astype(np.float32), inner, interpolation=cv2.INTER_AREA)
    return grid, place


def at_image_size(logits: NDArray[np.float32], place: tuple[slice, slice], shape: tuple[int, ...]) -> Image:
    """Labels (H, W) from logits (classes, h, w), or one of a single class, by NumPy and OpenCV."""
    if len(logits) == 1:
        return (cv2.resize(logits[0][place], shape[1::-1], interpolation=cv2.INTER_LINEAR) > 0).astype(np.uint8)
    exponential = np.exp(logits - logits.max(axis=0))
    inside = (exponential / exponential.sum(axis=0))[(slice(None), *place)]
    large = cv2.resize(np.ascontiguousarray(inside.transpose(1, 2, 0)), shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return large.argmax(axis=2).astype(np.uint8)


def plain_loop(path: str, spec: ModelSpec, threads: int) -> Callable[[Image], tuple[Image, list[int]]]:
    """The loop of the description: labels at the image's size, and the pixels of each class."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(image: Image) -> tuple[Image, list[int]]:
        grid, place = letterboxed(image, spec)
        logits = session.run(["logits"], {"image": ((grid - spec.mean) / spec.std)[None, None].astype(np.float32)})[0][0]
        labels = at_image_size(logits, place, image.shape)
        return labels, [int((labels == label).sum()) for label in range(4)]

    return run


def stages(height: int, width: int, rounds: int) -> dict[str, float]:
    """Native pre- and postprocess and mask, and their definitions in NumPy and OpenCV."""
    spec = read_spec(model_path("lv-edge"))
    images = frames(height, width)
    colour = [np.stack([image] * 3, axis=-1) for image in images]
    grid, out = (spec.height, spec.width), np.empty((spec.height, spec.width), np.float32)
    native, numpy = (Preprocess(grid, spec.mean, spec.std, native=flag) for flag in (True, False))
    rng = np.random.default_rng(0)
    logits = np.ascontiguousarray(20 * cv2.GaussianBlur(rng.normal(size=(*grid, 4)), (0, 0), 4).transpose(2, 0, 1), np.float32)
    probability, labels, tally = post.reference(logits)
    segmentation = Segmentation(probability, labels, GridMap.letterbox((height, width), grid), tally=tally)
    return medians(
        {
            "preprocess grey": lambda k: native(images[k % 16], out),
            "preprocess grey, reference": lambda k: numpy(images[k % 16], out),
            "preprocess BGR": lambda k: native(colour[k % 16], out),
            "preprocess BGR, reference": lambda k: numpy(colour[k % 16], out),
            "postprocess": lambda k: post.postprocess(logits),
            "postprocess, reference": lambda k: post.reference(logits),
            "mask": lambda k: segmentation.mask(),
            "mask, reference": lambda k: segmentation.reference_mask(),
        },
        rounds,
    )


def whole(height: int, width: int, threads: int, rounds: int) -> dict[str, float]:
    """Networks and whole frames."""
    images = frames(height, width)
    with ExitStack() as opened:
        files = {precision: model_path(f"lv-edge.{precision}") for precision in ("fp32", "int8")}
        engines: dict[str, HostEngine] = {
            f"cpu {precision}": opened.enter_context(CpuEngine(str(path), read_spec(path), threads)) for precision, path in files.items()
        }
        try:
            from echo_rt.engine.openvino import OpenVinoEngine

            engines["openvino fp32"] = opened.enter_context(OpenVinoEngine(str(files["fp32"]), read_spec(files["fp32"]), threads))
        except ImportError:
            pass
        loop = plain_loop(str(files["fp32"]), read_spec(files["fp32"]), threads)
        candidates: dict[str, Callable[[int], Any]] = {"plain loop": lambda k: loop(images[k % 16])}
        for name, engine in engines.items():
            candidates[f"{name}, network"] = lambda k, e=engine: e._infer({}, {})
            candidates[f"{name}, frame on the grid"] = lambda k, e=engine: e.segment(images[k % 16])
            candidates[f"{name}, whole frame"] = lambda k, e=engine: e.segment(images[k % 16]).mask()
        same = [(loop(image)[0] == engines["cpu int8"].segment(image).mask()).mean() for image in images]
        return {**medians(candidates, rounds), "labels alike, share": float(np.mean(same))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(600, 800), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--threads", type=int, default=0, help="of the network; 0: as many as there are cores")
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    found = {**stages(*given.size, given.rounds), **whole(*given.size, given.threads, given.rounds)}
    print("| step | ms, median |\n|---|---|")
    for name, ms in found.items():
        print(f"| {name} | {ms:.3f} |")
    ratios = {
        **{f"{step}: reference / native": found[f"{step}, reference"] / found[step] for step in STEPS},
        "whole frame / network": found["cpu int8, whole frame"] / found["cpu int8, network"],
        "frame on the grid / network": found["cpu int8, frame on the grid"] / found["cpu int8, network"],
        "network: FP32 / INT8": found["cpu fp32, network"] / found["cpu int8, network"],
        "plain loop / whole frame": found["plain loop"] / found["cpu int8, whole frame"],
    }  # fmt: skip
    print("\n| ratio | |\n|---|---|")
    for name, ratio in ratios.items():
        print(f"| {name} | {ratio:.2f} |")
    print(json.dumps({"ms": found, "ratios": ratios}))


if __name__ == "__main__":
    main()
