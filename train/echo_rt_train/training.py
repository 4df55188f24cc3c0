"""All that changes while a network is trained, and its place on the disk."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from echo_rt.errors import DataError, ParameterError, first_line
from echo_rt.model import CLASSES
from echo_rt_network.unet import UNet
from echo_rt_network.weights import build_network, load_weights, weights_path
from echo_rt_train import losses
from echo_rt_train.borrow import borrow
from echo_rt_train.objective import Objective
from echo_rt_train.teacher import OnlookingTeacher

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}

ADDED = ("heads.", "memory.")
"""Parts that a network may have and the weights it starts from may lack."""


def learning_rate(step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then half a cosine to zero; as a factor."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def moving_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]:
    """An exponential moving average, as `AveragedModel` takes it, that is short at first: (1 + n) / (10 + n) after n
    steps, until it reaches `decay`.

    With the full decay from the start, a run of some thousand steps still holds a share of its first, random weights,
    and of the batch norm's statistics of that time: a network that was good while it learned is useless afterwards.
    """

    @torch.no_grad()
    def update(averaged: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor | int) -> None:
        now = min(decay, (1 + float(steps)) / (10 + float(steps)))
        for mean, new in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 - now)
            else:  # how many batches a batch norm has seen
                mean.copy_(new)

    return update


def open_fabric(precision: str) -> Fabric:
    """Lightning Fabric on the GPU where there is one, else on the processor; all the processes that ``torchrun``
    started take part.

    Args:
        precision: bf16, fp32, or auto: bf16 where the processor or GPU multiplies in it.

    Raises:
        ParameterError: there is no such precision.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        native = torch.cuda.is_bf16_supported() if device == "cuda" else torch.cpu._is_avx512_bf16_supported()
        precision = "bf16" if native else "fp32"
    if precision not in ("bf16", "fp32"):
        raise ParameterError(f"expected precision auto, bf16 or fp32, found {precision!r}")
    here, all_of_them = (int(os.environ.get(name, 1)) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    fabric = Fabric(
        accelerator=device,
        devices=here,
        num_nodes=all_of_them // here,
        strategy="ddp" if all_of_them > 1 else "auto",
        precision="bf16-mixed" if precision == "bf16" else "32-true",
    )
    fabric.launch()
    return fabric


@dataclass
class Training:
    """A network on its way.

    Attributes:
        network, averaged, optimizer, schedule: as torch has them; `averaged` is the exponential moving average that is
            kept in the end.
        objective: the network with its loss, as Fabric runs it.
        keeps_statistics: the batch norms use and keep those they began with.
        epoch: epochs done.
    """

    network: UNet
    averaged: AveragedModel
    objective: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    keeps_statistics: bool = False
    epoch: int = 0

    @classmethod
    def start(cls, config: DictConfig, batches: int, fabric: Fabric) -> Training:
        """A new network, its weights drawn from the seed, or those of ``init``.

        Raises:
            ParameterError: a setting is not as it should be.
        """
        torch.manual_seed(config.seed)
        network = build_network(config.model, len(CLASSES))
        network.head_gradient = config.head_gradient
        if config.borrow:
            borrow(network, load_weights(weights_path(config.borrow))[0])
        if config.init:
            _begin_with(network, config)
        elif config.keep_statistics or config.keep_init:
            raise ParameterError(
                "keep_statistics, keep_init: expected init=WEIGHTS, of which something is kept, found none; "
                "or leave them out"
            )
        learns = _choose(network, config.learn)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        network = fabric.to_device(network)
        averaged = AveragedModel(network, multi_avg_fn=moving_average(config.ema_decay), use_buffers=True)
        if config.optimizer not in OPTIMIZERS:
            raise ParameterError(f"expected an optimizer of {', '.join(OPTIMIZERS)}, found {config.optimizer!r}")
        settings: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
        optimizer = OPTIMIZERS[config.optimizer](learns, **settings)
        total, warmup = batches * config.epochs, batches * config.warmup_epochs
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(step, total, warmup))
        objective = Objective(
            network, losses.build(config.loss, config.focal_tversky), config.jitter, config.mirror, config.phase_bias,
            OnlookingTeacher.of(config.teacher),
        )  # fmt: skip
        wrapped, optimizer = fabric.setup(objective, optimizer)
        return cls(network, averaged, wrapped, optimizer, schedule, config.keep_statistics)

    @property
    def averaged_network(self) -> UNet:
        """The network that is kept in the end."""
        network = self.averaged.module
        assert isinstance(network, UNet)
        return network

    def keep(self, config: DictConfig) -> None:
        """Mix the weights of ``init`` into the averaged ones, by ``keep_init``.

        Source: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022, 7959-7971.
        """
        if config.keep_init:
            begun, kept = load_weights(weights_path(config.init))[0].state_dict(), self.averaged_network.state_dict()
            for name, value in kept.items():
                if name in begun and value.is_floating_point():
                    value.lerp_(begun[name].to(value), config.keep_init)

    def learn_mode(self) -> None:
        """Before an epoch: all as in training, but what does not learn keeps its batch statistics, or all does."""
        self.objective.train()
        for module in self.network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and (
                self.keeps_statistics or not module.weight.requires_grad
            ):
                module.eval()

    def save(self, path: Path) -> None:
        """Whole or not at all, so that a kill at any moment leaves the checkpoint before."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "averaged", "optimizer", "schedule")}
        part = path.with_suffix(".part")
        torch.save({"epoch": self.epoch, **parts}, part)
        os.replace(part, path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint of the same configuration.

        Raises:
            DataError: it is another one, or damaged.
        """
        device = next(self.network.parameters()).device
        try:
            saved = torch.load(path, map_location=device, weights_only=True)
            for name in ("network", "averaged", "optimizer", "schedule"):
                getattr(self, name).load_state_dict(saved[name])
            self.epoch = int(saved["epoch"])
        except Exception as error:  # noqa: BLE001 - what a damaged archive may raise is not said
            found = f"found another or a damaged one ({first_line(error)})"
            raise DataError(
                f"{path}: expected the checkpoint of this training, {found}; remove it to begin anew"
            ) from None


def _begin_with(network: UNet, config: DictConfig) -> None:
    """Start from the weights of ``init``; heads and memories may be new, or left behind."""
    begun, _ = load_weights(weights_path(config.init))
    stored = {
        name: value
        for name, value in begun.state_dict().items()
        if name in network.state_dict() or not name.startswith(ADDED)
    }
    try:
        missing = network.load_state_dict(stored, strict=False)
    except RuntimeError:
        missing = None
    if (
        missing is None
        or missing.unexpected_keys
        or [name for name in missing.missing_keys if not name.startswith(ADDED)]
    ):
        raise ParameterError(
            f"init: expected weights of model.widths={list(config.model.widths)}, found others in {config.init}"
        )


def _choose(network: UNet, pattern: str) -> list[nn.Parameter]:
    """The parameters whose name begins as the pattern says; the others are frozen."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(re.match(pattern, name) is not None)
    learns = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not learns:
        names = ", ".join(name for name, _ in network.named_children())
        raise ParameterError(
            f"learn: expected the beginning of some parameters' names ({names}), found {pattern!r}, which fits none"
        )
    return learns
