"""A stand-in for TensorRT and for the CUDA driver, for machines without a GPU. Nothing here computes anything.

`stand_in(release)` has the classes that echo-rt uses, each with the names that this release has
(tests/tensorrt_names.py) and no others, so that code which uses a name of another release fails here as it would there.
Its "engine" is a line of text that says how it was asked to build.
"""

from __future__ import annotations

import enum
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import onnx

from support.tensorrt_names import names

MARK = b"STAND-IN ENGINE "
"""What the bytes of a stand-in engine begin with."""


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


def stand_in(release: str, *, fail: str = "") -> Any:
    """A module in the likeness of TensorRT `release`.

    Args:
        release: one of the table's.
        fail: the step that fails: ``parse``, ``build`` or ``deserialize``.
    """
    trt = ModuleType("tensorrt")

    class Limited:
        """Takes no attribute that the real class does not have."""

        def __setattr__(self, name: str, given: Any) -> None:
            if not name.startswith("_") and name not in names(type(self).__name__, release):
                raise AttributeError(f"{type(self).__name__} of TensorRT {release} has no {name}")
            object.__setattr__(self, name, given)

    def members(owner: str) -> Any:
        return enum.IntEnum(owner, sorted(names(owner, release) - {"name", "value"}), start=0)

    class ILogger(Limited):
        Severity = members("Severity")

    class IProgressMonitor(Limited):
        pass

    class ITensor(Limited):
        def __init__(self, value: Any) -> None:
            self.name = value.name
            self.shape = tuple(d.dim_value or -1 for d in value.type.tensor_type.shape.dim)
            self.dtype = trt.DataType[
                "HALF" if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16 else "FLOAT"
            ]

    class INetworkDefinition(Limited):
        def __init__(self, flags: int) -> None:
            self._flags, self._graph = flags, onnx.GraphProto()

        num_inputs = property(lambda self: len(self._graph.input))
        num_outputs = property(lambda self: len(self._graph.output))

        def get_input(self, index: int) -> Any:
            return ITensor(self._graph.input[index])

        def get_output(self, index: int) -> Any:
            return ITensor(self._graph.output[index])

    class OnnxParser(Limited):
        def __init__(self, network: Any, logger: Any) -> None:
            self._network, self._logger, self._errors = network, logger, []

        num_errors = property(lambda self: len(self._errors))

        def parse(self, model: bytes, path: str) -> bool:
            assert not Path(path).parent.is_dir(), "weights beside the model would be read"
            if fail == "parse":
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
            return ITimingCache(data)

        def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
            if cache._data.startswith(b"other GPU") and not ignore_mismatch:
                return False
            self._asked["timings"] = cache._data.decode()
            return True

    class Builder(Limited):
        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def create_network(self, flags: int = 0) -> Any:
            return INetworkDefinition(flags)

        def create_builder_config(self) -> Any:
            return IBuilderConfig()

        def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
            monitor = getattr(config, "progress_monitor", None)
            if monitor is not None:
                monitor.phase_start("Building Engine", None, 2)
                if not all(monitor.step_complete("Building Engine", step) for step in range(2)):
                    return None
                monitor.phase_finish("Building Engine")
            if fail == "build":
                self._logger.log(ILogger.Severity.ERROR, "out of memory\nand a second line")
                self._logger.log(ILogger.Severity.VERBOSE, "chatter")
                return None
            level = getattr(config, "hardware_compatibility_level", None)
            asked = {**config._asked, "network": network._flags, "level": None if level is None else level.name}
            return MARK + json.dumps(asked).encode()

    class Runtime(Limited):
        engine_host_code_allowed = False

        def __init__(self, logger: Any) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, data: bytes) -> Any:
            if fail == "deserialize" or not data.startswith(MARK):
                self._logger.log(ILogger.Severity.INTERNAL_ERROR, "magic tag does not match")
                return None
            return SimpleNamespace(data=data, host_code_allowed=self.engine_host_code_allowed)

    made = [ILogger, IProgressMonitor, OnnxParser, ITimingCache, Builder, Runtime]
    made += [members(owner) for owner in ("NetworkDefinitionCreationFlag", "BuilderFlag", "MemoryPoolType", "DataType")]
    made += [members("HardwareCompatibilityLevel")]
    for entry in made:
        if entry.__name__ in names("tensorrt", release):
            setattr(trt, entry.__name__, entry)
    trt.__version__ = f"{release}.0"
    for entry in (INetworkDefinition, ITensor, IBuilderConfig, OnnxParser, ITimingCache, Builder, Runtime):
        own = {name for name in vars(entry) if not name.startswith("_")}
        assert own <= names(entry.__name__, release), f"the stand-in knows more than TensorRT {release}: {own}"
    return trt
