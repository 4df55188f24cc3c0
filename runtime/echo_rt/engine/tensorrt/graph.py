"""CUDA graphs, which PyCUDA lacks, through NVIDIA's cuda-bindings: work on a stream is recorded once, then launched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echo_rt.engine.tensorrt.cuda_bindings import import_driver
from echo_rt.errors import DeviceError, MissingExtraError


class CudaGraph:
    """What `enqueue` puts on a stream, recorded once. All methods are called with the stream's context current.

    Args:
        stream_handle: of the one stream that takes part.
        enqueue: called once. Nothing runs then; addresses of memory are kept as they are.

    Raises:
        MissingExtraError: cuda-bindings is not installed.
        DeviceError: something enqueued cannot be recorded. The stream can be used as before.
    """

    def __init__(self, stream_handle: int, enqueue: Callable[[], None]) -> None:
        self._driver = driver = import_cuda_bindings()
        self._stream = driver.CUstream(stream_handle)
        self._graph_exec: Any = None
        # Thread local: other threads, another engine's among them, may allocate meanwhile.
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._succeed("begin a capture", driver.cuStreamBeginCapture(self._stream, mode))
        try:
            enqueue()
        except BaseException:
            # The stream has to leave its capture. Its graph, or its error, is of no use.
            _, graph = driver.cuStreamEndCapture(self._stream)
            if int(graph) != 0:
                driver.cuGraphDestroy(graph)
            raise
        graph = self._succeed("end a capture", driver.cuStreamEndCapture(self._stream))
        try:
            self._graph_exec = self._succeed("make a graph", driver.cuGraphInstantiate(graph, 0))
        finally:
            driver.cuGraphDestroy(graph)
        self._succeed("upload a graph", driver.cuGraphUpload(self._graph_exec, self._stream))

    def launch(self) -> None:
        """Run all of it after what is on the stream already; DeviceError where CUDA refuses."""
        result, *_ = self._driver.cuGraphLaunch(self._graph_exec, self._stream)
        if result != self._driver.CUresult.CUDA_SUCCESS:
            raise DeviceError(f"expected to launch a CUDA graph, found {result.name}; open the engine again")

    def close(self) -> None:
        """Free the graph, once the stream has come to its end; a second call does nothing."""
        graph_exec, self._graph_exec = self._graph_exec, None
        if graph_exec is not None:
            self._driver.cuGraphExecDestroy(graph_exec)

    def _succeed(self, step: str, answer: tuple[Any, ...]) -> Any:
        result, *found = answer
        if result != self._driver.CUresult.CUDA_SUCCESS:
            raise DeviceError(f"expected to {step} of CUDA work, found {result.name}")
        return found[0] if found else None


def import_cuda_bindings() -> Any:
    """The module cuda.bindings.driver; MissingExtraError where it is not installed."""
    try:
        return import_driver()
    except ImportError:
        raise MissingExtraError("a CUDA graph", "tensorrt") from None
