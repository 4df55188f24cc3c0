"""The one place where the engines import ONNX Runtime: its version, its telemetry, and how a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def open_session(
    path: str, spec: ModelSpec, options: Any, provider: tuple[str, Mapping[str, Any]], where: str = ""
) -> tuple[Any, dict[str, list[int]]]:
    """The ``onnxruntime.InferenceSession`` of a model file, and the shape of every input and output by its name.

    `options` are an ``onnxruntime.SessionOptions``, `where` is for the message, such as `` on NVIDIA T4``.

    Raises:
        ModelError: ONNX Runtime cannot load it, or the network contradicts its spec.
    """
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's errors have no public base class
        found = f"ONNX Runtime cannot load it{where} ({first_line(error)})"
        raise ModelError(f"{path}: {found}; export the model again") from None
    inputs = {node.name: list(node.shape) for node in session.get_inputs()}
    outputs = {node.name: list(node.shape) for node in session.get_outputs()}
    check_signature(path, spec, inputs, outputs)
    return session, {**inputs, **outputs}
