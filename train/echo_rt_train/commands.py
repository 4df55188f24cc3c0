"""`echo-rt train` and `echo-rt evaluate`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from echo_rt.errors import ParameterError


def train(arguments: list[str]) -> None:
    """Train a model: ``KEY=VALUE ...`` change conf/train.yaml."""
    if {"-h", "--help"} & set(arguments):
        text = (Path(__file__).parent / "conf" / "train.yaml").read_text()
        print(f"usage: echo-rt train data.root=FOLDER [KEY=VALUE ...]\n\n{text}", end="")
        return
    from echo_rt_train.loop import train as run

    try:
        with initialize_config_module("echo_rt_train.conf", version_base=None):
            config = compose("train", overrides=arguments)
        weights = run(config)
    except (HydraException, OmegaConfBaseException) as error:
        first = str(error).strip().splitlines()[0]
        raise ParameterError(f"train: expected KEY=VALUE of conf/train.yaml, found: {first}; `echo-rt train --help` shows them") from None
    print(f"weights in {weights}; next:  echo-rt export onnx {weights} -o MODEL.onnx")


def evaluate(arguments: list[str]) -> None:
    """Measure a model on a data set, through the engine that the product runs."""
    parser = argparse.ArgumentParser(prog="echo-rt evaluate", description=evaluate.__doc__)
    parser.add_argument("model", help="a shipped model's name or an .onnx file")
    parser.add_argument("--data", type=Path, required=True, help="a folder with index.csv, images and masks")
    parser.add_argument("--split", default="val", choices=["train", "val"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args(arguments)
    from echo_rt.engine import open_engine
    from echo_rt_train.evaluate import evaluate as run

    with open_engine(given.model, given.device) as engine:
        figures = run(engine, given.data, given.split)
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{engine.description}, {given.split} images of {given.data}, native resolution")
    for view, found in figures["views"].items():
        for name, overlap in found["classes"].items():
            print(f"  {view} {name:<12} Dice {overlap['dice']:.4f}  IoU {overlap['iou']:.4f}   ({found['images']} images)")
    for view, found in [*figures["views"].items(), ("biplane", figures["biplane"])]:
        ef = {name: "-" if figure is None else f"{figure:.3g}" for name, figure in found["ef"].items()}
        print("  {view:<8} EF  MAE {mae}  bias {bias}  SD {sd}  r {r}   ({patients} patients)".format(view=view, **ef))
