"""The training loop: deterministic from its seed, and it survives a kill at any moment."""

from __future__ import annotations

import csv
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.progress import track
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from echo_rt.errors import DataError, ParameterError
from echo_rt.model import CLASSES, ModelSpec
from echo_rt_train import losses
from echo_rt_train.augment import Augment
from echo_rt_train.data import DataReport, open_data
from echo_rt_train.images import GridImages
from echo_rt_train.weights import build_network, load_weights, save_weights

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}


def choose_precision(precision: str, device: str) -> torch.dtype:
    """bf16, fp32, or for ``auto`` bf16 where the processor multiplies in it."""
    if precision == "auto":
        native = torch.cuda.is_bf16_supported() if device == "cuda" else torch.cpu._is_avx512_bf16_supported()
        precision = "bf16" if native else "fp32"
    try:
        return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    except KeyError:
        raise ParameterError(f"expected precision auto, bf16 or fp32, found {precision!r}") from None


def learning_rate(step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then half a cosine to zero; as a factor."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


@dataclass
class Training:
    """All that changes while a network is trained, and its place on the disk.

    Attributes:
        network, averaged, optimizer, schedule: as torch has them; `averaged` is the exponential moving average that is kept in the end.
        epoch: epochs done.
    """

    network: nn.Module
    averaged: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    epoch: int = 0

    @classmethod
    def start(cls, config: DictConfig, batches: int, device: str) -> Training:
        """A new network, its weights drawn from the seed, or those of ``init``."""
        torch.manual_seed(config.seed)
        network = build_network(config.model, len(CLASSES))
        if config.init:
            begun, _ = load_weights(Path(config.init))
            try:
                network.load_state_dict(begun.state_dict())
            except RuntimeError:
                raise ParameterError(
                    f"init: expected weights of model.widths={list(config.model.widths)}, found others in {config.init}"
                ) from None
        network = network.to(device, memory_format=torch.channels_last)
        averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True)
        if config.optimizer not in OPTIMIZERS:
            raise ParameterError(f"expected an optimizer of {', '.join(OPTIMIZERS)}, found {config.optimizer!r}")
        settings: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
        optimizer = OPTIMIZERS[config.optimizer](network.parameters(), **settings)
        total, warmup = batches * config.epochs, batches * config.warmup_epochs
        return cls(
            network, averaged, optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(step, total, warmup))
        )

    def save(self, path: Path) -> None:
        """Whole or not at all, so that a kill at any moment leaves the checkpoint before."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "averaged", "optimizer", "schedule")}
        part = path.with_suffix(".part")
        torch.save({"epoch": self.epoch, **parts}, part)
        os.replace(part, path)

    def load(self, path: Path, device: str) -> None:
        """Go on from a checkpoint of the same configuration."""
        saved = torch.load(path, map_location=device, weights_only=True)
        for name in ("network", "averaged", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(saved[name])
        self.epoch = saved["epoch"]


def train(config: DictConfig) -> Path:
    """Run one experiment (conf/train.yaml) and write ``weights.safetensors`` with its `ModelSpec` inside.

    Returns:
        The weights' path.

    Raises:
        DataError, ParameterError: the data or a setting is not as it should be; said before the first epoch.
    """
    out = Path(config.out)
    loss = losses.build(config.loss, config.focal_tversky)
    if config.threads:
        torch.set_num_threads(config.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = choose_precision(config.precision, device)
    images, report = read_images(config)
    training = Training.start(config, len(images) // config.batch, device)
    out.mkdir(parents=True, exist_ok=True)
    if config.resume and (out / "checkpoint.pt").is_file():
        training.load(out / "checkpoint.pt", device)
    OmegaConf.save(config, out / "config.yaml", resolve=True)
    (out / "data_report.json").write_text(json.dumps(report.to_dict(), indent=2))
    while training.epoch < config.epochs:
        row = run_epoch(training, config, images, loss, device, dtype)
        _log(out / "log.csv", row, fresh=row["epoch"] == 1)
        training.save(out / "checkpoint.pt")
        print(" ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
    spec = ModelSpec(
        name=config.name, version=str(config.version), width=config.model.grid, height=config.model.grid,
        mean=images.mean, std=images.std, views=tuple(config.card.views), training_data=config.card.training_data,
        licence=config.card.licence, citation=config.card.citation,
    )  # fmt: skip
    architecture: Any = OmegaConf.to_container(config.model)
    return save_weights(training.averaged.module, spec, architecture, out / "weights.safetensors")


def read_images(config: DictConfig) -> tuple[GridImages, DataReport]:
    """The images of the data set, and the simulated ones that ``mix`` adds; printed is what had to be left out.

    Raises:
        DataError: the data set is not as it should be, or too small for one batch.
    """
    data = open_data(config.data)
    drawn: Any = []
    if config.mix.phantoms:
        settings = {"seed": config.seed, "samples": config.mix.phantoms}
        drawn = open_data({"format": "phantom", "phantom": settings}).samples("train")
    images = GridImages(
        data.samples("train"), drawn, config.mix.share, config.model.grid, Augment(**config.augment), config.seed, data.report
    )
    if len(images) < config.batch:
        raise DataError(f"{data.report.origin}: expected at least one batch of {config.batch} images, found {len(images)}; set batch=...")
    print(data.report, flush=True)
    return images, data.report


def run_epoch(
    training: Training, config: DictConfig, images: GridImages, loss: losses.Loss, device: str, dtype: torch.dtype
) -> dict[str, float]:
    """One pass over the images; returns what the log keeps of it."""
    start = time.monotonic()
    images.epoch = training.epoch
    order = torch.Generator().manual_seed(config.seed * 100_003 + training.epoch)
    loader = DataLoader(images, batch_size=config.batch, shuffle=True, drop_last=True, generator=order)
    training.network.train()
    total = 0.0
    for grey, covered, known in track(loader, f"epoch {training.epoch + 1}/{config.epochs}", transient=True):
        x = ((grey - images.mean) / images.std).to(device, memory_format=torch.channels_last)
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            logits = training.network(x)
        value = loss(logits.float(), losses.soft_targets(covered.to(device)), known.to(device))
        training.optimizer.zero_grad()
        value.backward()
        training.optimizer.step()
        training.schedule.step()
        training.averaged.update_parameters(training.network)
        total += value.item()
    training.epoch += 1
    return {"epoch": training.epoch, "loss": total / len(loader), "seconds": time.monotonic() - start}


def _log(path: Path, row: dict[str, float], fresh: bool) -> None:
    with path.open("w" if fresh else "a", newline="") as stream:
        writer = csv.DictWriter(stream, row.keys())
        if fresh:
            writer.writeheader()
        writer.writerow(row)
