"""The CUDA kernels through the library that calls CUDA, against the NumPy reference: on a GPU or an emulated driver."""

from __future__ import annotations

from typing import Any

import numpy as np

from echo_rt import reference
from echo_rt.engine.tensorrt.context import PrimaryContext, cuda_errors
from echo_rt.engine.tensorrt.graph import CudaGraph
from echo_rt.engine.tensorrt.kernels import TALLY_NUMBERS, Kernels, read_tally
from echo_rt.engine.tensorrt.memory import Memory
from echo_rt.segmentation import GridMap
from support.toy import SPEC

GRID = SPEC.input.grid
SHAPES = ((60, 80), (57, 113, 3), (1, 300), (1, 1))


def preprocess_agrees(primary: PrimaryContext, shape: tuple[int, ...]) -> None:
    """One image, as a graph and step by step."""
    with primary, cuda_errors(primary.cuda, "run the kernels"):
        _preprocess(primary.cuda, shape)  # what it opens is forgotten, and so freed, in the context


def _preprocess(cuda: Any, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(3).integers(0, 256, shape, np.uint8)
    place = GridMap.letterbox((shape[0], shape[1]), GRID)
    expected = np.empty(GRID, np.float32)
    reference.Preprocess(place, SPEC.input.mean, SPEC.input.std)(image, expected)
    memory, stream, kernels = Memory(cuda), cuda.Stream(1), Kernels(cuda, SPEC, "float32", "float32")
    done = cuda.Event(cuda.event_flags.DISABLE_TIMING)
    pinned, _ = memory.take_page_locked(image.size, mapped=False)
    back, _ = memory.take_page_locked(expected.nbytes, mapped=False)
    frame, out = memory.take(image.size), memory.take(expected.nbytes)

    def enqueue() -> None:
        cuda.memcpy_htod_async(frame, pinned, stream)
        kernels.preprocess(stream, frame, shape, place, out)
        cuda.memcpy_dtoh_async(back, out, stream)

    back[:] = 255
    graph = CudaGraph(stream.handle, enqueue)
    stream.synchronize()
    assert (back == 255).all(), "a capture ran what it recorded"
    pinned[:] = image.ravel()
    for step in (graph.launch, enqueue):
        back[:] = 0
        step()
        done.record(stream)
        done.synchronize()
        np.testing.assert_allclose(back.view(np.float32).reshape(GRID), expected, atol=1e-4)
    graph.close()
    memory.close()


def postprocess_agrees(primary: PrimaryContext) -> None:
    """Probabilities, labels and tallies of random logits."""
    with primary, cuda_errors(primary.cuda, "run the kernels"):
        _postprocess(primary.cuda)


def _postprocess(cuda: Any) -> None:
    logits = np.random.default_rng(4).normal(size=(4, *GRID)).astype(np.float32)
    sizes = (logits.nbytes, logits.nbytes, GRID[0] * GRID[1], 8 * TALLY_NUMBERS)
    memory, stream, kernels = Memory(cuda), cuda.Stream(1), Kernels(cuda, SPEC, "float32", "float32")
    given, probability, labels, tally = (memory.take_page_locked(nbytes, mapped=True) for nbytes in sizes)
    given[0][:] = logits.view(np.uint8).ravel()
    kernels.postprocess(stream, *(address for _, address in (given, probability, labels, tally)))
    stream.synchronize()
    wanted = reference.postprocess(logits)
    np.testing.assert_allclose(probability[0].view(np.float32).reshape(logits.shape), wanted[0], atol=1e-5)
    assert (labels[0].reshape(GRID) != wanted[1]).mean() < 1e-3  # where two classes are equally likely
    found = read_tally(tally[0].view(np.uint64))
    np.testing.assert_array_equal(found[0], np.bincount(labels[0], minlength=4))
    np.testing.assert_allclose(found, wanted[2], rtol=1e-2, atol=2)
    memory.close()
