"""The training loop: deterministic from its seed, and it survives a kill at any moment."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path

import torch
from lightning_fabric import Fabric
from omegaconf import DictConfig, OmegaConf
from rich.progress import track
from torch import Tensor
from torch.utils.data import DataLoader

from echo_rt.engine import open_engine
from echo_rt.errors import DataError, ParameterError
from echo_rt.model import CLASSES, ModelInput, ModelSpec, Origin, model_path
from echo_rt_network.run_folder import WEIGHTS
from echo_rt_network.weights import save_weights
from echo_rt_train.augment import Augment
from echo_rt_train.data import DataReport, DataSet, open_data, organ_samples
from echo_rt_train.images import GridImages, Item, Mix
from echo_rt_train.log import Log
from echo_rt_train.teacher import Teacher
from echo_rt_train.training import Training, open_fabric


def train(config: DictConfig) -> Path:
    """Run one experiment (conf/train.yaml) and write ``weights.safetensors`` with its `ModelSpec` inside.

    Returns:
        The weights' path.

    Raises:
        DataError, ParameterError: the data or a setting is not as it should be; said before the first epoch.
    """
    out = Path(config.out)
    if config.threads:
        torch.set_num_threads(config.threads)
    fabric = open_fabric(config.precision)
    data = open_data(config.data)
    if config.batch % fabric.world_size:
        raise ParameterError(f"batch: expected a multiple of the {fabric.world_size} processes, found {config.batch}")
    images, judges = read_images(config, data)
    training = Training.start(config, len(images) // config.batch, fabric)
    if config.resume and (out / "checkpoint.pt").is_file():
        training.load(out / "checkpoint.pt")
    if fabric.is_global_zero:
        print(data.report, flush=True)
        out.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(config, out / "config.yaml", resolve=True)
        (out / "data_report.json").write_text(json.dumps(data.report.to_dict(), indent=2))
    with Log(out if fabric.is_global_zero else None, training.epoch, config.tensorboard) as log:
        while training.epoch < config.epochs:
            if data.format == "phantom" and training.epoch:
                images.renew(data.samples("train", training.epoch))
            row = run_epoch(training, config, images, fabric)
            if fabric.is_global_zero:
                if judges is not None and (
                    training.epoch % config.validate_every == 0 or training.epoch == config.epochs
                ):
                    row.update(validate(training, judges, config.batch, (images.mean, images.std)))
                log.write(row)
                training.save(out / "checkpoint.pt")
            fabric.barrier()
    spec = ModelSpec(
        name=config.name, version=str(config.version),
        input=ModelInput(grid_size(config)[1], grid_size(config)[0], images.mean, images.std),
        views=tuple(config.card.views), heads=tuple(config.model.heads), state=training.network.state_names,
        origin=Origin(config.card.training_data, config.card.licence, config.card.citation),
    )  # fmt: skip
    if fabric.is_global_zero:
        training.keep(config)
        save_weights(training.averaged_network, spec, out / WEIGHTS)
    fabric.barrier()
    return out / WEIGHTS


def grid_size(config: DictConfig) -> tuple[int, int]:
    """Height and width of the network's input: ``model.grid`` is one number for a square, or both.

    Raises:
        ParameterError: the levels of the network do not fit in it.
    """
    grid, step = config.model.grid, config.model.patch * 2 ** (len(config.model.widths) - 1)
    height, width = (grid, grid) if isinstance(grid, int) else grid
    if min(height, width) < step or height % step or width % step:
        raise ParameterError(
            f"model.grid: expected multiples of {step} for {len(config.model.widths)} levels, found {height}x{width}"
        )
    return int(height), int(width)


def read_images(config: DictConfig, data: DataSet) -> tuple[GridImages, GridImages | None]:
    """What is learned from: the images of the data set and what ``mix`` adds; and what judges, None where nothing does.

    Raises:
        DataError: the data set is not as it should be, or too small for one batch.
    """
    with ExitStack() as opened:
        teacher = (
            Teacher(opened.enter_context(open_engine(model_path(config.teacher.model))), config.teacher.share)
            if config.teacher.model
            else None
        )
        images = GridImages(
            data.samples("train"),
            _mixes(config),
            grid_size(config),
            Augment.of(config.augment),
            config.seed,
            data.report,
            config.frames,
            teacher,
            config.readers,
        )
    if len(images) < config.batch:
        raise DataError(
            f"{data.report.origin}: expected at least one batch of {config.batch} images, found {len(images)}; "
            "set batch=..."
        )
    return images, _judges(config, data)


def _mixes(config: DictConfig) -> list[Mix]:
    """Simulated hearts, and what is no heart."""
    mixes = []
    if config.mix.phantoms:
        settings = {
            "seed": config.seed,
            "samples": config.mix.phantoms,
            "clips": config.mix.phantoms,
            "frames": config.mix.clip_frames,
        }
        phantoms = open_data({"format": "phantom", "phantom": settings})
        drawn = phantoms.clips("train") if config.frames > 1 else phantoms.samples("train")
        mixes.append(Mix(drawn, config.mix.share))
    if config.negatives.root:
        where = {"format": "negatives", "root": config.negatives.root, "val_fraction": 0.0}
        negatives = open_data({**where, "hold_out": config.data.hold_out})
        if negatives.report.problems:
            print(negatives.report, flush=True)
        mixes.append(Mix(negatives.samples("train"), config.negatives.share))
    if config.negatives.organs:
        mixes.append(Mix(organ_samples(config.seed, config.negatives.organs), config.negatives.organ_share))
    return mixes


def _judges(config: DictConfig, data: DataSet) -> GridImages | None:
    if not config.validate_every:
        return None
    try:
        samples = data.samples("val")
    except DataError:  # a data set need not have patients that judge
        return None
    return GridImages(samples, [], grid_size(config), Augment(), 0, DataReport(data.report.origin))


def run_epoch(training: Training, config: DictConfig, images: GridImages, fabric: Fabric) -> dict[str, float]:
    """One pass over the images; returns what the log keeps of it."""
    start = time.monotonic()
    images.epoch = training.epoch
    order = torch.randperm(
        len(images), generator=torch.Generator().manual_seed(config.seed * 100_003 + training.epoch)
    ).tolist()
    # Of each batch every process takes its share, so that a batch is the same however many there are.
    share = config.batch // fabric.world_size
    own = slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)
    batches = [order[i : i + config.batch][own] for i in range(0, len(order) - config.batch + 1, config.batch)]
    training.learn_mode()
    sums: dict[str, float] = {}
    title = f"epoch {training.epoch + 1}/{config.epochs}"
    loader = DataLoader(images, batch_sampler=batches, num_workers=config.workers)
    for batch in track(loader, title, transient=True, disable=not fabric.is_global_zero):
        item: Item = fabric.to_device(batch)
        parts: dict[str, Tensor] = training.objective(item._replace(grey=(item.grey - images.mean) / images.std))
        training.optimizer.zero_grad()
        fabric.backward(torch.stack(list(parts.values())).sum())
        training.optimizer.step()
        training.schedule.step()
        training.averaged.update_parameters(training.network)
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + value.item()
    training.epoch += 1
    means = {f"loss_{name}": total / len(batches) for name, total in sums.items()}
    return {"epoch": training.epoch, "loss": sum(means.values()), **means, "seconds": time.monotonic() - start}


@torch.no_grad()
def validate(training: Training, judges: GridImages, batch: int, normal: tuple[float, float]) -> dict[str, float]:
    """Dice of each class, mean over the images, on the network's own grid; quicker than `echo-rt evaluate`, and a
    little too kind."""
    network = training.averaged_network.eval()
    device = next(network.parameters()).device
    dice, right = [], []
    for item in DataLoader(judges, batch_size=batch):
        output = network(((item.grey[:, 0] - normal[0]) / normal[1]).to(device, memory_format=torch.channels_last))
        found = (
            torch.nn.functional.one_hot(output.logits.argmax(1), len(CLASSES)).permute(0, 3, 1, 2)[:, 1:].float().cpu()
        )
        true = (item.covered[:, 0] > 0.5).float()
        overlap = 2 * (found * true).sum((2, 3)) / (found + true).sum((2, 3)).clamp(min=1)
        dice.append(torch.where(item.known[:, 1:] > 0, overlap, torch.nan))
        if "view" in output.heads:
            right.append((output.heads["view"].argmax(1).cpu() == item.view).float())
    scores = {
        f"val_dice_{name}": value for name, value in zip(CLASSES[1:], torch.cat(dice).nanmean(0).tolist(), strict=True)
    }
    return {**scores, **({"val_view_accuracy": torch.cat(right).mean().item()} if right else {})}
