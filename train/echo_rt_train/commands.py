"""`echo-rt train`, `echo-rt evaluate` and `echo-rt explain`."""

from __future__ import annotations

import argparse
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from echo_rt.errors import ParameterError, first_line


def train(arguments: list[str]) -> None:
    """Train a model: ``KEY=VALUE ...`` change conf/train.yaml; ``-m`` compares several values in one table."""
    if {"-h", "--help"} & set(arguments):
        folder = Path(__file__).parent / "conf"
        losses, experiments = (
            ", ".join(sorted(path.stem for path in (folder / kind).glob("*.yaml"))) for kind in ("loss", "experiment")
        )
        print("usage: echo-rt train [-m] data.root=FOLDER [+experiment=NAME] [KEY=VALUE ...]\n")
        print(f"loss: {losses}\nexperiment: {experiments}\n")
        print((folder / "train.yaml").read_text(), end="")
        return
    from echo_rt_train.compare import compare
    from echo_rt_train.loop import train as run

    several = bool({"-m", "--multirun"} & set(arguments))
    overrides = [argument for argument in arguments if argument not in ("-m", "--multirun")]
    try:
        with initialize_config_module("echo_rt_train.conf", version_base=None):
            if several:
                compare(overrides)
                return
            weights = run(compose("train", overrides=overrides))
    except (HydraException, OmegaConfBaseException) as error:
        first = first_line(error)
        raise ParameterError(
            f"train: expected KEY=VALUE of conf/train.yaml, found: {first}; `echo-rt train --help` shows them"
        ) from None
    print(f"weights in {weights}; next:  echo-rt export onnx {weights} -o MODEL.onnx")


def evaluate(arguments: list[str]) -> None:
    """Measure a model on a data set, through the engine that the product runs."""
    from echo_rt_train.evaluate.command import add_arguments, main

    parser = argparse.ArgumentParser(prog="echo-rt evaluate", description=evaluate.__doc__)
    add_arguments(parser)
    main(parser.parse_args(arguments))


def explain(arguments: list[str]) -> None:
    """Show what a network looks at and what it has learned, as pictures."""
    from echo_rt_train.explain import add_arguments, main

    parser = argparse.ArgumentParser(prog="echo-rt explain", description=explain.__doc__)
    add_arguments(parser)
    main(parser.parse_args(arguments))
