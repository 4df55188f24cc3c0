"""The ``tensorrt`` engine: a frame goes to the GPU as bytes, and comes back as probabilities and labels."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.engine.cuda_driver import find_device
from echo_rt.engine.heads import read_heads
from echo_rt.engine.preprocess import check_image
from echo_rt.engine.signature import foreign_state
from echo_rt.engine.tensorrt.build import tensorrt_version
from echo_rt.engine.tensorrt.build_progress import build_progress
from echo_rt.engine.tensorrt.cache import cached_engine, to_stderr
from echo_rt.engine.tensorrt.context import PrimaryContext, cuda_errors
from echo_rt.engine.tensorrt.kernels import fatbin_path, read_tally
from echo_rt.engine.tensorrt.plan import Network, Plan, Slot
from echo_rt.errors import EngineClosedError, ParameterError
from echo_rt.model import ModelSpec
from echo_rt.segmentation import Segmentation


def probe_tensorrt() -> str:
    """What would run here.

    Raises:
        NoDeviceError, DeviceError, MissingExtraError: why nothing can; without a CUDA device TensorRT is not imported.
    """
    device = find_device()
    version = tensorrt_version(device)
    PrimaryContext.of(device)
    fatbin_path()
    return f"TensorRT {version} on {device.name} (compute capability {device.compute_capability})"


class DeviceState:
    """A temporal model's state after one frame, on the GPU: never written again while anybody holds it."""

    def __init__(self, pool: StatePool, allocation: Any) -> None:
        self.pool, self.allocation = pool, allocation

    def __del__(self) -> None:
        # Of any thread, at any moment: nothing of CUDA here. The memory is written again by a later frame of the same
        # stream.
        self.pool.unused.append(self.allocation)


class StatePool:
    """Memory for the states of one engine; with the context current."""

    def __init__(self, cuda: Any, nbytes: int) -> None:
        self.unused: deque[Any] = deque()
        self._cuda, self._nbytes, self._memory = cuda, nbytes, list[Any]()

    def take(self) -> DeviceState:
        """One whose content is not defined yet."""
        try:
            return DeviceState(self, self.unused.popleft())
        except IndexError:
            allocation = self._cuda.mem_alloc(self._nbytes)
            self._memory.append(allocation)
            return DeviceState(self, allocation)

    def close(self) -> None:
        while self._memory:
            allocation = self._memory.pop()
            allocation.free()


class Pending:
    """A frame on its way through the GPU.

    Attributes:
        state: a temporal model's state after this frame, which the next `TensorRtEngine.submit` takes although it is
            not there yet.
    """

    def __init__(self, gpu: _Gpu, plan: Plan, slot: Slot, state: DeviceState | None, started: float) -> None:
        self.state = state
        self._primary, self._outputs, self._heads = gpu.primary, gpu.network.outputs, gpu.network.spec.heads
        self._map, self._started = plan.map, started
        self._slot: Slot | None = slot
        self._enqueued = time.perf_counter()
        self._lock = threading.Lock()
        self._found: Segmentation | Exception | None = None

    def result(self) -> Segmentation:
        """Wait for it; a second call gives the same. It stays what it is after the engine was closed.

        Raises:
            DeviceError: the GPU failed.
        """
        with self._lock:
            if self._slot is not None:
                try:
                    self._found = self._fetch(self._slot)
                except Exception as error:  # noqa: BLE001 - kept, and raised by each call
                    self._found = error
                self._slot.occupant = None
                self._slot = None
        if not isinstance(self._found, Segmentation):
            raise self._found or AssertionError("a frame without a result")
        return self._found

    def _fetch(self, slot: Slot) -> Segmentation:
        block = self._outputs
        with self._primary, cuda_errors(self._primary.cuda, "wait for a frame"):
            slot.done.synchronize()
        arrived = time.perf_counter()
        probability, labels, tally = (block.array(slot.output, name) for name in ("probability", "labels", "tally"))
        view, confidence = read_heads(
            {name: block.array(slot.output, name)[0].astype(np.float32) for name in self._heads}
        )
        time_ms = {
            "preprocess": 1e3 * (self._enqueued - self._started),
            "network": 1e3 * (arrived - self._enqueued),
            "postprocess": 1e3 * (time.perf_counter() - arrived),
        }
        return Segmentation(probability, labels, self._map, view, confidence, self.state, time_ms, read_tally(tally))


class _Gpu:
    """What an engine holds on the GPU. It knows nothing of the engine, so that it can be freed when that is
    forgotten."""

    def __init__(self, primary: PrimaryContext, network: Network) -> None:
        self.primary, self.network = primary, network
        self.states = StatePool(primary.cuda, network.state.nbytes)
        self.plan: Plan | None = None
        self.lock = threading.RLock()
        self.closed = False

    def settle(self) -> None:
        """Fetch the results of all frames that are on their way: their slots are about to go."""
        for slot in self.plan.slots if self.plan else ():
            self.vacate(slot)

    def vacate(self, slot: Slot) -> None:
        """Fetch the results that lie in a slot, if there are any. Another thread may be at it."""
        if (occupant := slot.occupant) is not None:
            with suppress(Exception):  # whoever asks for that result gets its error
                occupant.result()

    def close(self) -> None:
        with self.lock:
            if self.closed:
                return
            self.closed = True
            with self.primary, cuda_errors(self.primary.cuda, "free the engine"), ExitStack() as freeing:
                # In turn from the last to the first, each even where one before it failed.
                freeing.callback(self.network.close)
                freeing.callback(self.states.close)
                if self.plan is not None:
                    freeing.callback(self.plan.close)
                self.settle()


class TensorRtEngine:
    """An `echo_rt.engine.Engine` on TensorRT. It may be used from any thread, by several at once.

    Args:
        path, spec: of the model; its engine is built here first, which can take minutes, or comes from the cache.
        slots: frames that can be on their way at once, see `submit`.
        graph: False enqueues each step of each frame by itself.
        say: told in one line what takes long or goes slower than expected; None prints it on standard error.

    Raises:
        NoDeviceError: there is no CUDA device; TensorRT was not imported.
        DeviceError, MissingExtraError: TensorRT, PyCUDA or the kernels are missing, or the GPU lacks memory.
        ModelError, OutputError: see `echo_rt.engine.tensorrt.cache.cached_engine`.
    """

    device = "tensorrt"

    def __init__(
        self,
        path: str,
        spec: ModelSpec,
        *,
        slots: int = 2,
        graph: bool = True,
        say: Callable[[str], None] | None = None,
    ) -> None:
        if slots < 1:
            raise ParameterError(f"expected at least one slot, found {slots}")
        found = find_device()
        # All that can be missing is asked for before the minutes that a build takes.
        primary = PrimaryContext.of(found)
        fatbin_path()
        version = tensorrt_version(found)
        with primary, build_progress() as progress:
            stored = cached_engine(path, device=found, say=say, progress=progress)
            with cuda_errors(primary.cuda, f"load {stored.path.name}"):
                network = Network(primary, found, stored, spec)
        self.spec = spec
        self.description = f"{Path(path).name} on TensorRT {version} ({found.name}, {spec.precision})"
        self._slots, self._graph, self._say, self._said = slots, graph, say or to_stderr, False
        self._gpu = _Gpu(primary, network)
        # An engine that is never closed is freed when it is forgotten, or at the end of the program, while CUDA is
        # still there.
        self._free = weakref.finalize(self, self._gpu.close)

    def segment(self, image: NDArray[np.uint8], state: Any = None) -> Segmentation:
        """See `echo_rt.engine.Engine.segment`. Of ``time_ms``, ``preprocess`` is the copy of the frame to page-locked
        memory and the launch, ``network`` all that the GPU does, ``postprocess`` the copy of the results."""
        return self.submit(image, state).result()

    def submit(self, image: NDArray[np.uint8], state: Any = None) -> Pending:
        """Begin a frame and return at once, so that the next one can be written while this one runs.

        With more frames on their way than slots it waits for the oldest, whose result is kept.

        Args:
            image, state: as of `segment`.

        Raises:
            FrameError, EngineClosedError: as of `segment`.
            ParameterError: the state is not of this engine.
            DeviceError: CUDA or TensorRT refuses.
        """
        started, gpu = time.perf_counter(), self._gpu
        check_image(image)
        with gpu.lock:
            if gpu.closed:
                raise EngineClosedError(
                    "expected an open engine, found one that was closed; open a new one with open_engine"
                )
            if state is not None and not (isinstance(state, DeviceState) and state.pool is gpu.states):
                raise foreign_state(state)
            with gpu.primary, cuda_errors(gpu.primary.cuda, "run a frame"):
                plan = self._plan(image.shape)
                slot = plan.next_slot()
                gpu.vacate(slot)
                np.copyto(slot.image.reshape(image.shape), image)
                after = self._run(plan, slot, state)
                pending = slot.occupant = Pending(gpu, plan, slot, after, started)
                return pending

    def _plan(self, shape: tuple[int, ...]) -> Plan:
        gpu = self._gpu
        if gpu.plan is None or gpu.plan.shape != shape:
            gpu.settle()
            if gpu.plan is not None:
                gpu.plan.close()
                gpu.plan = None
            gpu.plan = Plan(gpu.network, shape, self._slots, self._graph, self._tell)
        return gpu.plan

    def _run(self, plan: Plan, slot: Slot, state: DeviceState | None) -> DeviceState | None:
        """Enqueue the frame between its state and the state after it, which are the network's only for this one
        frame."""
        network, cuda, stream = self._gpu.network, self._gpu.primary.cuda, self._gpu.network.stream
        nbytes, after = network.state.nbytes, None
        if nbytes and state is None:
            cuda.memset_d8_async(network.state_address, 0, nbytes, stream)
        elif state is not None:
            cuda.memcpy_dtod_async(network.state_address, int(state.allocation), nbytes, stream)
        plan.run(slot)
        if nbytes:
            after = self._gpu.states.take()
            cuda.memcpy_dtod_async(int(after.allocation), network.next_state_address, nbytes, stream)
        plan.record(slot)
        return after

    def _tell(self, line: str) -> None:
        """Say it once, not at each new size of image."""
        if not self._said:
            self._said = True
            self._say(f"{self.description}: {line}")

    def close(self) -> None:
        """Free all that is on the GPU, from any thread; a second call does nothing. Results that were submitted can
        still be fetched."""
        self._free()

    def __enter__(self) -> TensorRtEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
