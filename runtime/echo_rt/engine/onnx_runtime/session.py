"""The one place where the engines import ONNX Runtime: its version, its telemetry, and how a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from echo_rt.engine.host import NETWORK_MB
from echo_rt.engine.in_time import in_time
from echo_rt.engine.signature import check_signature
from echo_rt.errors import DeviceError, ModelError, first_line
from echo_rt.model import ModelSpec

try:
    import onnxruntime as ort
except ImportError as error:  # pragma: no cover - a broken installation
    raise DeviceError(f"device cpu: ONNX Runtime cannot be loaded ({error}); run  pip install onnxruntime") from None

__all__ = ["VERSION", "open_session", "ort"]

# On Windows it writes to the system's event log, which the variable of `echo_rt.telemetry` does not reach.
if hasattr(ort, "disable_telemetry_events"):
    ort.disable_telemetry_events()

VERSION = f"ONNX Runtime {ort.__version__}"

LOAD_S = {"CPUExecutionProvider": 15.0, "TensorrtExecutionProvider": 900.0}
OTHER_LOAD_S = 120.0
"""How long loading may take. A GPU's libraries may be read from a slow disk first, and TensorRT builds its engine."""

SILENT = 4
"""What the library would write to the terminal quotes the file as it is. We raise what it raises."""


@cache
def _limit_memory() -> None:
    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(place, ort.OrtArenaCfg({"max_mem": NETWORK_MB << 20}))


def open_session(
    path: str, spec: ModelSpec, options: Any, provider: tuple[str, Mapping[str, Any]], where: str = ""
) -> tuple[Any, dict[str, list[int]]]:
    """The ``onnxruntime.InferenceSession`` of a model file, and the shape of every input and output by its name.

    `options` are an ``onnxruntime.SessionOptions``, `where` is for the message, such as `` on NVIDIA T4``.

    Raises:
        ModelError: ONNX Runtime cannot load it, or the network contradicts its spec.
    """
    options.log_severity_level = SILENT
    if provider[0] == "CPUExecutionProvider":
        _limit_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
    seconds = LOAD_S.get(provider[0], OTHER_LOAD_S)
    try:
        session = in_time(seconds, lambda: ort.InferenceSession(path, options, providers=[provider]))
    except TimeoutError:
        raise ModelError(f"{path}: expected to be loaded in {seconds:g} s, found that it takes longer") from None
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no public base class
        found = f"ONNX Runtime cannot load it{where} ({first_line(error)})"
        raise ModelError(f"{path}: {found}; export the model again") from None
    inputs = {node.name: list(node.shape) for node in session.get_inputs()}
    outputs = {node.name: list(node.shape) for node in session.get_outputs()}
    check_signature(path, spec, inputs, outputs)
    return session, {**inputs, **outputs}
