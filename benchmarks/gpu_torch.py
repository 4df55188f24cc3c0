"""Torch beside TensorRT, for benchmarks/gpu.py: the same frame as one writes it with torch for speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from echo_rt.model import ModelSpec
from echo_rt.reference.preprocess import coverage
from echo_rt.segmentation import GridMap


def torch_way(spec: ModelSpec, size: tuple[int, int], device: str = "cuda") -> Callable[[np.ndarray], np.ndarray]:
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
