"""What engines share: the heads and the times of a frame, and, on the processor, all but the network itself."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from echo_rt import native
from echo_rt.arrays import Field, Image
from echo_rt.engine.in_time import in_time
from echo_rt.engine.preprocess import Preprocess
from echo_rt.engine.signature import closed_engine, foreign_state
from echo_rt.errors import ModelError
from echo_rt.model import VIEWS, ModelSpec
from echo_rt.segmentation import Segmentation

if TYPE_CHECKING:
    from typing_extensions import Self

Tensors = dict[str, Any]
"""A temporal model's state: tensors of its runtime, by the names of the spec's state."""

TRIAL_S = 10.0
"""A frame that takes longer is nothing to wait for: the network may not end at all."""

NETWORK_MB = 1024
"""Memory of all networks of a process on the processor, weights included; lv-edge takes 30."""

MOST_THREADS = 4  # more gain nothing in so small a network


def default_threads() -> int:
    """Threads of a network: half of the processors that this process may use, at most `MOST_THREADS`.

    The other half decodes, captures and draws, and keeps the time of a frame even. On two cores a second thread gains
    `echo-rt file` 6 %, and a live frame nothing: it sleeps by the next one.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, usable // 2))


def stage_times_ms(start_s: float, ready_s: float, done_s: float) -> dict[str, float]:
    """`Segmentation.time_ms` of a frame whose postprocess ends now; the arguments are of `time.perf_counter`."""
    post_s = time.perf_counter() - done_s
    seconds = {"preprocess": ready_s - start_s, "network": done_s - ready_s, "postprocess": post_s}
    return {stage: 1e3 * s for stage, s in seconds.items()}


class Verdict(NamedTuple):
    """What the heads say of a frame, as in `Segmentation`; None without the head."""

    view: str | None
    apical: float | None
    confidence: float | None


def read_heads(heads: Mapping[str, Field]) -> Verdict:
    """The verdict, of the (views,) logits ``view`` and the (1,) logit ``confidence``."""
    view = apical = None
    if "view" in heads:
        logits = heads["view"]
        view = VIEWS[int(logits.argmax())]
        likely = np.exp(logits - logits.max())
        apical = float(1 - likely[VIEWS.index("other")] / likely.sum())
    confidence = float(1 / (1 + np.exp(-np.clip(heads["confidence"][0], -30, 30)))) if "confidence" in heads else None
    return Verdict(view, apical, confidence)


class HostEngine(ABC):
    """An `echo_rt.engine.Engine` that does all but the network on the processor. Threads take turns.

    `shapes` are those of the network's inputs and outputs, by name; their buffers are made once.
    """

    device: str
    description: str

    def __init__(self, spec: ModelSpec, shapes: Mapping[str, list[int]]) -> None:
        self.spec = spec
        self._open, self._lock = True, threading.Lock()
        self._image = np.zeros((1, 1, spec.input.height, spec.input.width), np.float32)
        self._preprocess = Preprocess(spec.input.grid, spec.input.mean, spec.input.std)
        self._start: Tensors = {name: np.zeros(shapes[name], np.float32) for name in spec.state}
        self._out: dict[str, Field] = {n: np.empty(shapes[n], np.float32) for n in ("logits", *spec.heads)}

    @abstractmethod
    def _infer(self, before: Tensors) -> Tensors:
        """Run the network from `_image` and the state `before` into `_out`. The state after is new: callers keep it."""

    @abstractmethod
    def _free(self) -> None:
        """Free the network."""

    def segment(self, image: Image, state: Any = None) -> Segmentation:
        """See `echo_rt.engine.Engine.segment`."""
        with self._lock:
            if not self._open:
                raise closed_engine()
            before = self._own(state)
            start = time.perf_counter()
            grid_map = self._preprocess(image, self._image[0, 0])
            ready = time.perf_counter()
            after = self._infer(before)
            done = time.perf_counter()
            probability, labels, tally = native.postprocess(self._out["logits"][0])
            said = read_heads({name: self._out[name][0] for name in self.spec.heads})
            times = stage_times_ms(start, ready, done)
            return Segmentation(
                probability, labels, grid_map, said.view, said.confidence, after or None, times, said.apical, tally
            )

    def try_out(self) -> None:
        """Run a blank frame, which takes as long as any other.

        Raises:
            ModelError: the network fails, gives no finite numbers, or does not end in `TRIAL_S`.
        """
        blank = np.zeros(self.spec.input.grid, np.uint8)
        try:
            in_time(TRIAL_S, lambda: self.segment(blank), self._stop)
        except TimeoutError:
            found = f"expected a frame to take less than {TRIAL_S:g} s, found that the network takes longer"
            raise ModelError(f"{self.description}: {found}; take a smaller one") from None
        if not np.isfinite(self._out["logits"]).all():
            found = "expected finite logits of a blank frame, found others"
            raise ModelError(f"{self.description}: {found}; its weights are damaged, export the model again")

    def _stop(self) -> None:
        """End a frame that takes too long, where the runtime can."""
        return

    def _own(self, state: Any) -> Tensors:
        """A state that fits this network; the one that it begins with for None."""
        if state is None:
            return self._start
        if isinstance(state, dict) and state.keys() == self._start.keys():
            tensors: Tensors = state
            if all(self._fits(tensor, self._start[name]) for name, tensor in tensors.items()):
                return tensors
        raise foreign_state(state)

    @staticmethod
    def _fits(tensor: Any, first: Any) -> bool:
        """Whether a state's tensor is like that of the first state."""
        return isinstance(tensor, np.ndarray) and tensor.shape == first.shape

    def close(self) -> None:
        """Free the network, after the frame that another thread runs."""
        with self._lock:
            if self._open:
                self._open = False
                self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
