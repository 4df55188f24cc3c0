"""A network to one self-contained FP32 ONNX file that carries its `ModelSpec`."""

from __future__ import annotations

import io
import warnings
from copy import deepcopy
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from echo_rt.model import ModelSpec
from echo_rt_network.model_file import write_model
from echo_rt_network.operators import OPSET
from echo_rt_network.unet import UNet


def write_onnx(network: UNet, spec: ModelSpec, target: Path) -> None:
    """Write the network with its contract, batch norm folded into the convolutions, whole or not at all.

    Args:
        network: in evaluation mode; it is left as it is.
        spec: its contract.
        target: the ONNX file.

    Raises:
        ModelError: see `check_model`.
        OutputError: the file could not be written.
    """
    folded = deepcopy(network)
    fold_batch_norm(folded)
    example = torch.zeros(1, 1, spec.height, spec.width)
    with torch.no_grad():
        state = list(folded(example).state.values())
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # torch advises its newer exporter, which starts at opset 18: TensorRT 8, as on JetPack 5, does not read that.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            Flat(folded),
            (example, *map(torch.zeros_like, state)),
            buffer,  # type: ignore[arg-type]  # torch's types leave it out
            opset_version=OPSET,
            dynamo=False,
            input_names=["image", *spec.state],
            output_names=["logits", *spec.heads, *(f"{name}_next" for name in spec.state)],
        )
    write_model(onnx.load_from_string(buffer.getvalue()), spec, target)


class Flat(nn.Module):
    """A network whose inputs and outputs are tensors in the order in which a `ModelSpec` names them: image and state
    in; logits, heads and state out."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """See `echo_rt_network.unet.UNet.forward`."""
        output = self.network(image, dict(zip(self.network.state_names, state, strict=True)))
        return output.logits, *output.heads.values(), *output.state.values()


def fold_batch_norm(network: nn.Module) -> None:
    """Put every batch norm that follows a convolution into that convolution, in place."""
    for parent in network.modules():
        if not isinstance(parent, nn.Sequential):
            continue
        for i in range(len(parent) - 1):
            conv, norm = parent[i], parent[i + 1]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                parent[i], parent[i + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
