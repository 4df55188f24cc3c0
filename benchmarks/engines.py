"""What a frame costs in the engine, as ratios that hold on other machines too: all in one process, in turns.

    python benchmarks/engines.py                # lv-edge, frames of 600x800; a table and one JSON line
    python benchmarks/engines.py --threads 1
    python benchmarks/engines.py --program      # `echo-rt file` on a video of 640x480 instead

`--program` gives frames a second, memory and the time of the import.
`plain loop` is what one writes without echo-rt: OpenCV resizes and pads, NumPy normalises, ONNX Runtime runs the FP32
file, NumPy takes the softmax and the winner, OpenCV brings the labels back to the image's size. `whole frame` is the
same answer by the engine: uint8 in, labels at the image's size and the areas out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt import native, reference
from echo_rt.arrays import Image
from echo_rt.engine.host import HostEngine
from echo_rt.engine.onnx_runtime.cpu import CpuEngine
from echo_rt.model import ModelSpec, model_path, read_spec
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.segmentation import GridMap, Segmentation

STEPS = ("preprocess grey", "preprocess BGR", "postprocess", "mask")


def frames(height: int, width: int, count: int = 16) -> list[Image]:
    """Grey frames of a simulated heart, (height, width)."""
    phantom = Phantom(PhantomOptions.of(ef=55, hr=75, fps=20, seconds=1, seed=4, height=height, width=width))
    images = [phantom.frame(k).image for k in range(count)]
    return [np.ascontiguousarray(image if image.ndim == 2 else image[..., 0]) for image in images]


def medians(candidates: Mapping[str, Callable[[int], Any]], rounds: int, block: int = 5) -> dict[str, float]:
    """Milliseconds of each, the median of many turns: a disturbance hits all alike.

    Args:
        candidates: each takes the number of the round.
        rounds: so many of each are counted, after a tenth of it to warm up.
        block: so many in a row, as in a recording; one more before them, to wake the threads, is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(-rounds // (10 * block), rounds // block):
        for name, run in candidates.items():
            run(0)
            for k in range(block):
                start = time.perf_counter()
                run(k + block * abs(turn))
                if turn >= 0:
                    times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(all_of_it) for name, all_of_it in times.items()}


def letterboxed(image: Image, spec: ModelSpec) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """As one writes it with OpenCV: the grey image within the grid, (h, w), and where it lies there."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    height, width = grey.shape
    scale = max(height / spec.input.height, width / spec.input.width)
    inner = (round(width / scale), round(height / scale))
    top, left = (spec.input.height - inner[1]) // 2, (spec.input.width - inner[0]) // 2
    place = (slice(top, top + inner[1]), slice(left, left + inner[0]))
    grid = np.zeros(spec.input.grid, np.float32)
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
    # Changes nothing for this loop; without it its threads spin on and take the core of whoever is measured next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(image: Image) -> tuple[Image, list[int]]:
        grid, place = letterboxed(image, spec)
        given = ((grid - spec.input.mean) / spec.input.std)[None, None].astype(np.float32)
        labels = at_image_size(session.run(["logits"], {"image": given})[0][0], place, image.shape)
        return labels, [int((labels == label).sum()) for label in range(4)]

    return run


def stages(height: int, width: int, rounds: int) -> dict[str, float]:
    """Native pre- and postprocess and mask, and their definitions in NumPy and OpenCV."""
    spec = read_spec(model_path("lv-edge"))
    images = frames(height, width)
    colour = [np.stack([image] * 3, axis=-1) for image in images]
    grid, out = spec.input.grid, np.empty(spec.input.grid, np.float32)
    place = GridMap.letterbox((height, width), grid)
    fast, slow = (loops.Preprocess(place, spec.input.mean, spec.input.std) for loops in (native, reference))
    rng = np.random.default_rng(0)
    logits = np.ascontiguousarray(
        20 * cv2.GaussianBlur(rng.normal(size=(*grid, 4)), (0, 0), 4).transpose(2, 0, 1), np.float32
    )
    probability, labels, tally = reference.postprocess(logits)
    segmentation = Segmentation(probability, labels, place, tally=tally)
    return medians(
        {
            "preprocess grey": lambda k: fast(images[k % 16], out),
            "preprocess grey, reference": lambda k: slow(images[k % 16], out),
            "preprocess BGR": lambda k: fast(colour[k % 16], out),
            "preprocess BGR, reference": lambda k: slow(colour[k % 16], out),
            "postprocess": lambda k: native.postprocess(logits),
            "postprocess, reference": lambda k: reference.postprocess(logits),
            "mask": lambda k: segmentation.mask(),
            "mask, reference": lambda k: reference.enlarge(probability, place),
        },
        rounds,
    )


def whole(height: int, width: int, threads: int, rounds: int) -> dict[str, float]:
    """Networks and whole frames."""
    images = frames(height, width)
    with ExitStack() as opened:
        files = {precision: model_path(f"lv-edge.{precision}") for precision in ("fp32", "int8")}
        engines: dict[str, HostEngine] = {
            f"cpu {precision}": opened.enter_context(CpuEngine(str(path), read_spec(path), threads))
            for precision, path in files.items()
        }
        try:
            from echo_rt.engine.openvino import OpenVinoEngine

            engines["openvino fp32"] = opened.enter_context(
                OpenVinoEngine(str(files["fp32"]), read_spec(files["fp32"]), threads)
            )
        except ImportError:
            pass
        loop = plain_loop(str(files["fp32"]), read_spec(files["fp32"]), threads)
        candidates: dict[str, Callable[[int], Any]] = {"plain loop": lambda k: loop(images[k % 16])}
        for name, engine in engines.items():
            candidates[f"{name}, network"] = lambda k, e=engine: e._infer({})
            candidates[f"{name}, frame on the grid"] = lambda k, e=engine: e.segment(images[k % 16])
            candidates[f"{name}, whole frame"] = lambda k, e=engine: e.segment(images[k % 16]).mask()
        same = [(loop(image)[0] == engines["cpu int8"].segment(image).mask()).mean() for image in images]
        return {**medians(candidates, rounds), "labels alike, share": float(np.mean(same))}


def paced(threads: int, fps: float = 60, count: int = 240) -> dict[str, float]:
    """Where a frame comes every 1 / fps seconds, as live: its median in ms, and how many cores the process keeps busy.

    By the engine, and by the same network in a session of ONNX Runtime as it comes, whose threads spin while they wait.
    """
    import onnxruntime

    image = frames(480, 640, 1)[0]
    spec = read_spec(path := model_path("lv-edge.int8"))
    grid = np.zeros((1, 1, spec.input.height, spec.input.width), np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    found: dict[str, float] = {}
    with CpuEngine(str(path), spec, threads) as engine:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for name, run in {
            "engine": lambda: engine.segment(image),
            "bare session as it comes": lambda: session.run(["logits"], {"image": grid}),
        }.items():
            times: list[float] = []
            begin, busy = time.perf_counter(), time.process_time()
            for k in range(count):
                time.sleep(max(0.0, begin + k / fps - time.perf_counter()))
                start = time.perf_counter()
                run()
                times.append(1e3 * (time.perf_counter() - start))
            found[f"a frame every 1/{fps:g} s, {name}: ms"] = statistics.median(times)
            found[f"a frame every 1/{fps:g} s, {name}: cores busy"] = (time.process_time() - busy) / (
                time.perf_counter() - begin
            )
    return found


def program(seconds: float, turns: int) -> dict[str, float]:
    """`echo-rt file` without the overlay, as a user starts it, and the import alone; medians.

    Args:
        seconds: of the video, at 50 frames a second.
        turns: so many runs.
    """
    runs: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.avi"
        command = [sys.executable, "-m", "echo_rt"]
        options = ["ef=55", "hr=70", f"seconds={seconds:g}", "fps=50", "height=480", "width=640"]
        subprocess.run([*command, "phantom", str(clip), *options], check=True, capture_output=True)
        for _ in range(turns):
            start = time.perf_counter()
            child = subprocess.Popen(
                [*command, "file", str(clip), "--no-overlay", "--device", "cpu", "--out", folder],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            # Not child.wait: it does not tell the memory.
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - start
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                raise SystemExit(f"echo-rt file ended with status {child.returncode}")
            runs.append((seconds * 50 / wall, used.ru_maxrss / 1024))
        imported = [_import_s() for _ in range(2 * turns + 1)]
    return {
        "frames a second, start included": statistics.median(fps for fps, _ in runs),
        "resident memory at most, MB": max(memory for _, memory in runs),
        "import echo_rt, s": statistics.median(imported),
    }


def _import_s() -> float:
    measure = "import time; s = time.perf_counter(); import echo_rt; print(time.perf_counter() - s)"
    return float(subprocess.run([sys.executable, "-c", measure], check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(600, 800), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument(
        "--threads", type=int, default=0, help="of the network; 0: as an engine takes them, half of the processors"
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--program", action="store_true", help="echo-rt file as a whole instead")
    given = parser.parse_args()
    if given.program:
        whole_program = {**paced(given.threads), **program(20, 3)}
        for name, figure in whole_program.items():
            print(f"| {name} | {figure:.2f} |")
        print(json.dumps(whole_program))
        return
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
