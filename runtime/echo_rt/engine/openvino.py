"""The ``openvino`` engine: Intel's OpenVINO on the processor, an optional extra."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.arrays import Field
from echo_rt.engine.host import NETWORK_MB, HostEngine, Tensors, default_threads
from echo_rt.engine.in_time import in_time
from echo_rt.engine.signature import check_signature
from echo_rt.errors import MissingExtraError, ModelError, first_line
from echo_rt.model import ModelSpec

LOAD_S = 60.0
"""How long it may compile a network."""


def probe() -> str:
    """See `echo_rt.engine.probe`."""
    ov, version = _openvino()
    return f"OpenVINO {version}, {ov.Core().get_property('CPU', 'FULL_DEVICE_NAME')}"


class OpenVinoEngine(HostEngine):
    """An `echo_rt.engine.Engine` on OpenVINO's plug-in for processors: static shapes, one stream, set for latency.

    An FP32 file runs in BF16 where the processor multiplies in it: that passes the gate of `echo-rt export check`.
    The FP32 parts of an INT8 file stay FP32: in BF16 they would not pass. 0 `threads` are
    `default_threads`.

    Raises:
        MissingExtraError: OpenVINO is not installed.
        ModelError: OpenVINO cannot load the file, or it contradicts its spec.
    """

    device = "openvino"

    def __init__(self, path: str, spec: ModelSpec, threads: int = 0) -> None:
        ov, version = _openvino()
        core = ov.Core()
        bf16 = spec.precision == "fp32" and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "INFERENCE_NUM_THREADS": threads or default_threads(),
        }
        try:
            compiled = in_time(LOAD_S, lambda: core.compile_model(_held(core, path), "CPU", settings))
        except ModelError:
            raise
        except TimeoutError:
            raise ModelError(f"{path}: expected to be loaded in {LOAD_S:g} s, found that it takes longer") from None
        except Exception as error:  # noqa: BLE001 - OpenVINO's errors have no public base class
            last = str(error).strip().splitlines()[-1].strip()
            raise ModelError(f"{path}: OpenVINO cannot load it ({last}); export the model again") from None
        known = {"image", "logits", *spec.heads, *spec.state, *(f"{name}_next" for name in spec.state)}
        inputs, outputs = (_shapes(ports, known) for ports in (compiled.inputs, compiled.outputs))
        check_signature(path, spec, inputs, outputs)
        super().__init__(spec, {**inputs, **outputs})
        how = ", BF16" if bf16 else ""
        self.description = f"{Path(path).name} on OpenVINO {version} (openvino, {spec.precision}{how})"
        self._tensor = ov.Tensor
        self._request: Any = compiled.create_infer_request()
        for name, array in {"image": self._image, **self._out}.items():
            self._set(name, array)

    def _set(self, name: str, array: Field) -> None:
        self._request.set_tensor(name, self._tensor(array, shared_memory=True))

    def _infer(self, before: Tensors) -> Tensors:
        after: Tensors = {name: np.empty_like(tensor) for name, tensor in before.items()}
        for name, tensor in before.items():
            self._set(name, tensor)
            self._set(f"{name}_next", after[name])
        try:
            self._request.infer()
        except Exception as error:  # noqa: BLE001 - OpenVINO's errors have no public base class
            found = f"expected OpenVINO to run a frame, found {first_line(error)}"
            raise ModelError(f"device openvino: {found}; export the model again") from None
        return after

    def _free(self) -> None:
        self._request = None


def _held(core: Any, path: str) -> Any:
    """The network of a file, before anything is computed of it. OpenVINO has no ceiling of memory.

    Raises:
        ModelError: its tensors come to more than `NETWORK_MB`, or nobody knows to how much.
    """
    network = core.read_model(path)
    tensors = [port for operator in network.get_ops() for port in operator.outputs()]
    if not all(port.get_partial_shape().is_static for port in tensors):
        raise ModelError(f"{path}: expected tensors of fixed sizes, found others; export the model again")
    size = sum(port.get_element_type().size * prod(port.get_shape()) for port in tensors)
    if size > NETWORK_MB << 20:
        most = f"expected tensors of at most {NETWORK_MB} MB together"
        raise ModelError(f"{path}: {most}, found {size >> 20:,} MB; export the model again")
    return network


def _shapes(ports: Any, known: set[str]) -> dict[str, list[int]]:
    # A tensor may have several names where OpenVINO has taken a Cast away.
    return {min(port.names & known, default=port.any_name): list(port.shape) for port in ports}


def _openvino() -> tuple[Any, str]:
    """The module, and its release."""
    try:
        import openvino
    except ImportError:
        raise MissingExtraError("device openvino", "openvino") from None
    return openvino, str(openvino.__version__).split("-")[0]
