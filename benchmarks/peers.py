"""echo-rt beside what its users would pick instead: one process, the same frames, in turns.

    python benchmarks/peers.py                       # needs pip install '.[train,openvino]'
    python benchmarks/peers.py --json benchmarks/results/peers-NAME.json

Every candidate takes a grey frame of 600x800 and gives labels at the image's size. A `whole reading` also measures the
ventricle, judges the quality and finds the beats. The published recipes are rebuilt from their papers at their own
sizes, with random weights: their speed is measured, not what they find.

- `plain loop`: lv-edge in FP32 by OpenCV, NumPy and ONNX Runtime (benchmarks/engines.py).
- `torch`, `torch.compile`: lv-edge in FP32, the same steps around it.
- `U-Net 64, 224x224`: U-Net of 64 to 1,024 channels (Ronneberger et al., MICCAI 2015), as EchoMotion uses it.
- `DeepLabV3-ResNet50, 112x112`: Chen et al., arXiv 1706.05587, in torchvision's form, as EchoNet-Dynamic segments with
  (Ouyang et al., Nature 580:252-256, 2020).
- `U-Net, two down-steps, 224x224`: as the wall-motion model of the HMC-QU authors has it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))
from engines import at_image_size, frames, letterboxed, medians, plain_loop

from echo_rt.bench.machine import describe
from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import open_engine
from echo_rt.engine.host import default_threads
from echo_rt.errors import MissingExtraError
from echo_rt.frame import Frame
from echo_rt.model import ModelSpec, model_path, models_dir, read_spec
from echo_rt_network.unet import UNet
from echo_rt_network.weights import load_weights


class Bottleneck(nn.Module):
    """Of ResNet-50 (He et al., CVPR 2016), its 3x3 convolution dilated where the stride is replaced."""

    def __init__(self, channels_in: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        out = 4 * width

        def conv(a: int, b: int, side: int, step: int = 1, wide: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(a, b, side, step, wide * (side // 2), wide, bias=False), nn.BatchNorm2d(b)]

        self.body = nn.Sequential(
            *conv(channels_in, width, 1),
            nn.ReLU(),
            *conv(width, width, 3, stride, dilation),
            nn.ReLU(),
            *conv(width, out, 1),
        )
        self.short = (
            nn.Sequential(*conv(channels_in, out, 1, stride)) if stride != 1 or channels_in != out else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


class DeepLabV3(nn.Module):
    """DeepLabV3 on ResNet-50, output stride 8, as torchvision builds it: 39.6 M parameters with one output channel."""

    def __init__(self, channels: int = 3, classes: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(channels, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        wide = 64
        # Blocks, width, stride of the first, dilation of the first and of the others: strides of the last two stages
        # became dilations.
        for blocks, width, stride, first, rest in (
            (3, 64, 1, 1, 1),
            (4, 128, 2, 1, 1),
            (6, 256, 1, 1, 2),
            (3, 512, 1, 2, 4),
        ):
            for block in range(blocks):
                layers.append(Bottleneck(wide, width, stride if block == 0 else 1, first if block == 0 else rest))
                wide = 4 * width
        self.backbone = nn.Sequential(*layers)

        def branch(side: int, dilation: int) -> nn.Sequential:
            padding = 0 if side == 1 else dilation
            return nn.Sequential(
                nn.Conv2d(wide, 256, side, 1, padding, dilation, bias=False), nn.BatchNorm2d(256), nn.ReLU()
            )

        self.branches = nn.ModuleList([branch(1, 1), *(branch(3, rate) for rate in (12, 24, 36))])
        self.pooled = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(wide, 256, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU()
        )
        self.head = nn.Sequential(
            nn.Conv2d(5 * 256, 256, 1, bias=False), nn.BatchNorm2d(256), nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1, bias=False), nn.BatchNorm2d(256), nn.ReLU(), nn.Conv2d(256, classes, 1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        x = self.backbone(image)
        pooled = self.pooled(x).expand(-1, -1, *x.shape[2:])
        x = self.head(torch.cat([*(branch(x) for branch in self.branches), pooled], dim=1))
        return nn.functional.interpolate(x, image.shape[2:], mode="bilinear", align_corners=False)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def segmenter(
    network: Callable[[Tensor], Tensor], spec: ModelSpec, channels: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Image in, labels at its size out, by OpenCV, NumPy and torch."""

    @torch.inference_mode()
    def run(image: np.ndarray) -> np.ndarray:
        grid, place = letterboxed(image, spec)
        tensor = (
            torch.from_numpy((grid - spec.input.mean) / spec.input.std)
            .float()[None, None]
            .expand(1, channels, spec.input.height, spec.input.width)
        )
        return at_image_size(network(tensor)[0].numpy(), place, image.shape)

    return run


def candidates(
    images: list[np.ndarray], opened: ExitStack, compiled: bool, threads: int
) -> tuple[dict[str, Callable[[int], Any]], dict[str, Any]]:
    """Each takes the number of the round; and what is worth knowing of the networks."""
    found: dict[str, Callable[[int], Any]] = {}
    spacing = (0.25, 0.25)

    def ours(device: str) -> Callable[[int], Any]:
        engine = opened.enter_context(open_engine("lv-edge", device))
        monitor = Monitor(engine.spec)

        def run(k: int) -> Any:
            segmentation = engine.segment(images[k % 16])
            run.t_s += 0.02  # type: ignore[attr-defined]
            monitor.update(segmentation, Frame(images[k % 16], run.t_s, k, spacing))  # type: ignore[attr-defined]
            return segmentation.mask()

        run.t_s = 0.0  # type: ignore[attr-defined]
        return run

    engine = opened.enter_context(open_engine("lv-edge", "cpu"))
    found["echo-rt cpu"] = lambda k: engine.segment(images[k % 16]).mask()
    found["echo-rt cpu, whole reading"] = ours("cpu")
    with suppress(MissingExtraError):
        found["echo-rt openvino, whole reading"] = ours("openvino")
    path = model_path("lv-edge.fp32")
    loop = plain_loop(str(path), read_spec(path), threads)
    found["plain loop"] = lambda k: loop(images[k % 16])
    edge, spec = load_weights(models_dir() / "lv-edge.safetensors")
    edge = edge.eval().to(memory_format=torch.channels_last)

    def square(side: int) -> ModelSpec:
        return replace(spec, input=replace(spec.input, height=side, width=side))

    nets: dict[str, tuple[nn.Module | Callable[[Tensor], Tensor], ModelSpec, int]] = {
        "torch": (lambda x: edge(x).logits, spec, 1)
    }
    if compiled:
        quick = torch.compile(edge)
        nets["torch.compile"] = (lambda x: quick(x).logits, spec, 1)
    motion, wall = UNet((64, 128, 256, 512, 1024), 2).eval(), UNet((64, 128, 256), 2).eval()
    echonet = DeepLabV3().eval()
    nets["U-Net 64, 224x224 (random weights)"] = (lambda x: motion(x).logits, square(224), 1)
    nets["DeepLabV3-ResNet50, 112x112 (random weights)"] = (echonet, square(112), 3)
    nets["U-Net, two down-steps, 224x224 (random weights)"] = (lambda x: wall(x).logits, square(224), 1)
    for name, (network, grid, channels) in nets.items():
        run = segmenter(network, grid, channels)  # type: ignore[arg-type]
        found[name] = lambda k, run=run: run(images[k % 16])
    return found, {
        "deeplab_parameters": parameters(echonet),
        "unet64_parameters": parameters(motion),
        "unet_two_parameters": parameters(wall),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--no-compile", action="store_true", help="leave torch.compile out; it needs a C++ compiler and a minute"
    )
    parser.add_argument(
        "--threads", type=int, default=default_threads(), help="of the others; echo-rt has its own choice"
    )
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with ExitStack() as opened:
        runs, about = candidates(frames(600, 800), opened, not given.no_compile, given.threads)
        found = medians(runs, given.rounds)
    ours = found["echo-rt cpu"]
    print(f"the others with {given.threads} thread(s), echo-rt with {default_threads()}\n")
    print("| candidate | ms a frame, median | times as long |\n|---|---|---|")
    for name, ms in found.items():
        print(f"| {name} | {ms:.2f} | {ms / ours:.1f} |")
    result = {
        "machine": describe(),
        "threads": given.threads,
        "own_threads": default_threads(),
        "rounds": given.rounds,
        "ms": found,
        **about,
    }
    assert abs(result["deeplab_parameters"] - 39.63e6) < 1e4, "not the published network"
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
