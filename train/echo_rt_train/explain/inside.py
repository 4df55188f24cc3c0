"""What a network has learned, looked at directly: the filters of its first layer and the feature maps of each level."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from echo_rt.errors import ParameterError

LEVEL = re.compile(r"(encoder|decoder)\.(\d+)")


def levels(network: nn.Module) -> dict[str, nn.Module]:
    """The blocks of a U-Net by name, in the order of the data: ``encoder.0`` down to the bottleneck, then the decoder
    from the bottom up to ``decoder.0``."""
    found = {name: module for name, module in network.named_modules() if LEVEL.fullmatch(name)}

    def position(name: str) -> tuple[bool, int]:
        side, level = name.split(".")
        return side == "decoder", -int(level) if side == "decoder" else int(level)

    return {name: found[name] for name in sorted(found, key=position)}


def bottleneck(network: nn.Module) -> str:
    """The name of the deepest encoder block.

    Raises:
        ParameterError: the network is not laid out as a U-Net of ours.
    """
    encoder = [name for name in levels(network) if name.startswith("encoder")]
    if not encoder:
        raise ParameterError(
            "expected a network with encoder.0, encoder.1, ..., found none of these; name a layer with --layer"
        )
    return encoder[-1]


def layer_of(network: nn.Module, name: str | None) -> tuple[str, nn.Module]:
    """The layer of that name, the bottleneck without one.

    Raises:
        ParameterError: there is none of that name.
    """
    name = name or bottleneck(network)
    modules = dict(network.named_modules())
    if name not in modules or not name:
        raise ParameterError(f"--layer: expected a layer such as {', '.join(levels(network))}, found {name!r}")
    return name, modules[name]


def first_filters(network: nn.Module) -> Tensor:
    """The filters of the first convolution, (filters, kernel height, kernel width), as they act on the normalised
    image.

    The batch norm that follows scales each filter by its own factor; it is multiplied in, or the sizes of the filters
    would not compare.

    Raises:
        ParameterError: the network does not begin with a convolution of one grey channel.
    """
    modules = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]
    first = modules[0] if modules else None
    if not isinstance(first, nn.Conv2d) or first.in_channels != 1:
        raise ParameterError(
            "expected a network that begins with a convolution of one grey channel, found another; give another run"
        )
    weight = first.weight.detach()[:, 0]
    norm = modules[1] if len(modules) > 1 else None
    if isinstance(norm, nn.BatchNorm2d) and norm.running_var is not None and norm.num_features == len(weight):
        gain = (norm.weight.detach() if norm.affine else 1.0) / torch.sqrt(norm.running_var + norm.eps)
        weight = weight * torch.as_tensor(gain)[:, None, None]
    return weight


def responses(filters: Tensor, image: Tensor) -> Tensor:
    """What each filter (filters, k, k) makes of an image (1, 1, h, w): (filters, h, w), before offset and ReLU."""
    with torch.no_grad():
        return nn.functional.conv2d(image, filters[:, None], padding=filters.shape[-1] // 2)[0]


def feature_maps(network: nn.Module, image: Tensor) -> Mapping[str, Tensor]:
    """The output (channels, h', w') of each of `levels` for one image (1, 1, h, w)."""
    maps: dict[str, Tensor] = {}

    def keeper(name: str):  # type: ignore[no-untyped-def]
        def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
            maps[name] = output[0].detach()

        return keep

    handles = [module.register_forward_hook(keeper(name)) for name, module in levels(network).items()]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    return maps


def strongest(maps: Tensor, count: int) -> list[int]:
    """The channels (of maps (channels, h, w)) that vary most over the image, the first the most: the others say little
    about it."""
    spread = maps.flatten(1).std(1)
    return [int(i) for i in torch.argsort(spread, descending=True)[:count]]
