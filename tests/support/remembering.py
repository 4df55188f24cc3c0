"""A small network with a memory, its weights drawn: no shipped model has one."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from pathlib import Path

from echo_rt.model import ModelInput, ModelSpec

HEADS = ("view", "confidence")


@lru_cache(maxsize=1)
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Kept until the tests end."""
    return tempfile.TemporaryDirectory(prefix="echo-rt-test-")


@lru_cache(maxsize=1)
def temporal_model() -> Path:
    """The FP32 ONNX file. ECHO_RT_TEMPORAL_MODEL names it where there is no torch to make it: see `make test-arm64`."""
    if ready := os.environ.get("ECHO_RT_TEMPORAL_MODEL"):
        return Path(ready)
    import torch

    from echo_rt_network.onnx_file import write_onnx
    from echo_rt_network.unet import UNet

    torch.manual_seed(3)
    network = UNet((8, 16), heads=HEADS, memory=(4, 8))
    for name, parameter in network.memory.named_parameters():
        if ".out." in name:  # what a memory adds starts at nothing
            torch.nn.init.normal_(parameter, std=0.5)
    spec = ModelSpec("remembering", "1", ModelInput(64, 48, 40.0, 50.0), heads=HEADS, state=network.state_names)
    path = Path(_folder().name) / "remembering.fp32.onnx"
    write_onnx(network.eval(), spec, path)
    return path
