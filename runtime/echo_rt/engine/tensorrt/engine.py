"""The ``tensorrt`` engine: a frame goes to the GPU as bytes, and comes back as probabilities and labels."""

from __future__ import annotations

import threading
import time
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.arrays import Image
from echo_rt.engine.cuda_driver import find_device
from echo_rt.engine.host import read_heads, stage_times_ms
from echo_rt.engine.preprocess import check_image
from echo_rt.engine.signature import closed_engine, foreign_state
from echo_rt.engine.tensorrt.build import Say, tensorrt_version
from echo_rt.engine.tensorrt.cache import build_progress, cached_engine
from echo_rt.engine.tensorrt.context import PrimaryContext, cuda_errors
from echo_rt.engine.tensorrt.frames import FrameBuffers, FrameRunner
from echo_rt.engine.tensorrt.kernels import fatbin_path, read_tally
from echo_rt.engine.tensorrt.memory import DeviceState, StatePool
from echo_rt.engine.tensorrt.network import Network
from echo_rt.errors import ParameterError
from echo_rt.logs import note
from echo_rt.model import ModelSpec
from echo_rt.segmentation import Segmentation


def probe() -> str:
    """See `echo_rt.engine.probe`."""
    device = find_device()
    version = tensorrt_version(device)
    PrimaryContext.of(device)
    fatbin_path()
    return f"TensorRT {version} on {device.name} (compute capability {device.compute_capability})"


class Pending:
    """A frame on its way through the GPU. The next `TensorRtEngine.submit` takes its `state` before it is there."""

    def __init__(
        self, gpu: _Gpu, runner: FrameRunner, buffers: FrameBuffers, state: DeviceState | None, started_s: float
    ) -> None:
        self.state = state
        self._primary, self._outputs, self._heads = gpu.primary, gpu.network.outputs, gpu.network.spec.heads
        self._map, self._started_s, self._enqueued_s = runner.map, started_s, time.perf_counter()
        self._buffers: FrameBuffers | None = buffers
        self._lock = threading.Lock()
        self._found: Segmentation | Exception | None = None

    def result(self) -> Segmentation:
        """Wait for it; DeviceError where the GPU failed. A second call gives the same, also after `close`."""
        with self._lock:
            if self._buffers is not None:
                try:
                    self._found = self._fetch(self._buffers)
                except Exception as error:  # noqa: BLE001 - kept, and raised by each call
                    self._found = error
                self._buffers.occupant = None
                self._buffers = None
        if not isinstance(self._found, Segmentation):
            raise self._found or AssertionError("a frame without a result")
        return self._found

    def _fetch(self, buffers: FrameBuffers) -> Segmentation:
        with self._primary, cuda_errors(self._primary.cuda, "wait for a frame"):
            buffers.done.synchronize()
        arrived_s = time.perf_counter()
        names = ("probability", "labels", "tally", *self._heads)
        found = {name: self._outputs.array(buffers.output, name) for name in names}
        said = read_heads({name: found[name][0].astype(np.float32) for name in self._heads})
        probability, labels, tally = found["probability"], found["labels"], read_tally(found["tally"])
        times = stage_times_ms(self._started_s, self._enqueued_s, arrived_s)
        return Segmentation(
            probability, labels, self._map, said.view, said.confidence, self.state, times, said.apical, tally
        )


class _Gpu:
    """What an engine holds on the GPU. It does not know the engine, and is freed when that is forgotten."""

    def __init__(self, primary: PrimaryContext, network: Network) -> None:
        self.primary, self.network = primary, network
        self.states = StatePool(network.memory, network.state.nbytes)
        self.runner: FrameRunner | None = None
        self.lock = threading.RLock()
        self.closed = False

    def settle(self) -> None:
        """Fetch the results of all frames that are on their way."""
        for buffers in self.runner.buffers if self.runner else ():
            self.vacate(buffers)

    def vacate(self, buffers: FrameBuffers) -> None:
        """Fetch the results that lie in the buffers, if any. Another thread may be at it."""
        if (occupant := buffers.occupant) is not None:
            with suppress(Exception):  # whoever asks for that result gets its error
                occupant.result()

    def close(self) -> None:
        with self.lock:
            if self.closed:
                return
            self.closed = True
            with self.primary, cuda_errors(self.primary.cuda, "free the engine"), ExitStack() as freeing:
                # From the last to the first, each even where one before it failed.
                freeing.callback(self.network.close)
                if self.runner is not None:
                    freeing.callback(self.runner.close)
                self.settle()


class TensorRtEngine:
    """An `echo_rt.engine.Engine` on TensorRT. It may be used from any thread, by several at once.

    The model's engine comes from the cache, or is built first, which can take minutes.

    Args:
        in_flight: frames that can be on their way at once, see `submit`.
        graph: False enqueues each step of each frame by itself.
        say: told in one line what takes long or goes slower than expected; None prints it on standard error.

    Raises:
        NoDeviceError: there is no CUDA device; TensorRT was not imported.
        DeviceError, MissingExtraError: TensorRT, CUDA's library or the kernels are missing, or the GPU lacks memory.
        ModelError, OutputError: as `echo_rt.engine.tensorrt.cache.cached_engine`.
    """

    device = "tensorrt"

    def __init__(
        self, path: str, spec: ModelSpec, *, in_flight: int = 2, graph: bool = True, say: Say | None = None
    ) -> None:
        if in_flight < 1:
            raise ParameterError(f"expected at least one frame in flight, found {in_flight}")
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
        self._in_flight, self._graph, self._say, self._said = in_flight, graph, say or note, False
        self._gpu = _Gpu(primary, network)
        # An engine that nobody closes is freed when it is forgotten, or when the program ends and CUDA still works.
        self._free = weakref.finalize(self, self._gpu.close)

    def segment(self, image: Image, state: Any = None) -> Segmentation:
        """See `echo_rt.engine.Engine.segment`.

        In ``time_ms``, ``preprocess`` is the copy to page-locked memory and the launch. ``network`` is all that the GPU
        does, ``postprocess`` the copy of the results.
        """
        return self.submit(image, state).result()

    def submit(self, image: Image, state: Any = None) -> Pending:
        """Begin a frame and return at once, so that the next one can be written while this one runs.

        With `in_flight` frames on their way, it waits for the oldest and keeps its result.

        Raises:
            FrameError, EngineClosedError, ParameterError: as `segment`.
            DeviceError: CUDA or TensorRT refuses.
        """
        started, gpu = time.perf_counter(), self._gpu
        check_image(image)
        with gpu.lock:
            if gpu.closed:
                raise closed_engine()
            if state is not None and not (isinstance(state, DeviceState) and state.pool is gpu.states):
                raise foreign_state(state)
            with gpu.primary, cuda_errors(gpu.primary.cuda, "run a frame"):
                runner = self._runner(image.shape)
                buffers = next(runner.in_turn)
                gpu.vacate(buffers)
                np.copyto(buffers.image.reshape(image.shape), image)
                after = self._run(runner, buffers, state)
                pending = buffers.occupant = Pending(gpu, runner, buffers, after, started)
                return pending

    def _runner(self, shape: tuple[int, ...]) -> FrameRunner:
        gpu = self._gpu
        if gpu.runner is not None and gpu.runner.shape != shape:
            gpu.settle()
            gpu.runner.close()
            gpu.runner = None
        if gpu.runner is None:
            gpu.runner = FrameRunner(gpu.network, shape, self._in_flight, self._graph, self._tell)
        return gpu.runner

    def _run(self, runner: FrameRunner, buffers: FrameBuffers, state: DeviceState | None) -> DeviceState | None:
        """Enqueue the frame, and around it the copies of the state into the network and out of it again."""
        network, cuda, stream = self._gpu.network, self._gpu.primary.cuda, self._gpu.network.stream
        nbytes, after = network.state.nbytes, None
        if nbytes and state is None:
            cuda.memset_d8_async(network.state.address, 0, nbytes, stream)
        elif state is not None:
            cuda.memcpy_dtod_async(network.state.address, state.address, nbytes, stream)
        runner.run(buffers)
        if nbytes:
            after = self._gpu.states.take()
            cuda.memcpy_dtod_async(after.address, network.next_state.address, nbytes, stream)
        buffers.done.record(stream)
        return after

    def _tell(self, line: str) -> None:
        """Say it once, not at each new size of image."""
        if not self._said:
            self._said = True
            self._say(f"{self.description}: {line}")

    def close(self) -> None:
        """Free all that is on the GPU, from any thread. Pending results stay."""
        self._free()

    def __enter__(self) -> TensorRtEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
