"""A stand-in for TensorRT and for the CUDA driver, for machines without a GPU. Nothing here computes anything.

`stand_in(release)` has the classes that echo-rt uses, each with the names that this release has (tensorrt_names.py) and
no others. So code that uses a name of another release fails here as it would there. Its "engine" is a line of text that
says how it was asked to build.
"""

from __future__ import annotations

import enum
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnx

from echo_rt.engine.cuda_driver import CudaDevice
from support.tensorrt_names import names

MARK = b"STAND-IN ENGINE "
"""What the bytes of a stand-in engine begin with."""

DEVICE = CudaDevice(0, "STAND-IN GPU", "8.6", "12.4")
"""What `StandInDriver` describes."""


class StandInDriver:
    """libcuda with one device, or with the result that `cuInit` is to give."""

    def __init__(
        self, result: int = 0, devices: int = 1, name: str = "STAND-IN GPU", capability: tuple[int, int] = (8, 6)
    ) -> None:
        self.result, self.devices, self.name, self.capability = result, devices, name, capability

    def cuInit(self, flags: int) -> int:
        return self.result

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self.devices
        return 0

    def cuDeviceGet(self, handle: Any, index: int) -> int:
        handle._obj.value = 7 + index
        return 0

    def cuDeviceGetName(self, name: Any, size: int, handle: int) -> int:
        name.value = self.name.encode()
        return 0 if handle >= 7 else 101

    def cuDeviceGetAttribute(self, found: Any, attribute: int, handle: int) -> int:
        found._obj.value = self.capability[attribute - 75]
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = 12040
        return 0


class Limited:
    """Takes no attribute that the class of this name does not have in the release.

    Attributes:
        trt: the module that it belongs to.
        release, fail: as of `stand_in`.
    """

    trt: Any
    release: str
    fail: str

    def __setattr__(self, name: str, given: Any) -> None:
        if not name.startswith("_") and name not in names(type(self).__name__, self.release):
            raise AttributeError(f"{type(self).__name__} of TensorRT {self.release} has no {name}")
        object.__setattr__(self, name, given)


class ILogger(Limited):
    pass


class IProgressMonitor(Limited):
    pass


class ITensor(Limited):
    def __init__(self, value: Any) -> None:
        self.name = value.name
        self.shape = tuple(d.dim_value or -1 for d in value.type.tensor_type.shape.dim)
        half = value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
        self.dtype = self.trt.DataType["HALF" if half else "FLOAT"]


class INetworkDefinition(Limited):
    def __init__(self, flags: int) -> None:
        self._flags, self._graph = flags, onnx.GraphProto()

    num_inputs = property(lambda self: len(self._graph.input))
    num_outputs = property(lambda self: len(self._graph.output))

    def get_input(self, index: int) -> Any:
        return self.trt.ITensor(self._graph.input[index])

    def get_output(self, index: int) -> Any:
        return self.trt.ITensor(self._graph.output[index])


class OnnxParser(Limited):
    def __init__(self, network: Any, logger: Any) -> None:
        self._network, self._logger, self._errors = network, logger, list[str]()

    num_errors = property(lambda self: len(self._errors))

    def parse(self, model: bytes, path: str) -> bool:
        assert not Path(path).parent.is_dir(), "weights beside the model would be read"
        if self.fail == "parse":
            self._errors.append("no importer for operator Abacus\nand a second line")
            return False
        self._network._graph = onnx.load_from_string(model).graph
        return True

    def get_error(self, index: int) -> Any:
        return SimpleNamespace(desc=lambda: self._errors[index])


class ITimingCache(Limited):
    def __init__(self, data: bytes) -> None:
        self._data = data

    def serialize(self) -> bytes:
        return self._data + b"timed "


class IBuilderConfig(Limited):
    def __init__(self) -> None:
        self._asked: dict[str, Any] = {"flags": [], "timings": ""}

    def set_flag(self, flag: Any) -> None:
        self._asked["flags"].append(flag.name)

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        self._asked[pool.name] = size

    def create_timing_cache(self, data: bytes) -> Any:
        return self.trt.ITimingCache(data)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        if cache._data.startswith(b"other GPU") and not ignore_mismatch:
            return False
        self._asked["timings"] = cache._data.decode()
        return True


class Builder(Limited):
    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def create_network(self, flags: int = 0) -> Any:
        return self.trt.INetworkDefinition(flags)

    def create_builder_config(self) -> Any:
        return self.trt.IBuilderConfig()

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        monitor = getattr(config, "progress_monitor", None)
        if monitor is not None:
            monitor.phase_start("Building Engine", None, 2)
            if not all(monitor.step_complete("Building Engine", step) for step in range(2)):
                return None
            monitor.phase_finish("Building Engine")
        if self.fail == "build":
            self._logger.log(self.trt.ILogger.Severity.ERROR, "out of memory\nand a second line")
            self._logger.log(self.trt.ILogger.Severity.VERBOSE, "chatter")
            return None
        level = getattr(config, "hardware_compatibility_level", None)
        asked = {**config._asked, "network": network._flags, "level": None if level is None else level.name}
        return MARK + json.dumps(asked).encode()


class Runtime(Limited):
    engine_host_code_allowed = False

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def deserialize_cuda_engine(self, data: bytes) -> Any:
        if self.fail == "deserialize" or not data.startswith(MARK):
            self._logger.log(self.trt.ILogger.Severity.INTERNAL_ERROR, "magic tag does not match")
            return None
        return SimpleNamespace(data=data, host_code_allowed=self.engine_host_code_allowed)


CLASSES = (
    ILogger,
    IProgressMonitor,
    ITensor,
    INetworkDefinition,
    OnnxParser,
    ITimingCache,
    IBuilderConfig,
    Builder,
    Runtime,
)
ENUMS = ("NetworkDefinitionCreationFlag", "BuilderFlag", "MemoryPoolType", "DataType", "HardwareCompatibilityLevel")


def stand_in(release: str, *, fail: str = "") -> Any:
    """A module in the likeness of TensorRT `release`.

    Args:
        release: one of the table's.
        fail: the step that fails: ``parse``, ``build`` or ``deserialize``.
    """
    trt = ModuleType("tensorrt")
    trt.__version__ = f"{release}.0"
    known = names("tensorrt", release)

    def members(owner: str) -> Any:
        return enum.IntEnum(owner, sorted(names(owner, release) - {"name", "value"}), start=0)

    for kind in CLASSES:
        own = {name for name in vars(kind) if not name.startswith("_")}
        assert own <= names(kind.__name__, release), f"the stand-in knows more than TensorRT {release}: {own}"
        if kind.__name__ in known:
            setattr(trt, kind.__name__, type(kind.__name__, (kind,), {"trt": trt, "release": release, "fail": fail}))
    for owner in ENUMS:
        if owner in known:
            setattr(trt, owner, members(owner))
    trt.ILogger.Severity = members("Severity")
    return trt
