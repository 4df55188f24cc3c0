"""A small data set, a training of seconds on it, and a network with every part."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import torch

from echo_rt.model import ModelSpec
from echo_rt_network.onnx_file import write_onnx
from echo_rt_network.unet import UNet
from echo_rt_network.weights import load_weights, save_weights
from echo_rt_train.data import COLUMNS
from support.shapes import labels_of


def write_data(folder: Path) -> Path:
    """Fill a data folder of three patients whose hearts are drawn: ED and ES in both views."""
    rng = np.random.default_rng(0)
    rows = []
    for patient, split in (("p1", "train"), ("p2", "train"), ("p3", "val")):
        for view, spacing in (("4CH", "0.3"), ("2CH", "")):
            for phase, radius in (("ED", 40), ("ES", 28)):
                labels = labels_of((220, 240), 110, radius, 14, (120.0, 150.0))
                image = np.array([20, 60, 180, 80])[labels] + rng.normal(0, 8, labels.shape)
                name = f"{patient}_{view}_{phase}"
                cv2.imwrite(str(folder / f"{name}.png"), np.clip(image, 0, 255).astype(np.uint8))
                cv2.imwrite(str(folder / f"{name}_gt.png"), labels)
                rows.append([patient, split, view, phase, f"{name}.png", 220, 240, spacing])
    write_index(folder, rows)
    return folder


def write_index(folder: Path, rows: list, columns=COLUMNS) -> None:
    with (folder / "index.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])


def small(data: Path, out: Path, *more: str) -> list[str]:
    network = ("model.grid=32", "model.widths=[4,8,16]")
    return [
        f"data.root={data}", f"out={out}", *network, "epochs=3", "warmup_epochs=1", "batch=4", "precision=fp32", *more,
    ]  # fmt: skip


WIDTHS, MEMORY = [4, 8, 16], [0, 3, 5]


def network_with_all(seed: int = 0) -> UNet:
    torch.manual_seed(seed)
    network = UNet(WIDTHS, heads=("view", "confidence"), memory=MEMORY).eval()
    for cell in network.memory.values():  # a memory begins without a say; give it one
        torch.nn.init.normal_(cell.out.weight, std=3.0)
    return network


def toy_weights(folder: Path) -> Path:
    """The weights of `network_with_all` as a training writes them, with a contract."""
    network = network_with_all()
    spec = ModelSpec("toy", "1", 32, 32, 60.0, 50.0, heads=tuple(network.heads), state=network.state_names)
    return save_weights(network, spec, folder / "w.safetensors")


def toy_network_file(folder: Path) -> Path:
    """The same network as an FP32 file of ONNX, beside its weights."""
    write_onnx(*load_weights(toy_weights(folder)), folder / "toy.fp32.onnx")
    return folder / "toy.fp32.onnx"
