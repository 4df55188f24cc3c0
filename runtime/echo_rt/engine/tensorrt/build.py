"""From an ONNX file to a TensorRT engine: the only place that calls TensorRT's builder.

It serves TensorRT 8.5 to 11, and asks what the installed release offers, never for its number. From 10 on networks can
be strongly typed, with the types of the ONNX file. Before, flags set the precision, after the file's spec.

A name means one TensorRT class throughout: ``config`` is an ``IBuilderConfig``, and so on. A name that not every
release has is looked up by ``getattr`` or behind ``hasattr``. tests/test_tensorrt_contract.py checks both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from echo_rt.engine.cuda_driver import CudaDevice, import_errors
from echo_rt.engine.signature import check_signature
from echo_rt.errors import DeviceError, ModelError, ParameterError
from echo_rt.model import ModelSpec

Progress = Callable[[str, int, int], None]
"""Called with a phase of the build, the steps done in it, and their number, also from TensorRT's own threads."""

Say = Callable[[str], None]  # called with one line for people

# TensorRT's names of types, and NumPy's.
_DTYPES = {"FLOAT": "float32", "HALF": "float16", "BOOL": "bool", "UINT8": "uint8"}
_DTYPES |= {"INT8": "int8", "INT32": "int32", "INT64": "int64"}

# The model's path for the parser: a place without files, so that it finds no weights that no hash covers.
_NOWHERE = f"{os.devnull}/model.onnx"


@dataclass(frozen=True)
class BuildOptions:
    """How to build; the defaults are for the fastest engine on this very GPU."""

    workspace_mib: int = 1024  # GPU memory that a layer may use for scratch
    hardware_compatible: bool = False  # also for other GPUs from Ampere on, more slowly
    version_compatible: bool = False  # also for later TensorRT releases, more slowly

    def __post_init__(self) -> None:
        if self.workspace_mib < 1:
            raise ParameterError(f"expected a workspace of at least 1 MiB, found {self.workspace_mib}")


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of an engine: its name in the ONNX file, its fixed shape, and NumPy's name of its type."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Built:
    """A serialised engine, its tensors in their order, and the builder's times, for the next build to start with."""

    engine: bytes
    timing_cache: bytes
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def import_tensorrt(device: CudaDevice) -> Any:
    """The tensorrt module; MissingExtraError where it is not installed, DeviceError where it cannot be loaded."""
    with import_errors("TensorRT", "a TensorRT engine", device, "install it again"):
        import tensorrt
    return tensorrt


def tensorrt_version(device: CudaDevice) -> str:
    """The release of the installed TensorRT, such as ``10.16.1.11``; errors as `import_tensorrt`."""
    return str(import_tensorrt(device).__version__)


def build(
    onnx: bytes,
    origin: str,
    spec: ModelSpec,
    device: CudaDevice,
    options: BuildOptions,
    timing_cache: bytes = b"",
    progress: Progress | None = None,
) -> Built:
    """Build an engine, which takes from seconds to minutes.

    Args:
        onnx, origin: the model file's content, and its path for messages.
        timing_cache: of an earlier build on this GPU with this TensorRT, or empty.
        progress: for a TensorRT that reports it (10 and later).

    Raises:
        ModelError: TensorRT cannot read the file or make an engine of it, or the network contradicts its spec.
        ParameterError: this TensorRT cannot do what `options` ask for.
        MissingExtraError, DeviceError: as `import_tensorrt`.
        KeyboardInterrupt: the user stopped the build.
    """
    trt = import_tensorrt(device)
    log, messages = _logger(trt)
    builder = trt.Builder(log)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(onnx, _NOWHERE):
        reason = _last([parser.get_error(0).desc()] if parser.num_errors else messages)
        raise ModelError(f"{origin}: TensorRT {trt.__version__} cannot read it ({reason}); export the model again")
    inputs = _tensors(origin, [network.get_input(i) for i in range(network.num_inputs)])
    outputs = _tensors(origin, [network.get_output(i) for i in range(network.num_outputs)])
    check_signature(origin, spec, {t.name: t.shape for t in inputs}, {t.name: t.shape for t in outputs})

    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    _set_precision(trt, config, spec.precision)
    _set_compatibility(trt, config, options)
    timings = config.create_timing_cache(timing_cache)
    # False: times of another GPU or release are refused, not believed; the build then begins with an empty cache.
    if timings is None or not config.set_timing_cache(timings, False):
        timings = config.create_timing_cache(b"")
        config.set_timing_cache(timings, False)
    stopped: list[bool] = []
    if progress is not None and hasattr(trt, "IProgressMonitor"):
        config.progress_monitor = _monitor(trt, progress, stopped)
    engine = builder.build_serialized_network(network, config)
    if stopped:
        raise KeyboardInterrupt
    if engine is None:
        reason = f"cannot build an engine of it for {device.name} ({_last(messages)})"
        raise ModelError(f"{origin}: TensorRT {trt.__version__} {reason}")
    return Built(bytes(engine), bytes(timings.serialize()), inputs, outputs)


def deserialize(engine: bytes, device: CudaDevice, host_code_allowed: bool = False) -> Any:
    """The ``ICudaEngine`` of an engine's bytes. It is code: only those that `cache` has compared with their record.

    An engine built version compatible brings code of its own, which has to be allowed.

    Raises:
        ModelError: TensorRT refuses it.
        MissingExtraError, DeviceError: as `import_tensorrt`.
    """
    trt = import_tensorrt(device)
    log, messages = _logger(trt)
    runtime = trt.Runtime(log)
    if host_code_allowed:
        runtime.engine_host_code_allowed = True
    found = runtime.deserialize_cuda_engine(engine)
    if found is None:
        reason = f"refuses the engine ({_last(messages)})"
        raise ModelError(f"TensorRT {trt.__version__} on {device.name} {reason}; build it again")
    return found


def _network_flags(trt: Any) -> int:
    """Strongly typed where that exists, else with an explicit batch, which 10 and later imply."""
    explicit = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    flag = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", explicit)
    return 0 if flag is None else 1 << int(flag)


def _set_precision(trt: Any, config: Any, precision: str) -> None:
    """Allow the file's precision, where types alone do not decide."""
    if hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED"):
        return
    # INT8 with FP16: layers that are not quantised may run in FP16.
    for name in {"fp32": (), "fp16": ("FP16",), "int8": ("INT8", "FP16")}[precision]:
        flag = getattr(trt.BuilderFlag, name, None)
        if flag is None:
            lacking = f"has neither strongly typed networks nor {name}"
            raise DeviceError(f"TensorRT {trt.__version__} {lacking}; use another release")
        config.set_flag(flag)


def _set_compatibility(trt: Any, config: Any, options: BuildOptions) -> None:
    def have(feature: Any, name: str) -> Any:
        if feature is None:
            expected = f"expected TensorRT 8.6 or later for {name} compatibility"
            raise ParameterError(f"{expected}, found {trt.__version__}; leave the option out")
        return feature

    if options.hardware_compatible:
        level = getattr(getattr(trt, "HardwareCompatibilityLevel", None), "AMPERE_PLUS", None)
        config.hardware_compatibility_level = have(level, "hardware")
    if options.version_compatible:
        config.set_flag(have(getattr(trt.BuilderFlag, "VERSION_COMPATIBLE", None), "version"))


def _tensors(origin: str, tensors: Sequence[Any]) -> tuple[TensorInfo, ...]:
    found = []
    for tensor in tensors:
        dtype = _DTYPES.get(tensor.dtype.name)
        if dtype is None or any(n < 1 for n in tensor.shape):
            raise ModelError(
                f"{origin}: expected tensors of fixed shape and a type of {', '.join(_DTYPES.values())}, found "
                f"{tensor.name} of {tuple(tensor.shape)} {tensor.dtype.name}; export the model again"
            )
        found.append(TensorInfo(tensor.name, tuple(tensor.shape), dtype))
    return tuple(found)


def _logger(trt: Any) -> tuple[Any, list[str]]:
    """A silent logger, and the list in which it keeps TensorRT's errors."""
    messages: list[str] = []
    grave = (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR)

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in grave:
                messages.append(message)

    return Log(), messages


def _monitor(trt: Any, progress: Progress, stopped: list[bool]) -> Any:
    steps: dict[str, int] = {}

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Tells `progress`. An exception would end the process inside TensorRT, so Ctrl-C becomes a False."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            steps[phase_name] = num_steps
            _told(phase_name, 0)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return _told(phase_name, step + 1)

        def phase_finish(self, phase_name: str) -> None:
            _told(phase_name, steps.get(phase_name, 0))

    def _told(phase: str, done: int) -> bool:
        try:
            progress(phase, done, steps.get(phase, done))
        except KeyboardInterrupt:
            stopped.append(True)
        return not stopped

    return Monitor()


def _last(messages: list[str]) -> str:
    """The first line of the last message."""
    lines = messages[-1].strip().splitlines() if messages else []
    return lines[0] if lines else "it gave no reason"
