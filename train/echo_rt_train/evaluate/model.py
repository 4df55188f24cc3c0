"""The model that is measured, as an engine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from echo_rt.engine import Engine, open_engine
from echo_rt_network.run_folder import names_weights, weights_in


@contextmanager
def open_model(model: str, device: str = "auto", quality: Mapping[str, float] | None = None) -> Iterator[Engine]:
    """An engine for a shipped model, an .onnx file, or weights, which are exported first, so that what is measured is
    what would run.

    Raises:
        ModelError, DeviceError, DataError: see `open_engine` and `load_weights`.
    """
    if not names_weights(model):
        with open_engine(model, device) as engine:
            yield engine
        return
    from echo_rt_network.onnx_file import write_onnx
    from echo_rt_network.weights import load_weights

    with tempfile.TemporaryDirectory(prefix="echo-rt-") as folder:
        target = Path(folder) / "model.onnx"
        network, spec = load_weights(weights_in(model))
        tuning = replace(spec.tuning, quality={**spec.tuning.quality, **(quality or {})})
        write_onnx(network, replace(spec, tuning=tuning), target)
        with open_engine(target, device) as engine:
            yield engine
