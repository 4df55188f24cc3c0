"""The training loop: deterministic from its seed, and it survives a kill at any moment."""

from __future__ import annotations

import csv
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from rich.progress import track
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from echo_rt.errors import DataError
from echo_rt.model import CLASSES, METADATA_KEY, ModelSpec
from echo_rt_train import losses
from echo_rt_train.augment import Augment
from echo_rt_train.data import Sample, on_grid, read_index, select
from echo_rt_train.unet import UNet


class GridImages(Dataset[tuple[Tensor, Tensor]]):
    """All samples in memory at twice the network's grid, changed anew in every epoch.

    The changes of a sample depend on (seed, epoch, index) alone, not on the order of loading or the number of workers.
    """

    def __init__(self, samples: list[Sample], grid: int, augment: Augment, seed: int) -> None:
        pairs = [on_grid(sample, 2 * grid) for sample in track(samples, "reading images", transient=True)]
        self.images: NDArray[np.uint8] = np.stack([image for image, _ in pairs])
        self.covered: NDArray[np.uint8] = np.stack([covered for _, covered in pairs])
        self.augment, self.seed, self.epoch = augment, seed, 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        grey, covered = self.augment(self.images[index], self.covered[index], rng)
        return torch.from_numpy(grey)[None], torch.from_numpy(covered)


def choose_precision(precision: str, device: str) -> torch.dtype:
    """bf16, fp32, or for ``auto`` bf16 where the processor multiplies in it."""
    if precision == "auto":
        native = torch.cuda.is_bf16_supported() if device == "cuda" else torch.cpu._is_avx512_bf16_supported()
        precision = "bf16" if native else "fp32"
    try:
        return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    except KeyError:
        raise DataError(f"expected precision auto, bf16 or fp32, found {precision!r}") from None


def learning_rate(step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then half a cosine to zero; as a factor."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def train(config: DictConfig) -> Path:
    """Run one experiment (conf/train.yaml) and write ``weights.safetensors`` with its `ModelSpec` inside.

    Returns:
        The weights' path.

    Raises:
        DataError: the data folder or a setting is not as it should be; said before the first epoch.
    """
    out = Path(config.out)
    samples = select(read_index(Path(config.data.root)), "train", list(config.data.views))
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = choose_precision(config.precision, device)
    images = GridImages(samples, config.model.grid, Augment(**config.augment), config.seed)
    mean, std = float(images.images.mean()), float(images.images.std())

    network = UNet(config.model.width, config.model.depth, len(CLASSES)).to(device, memory_format=torch.channels_last)
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema_decay), use_buffers=True
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay)
    batches = len(images) // config.batch
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(step, batches * config.epochs, batches * config.warmup_epochs)
    )
    parts: dict[str, Any] = {"network": network, "averaged": averaged, "optimizer": optimizer, "schedule": schedule}

    out.mkdir(parents=True, exist_ok=True)
    checkpoint, first = out / "checkpoint.pt", 0
    if config.resume and checkpoint.is_file():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(saved[name])
        first = saved["epoch"]
    OmegaConf.save(config, out / "config.yaml", resolve=True)
    for epoch in range(first, config.epochs):
        row = _epoch(epoch, config, images, network, averaged, optimizer, schedule, (mean, std), device, dtype)
        _log(out / "log.csv", row, fresh=epoch == 0)
        _atomic_save({"epoch": epoch + 1, **{name: part.state_dict() for name, part in parts.items()}}, checkpoint)
        print(" ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)

    spec = ModelSpec(
        name=config.name, version=str(config.version), width=config.model.grid, height=config.model.grid, mean=mean, std=std,
        views=tuple(config.card.views), training_data=config.card.training_data, licence=config.card.licence,
        citation=config.card.citation,
    )  # fmt: skip
    return save_weights(averaged.module, spec, OmegaConf.to_container(config.model), out / "weights.safetensors")


def _epoch(
    epoch: int, config: DictConfig, images: GridImages, network: nn.Module, averaged: torch.optim.swa_utils.AveragedModel,
    optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LambdaLR, normal: tuple[float, float], device: str,
    dtype: torch.dtype,
) -> dict[str, float]:  # fmt: skip
    start = time.monotonic()
    images.epoch = epoch
    order = torch.Generator().manual_seed(config.seed * 100_003 + epoch)
    loader = DataLoader(images, batch_size=config.batch, shuffle=True, drop_last=True, generator=order)
    network.train()
    total = 0.0
    for grey, covered in track(loader, f"epoch {epoch + 1}/{config.epochs}", transient=True):
        x = ((grey - normal[0]) / normal[1]).to(device, memory_format=torch.channels_last)
        target = losses.soft_targets(covered.to(device))
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            logits = network(x)
        logits = logits.float()
        loss = config.loss.cross_entropy * losses.cross_entropy(logits, target) + config.loss.dice * losses.dice(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        averaged.update_parameters(network)
        total += loss.item()
    return {"epoch": epoch + 1, "loss": total / len(loader), "seconds": time.monotonic() - start}


def save_weights(network: nn.Module, spec: ModelSpec, architecture: Any, path: Path) -> Path:
    """Weights, architecture and contract in one safetensors file, written whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    part = path.with_suffix(".part")
    # One entry: several are stored in random order, and the same weights should be the same bytes.
    save_file(state, part, metadata={METADATA_KEY: json.dumps({"spec": spec.to_json(), "architecture": architecture})})
    os.replace(part, path)
    return path


def load_weights(path: Path) -> tuple[UNet, ModelSpec]:
    """What `save_weights` wrote.

    Raises:
        DataError: the file is not there or not one of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a dict)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: expected weights of echo-rt (safetensors), found none: {error}") from None
    if METADATA_KEY not in metadata:
        raise DataError(f"{path}: expected weights that `echo-rt train` wrote, found another safetensors file")
    stored_as = json.loads(metadata[METADATA_KEY])
    spec, architecture = ModelSpec.from_json(stored_as["spec"], str(path)), stored_as["architecture"]
    network = UNet(architecture["width"], architecture["depth"], len(spec.classes))
    network.load_state_dict(state)
    return network.eval(), spec


def _log(path: Path, row: dict[str, float], fresh: bool) -> None:
    with path.open("w" if fresh else "a", newline="") as stream:
        writer = csv.DictWriter(stream, row.keys())
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def _atomic_save(state: dict[str, Any], path: Path) -> None:
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)
