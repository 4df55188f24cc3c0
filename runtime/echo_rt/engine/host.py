"""What the engines on the processor have in common: all but the network itself."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from echo_rt import native
from echo_rt.engine.heads import read_heads
from echo_rt.engine.preprocess import Preprocess
from echo_rt.engine.signature import foreign_state
from echo_rt.errors import EngineClosedError
from echo_rt.model import ModelSpec
from echo_rt.segmentation import Segmentation

if TYPE_CHECKING:
    from typing_extensions import Self

Tensors = dict[str, NDArray[np.float32]]


MOST_THREADS = 4
"""More gain nothing in so small a network."""


def default_threads() -> int:
    """Of a network: half of the processors that this process may use, at most `MOST_THREADS`.

    What is left decodes, captures and draws, and keeps the time of a frame even. On two cores a second thread makes
    `echo-rt file` 6 % faster, and a live frame no faster at all: by the time of the next one it sleeps.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, usable // 2))


class HostEngine(ABC):
    """An `echo_rt.engine.Engine` whose network reads and writes the memory of the processor.

    The buffers of input and output are made once, and the network is told of them once. It may be used from any thread,
    by one thread at a time.

    Args:
        spec: of the model.
        shapes: of every input and output of the network, by name.
    """

    device: str
    description: str

    def __init__(self, spec: ModelSpec, shapes: Mapping[str, list[int]]) -> None:
        self.spec = spec
        self._open = True
        self._image = np.zeros((1, 1, spec.height, spec.width), np.float32)
        self._preprocess = Preprocess((spec.height, spec.width), spec.mean, spec.std)
        self._start: Tensors = {name: np.zeros(shapes[name], np.float32) for name in spec.state}
        self._out: Tensors = {name: np.empty(shapes[name], np.float32) for name in ("logits", *spec.heads)}

    @abstractmethod
    def _infer(self, before: Tensors, after: Tensors) -> None:
        """Run the network from `_image` and the state `before` into `_out` and `after`, each by the names of the spec's
        state."""

    @abstractmethod
    def _free(self) -> None:
        """Free the network."""

    def segment(self, image: NDArray[np.uint8], state: Any = None) -> Segmentation:
        """See `echo_rt.engine.Engine.segment`."""
        if not self._open:
            raise EngineClosedError(
                "expected an open engine, found one that was closed; open a new one with open_engine"
            )
        before = self._own(state)
        start = time.perf_counter()
        grid_map = self._preprocess(image, self._image[0, 0])
        ready = time.perf_counter()
        # Of its own in every frame: the caller may keep it.
        after: Tensors = {name: np.empty_like(first) for name, first in self._start.items()}
        self._infer(before, after)
        done = time.perf_counter()
        probability, labels, tally = native.postprocess(self._out["logits"][0])
        view, confidence = read_heads({name: self._out[name][0] for name in self.spec.heads})
        time_ms = {
            "preprocess": 1e3 * (ready - start),
            "network": 1e3 * (done - ready),
            "postprocess": 1e3 * (time.perf_counter() - done),
        }
        return Segmentation(probability, labels, grid_map, view, confidence, after or None, time_ms, tally)

    def _own(self, state: Any) -> Tensors:
        """A state that fits this network; the one that it begins with for None."""
        if state is None:
            return self._start
        if isinstance(state, dict) and state.keys() == self._start.keys():
            tensors: Tensors = state
            if all(isinstance(t, np.ndarray) and t.shape == self._start[name].shape for name, t in tensors.items()):
                return tensors
        raise foreign_state(state)

    def close(self) -> None:
        """Free the network; a second call does nothing."""
        if self._open:
            self._open = False
            self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
