"""The commands of the training and export packages, called as functions: an error of echo-rt is raised as it is."""

from __future__ import annotations

from collections.abc import Sequence

import echo_rt_export.commands
import echo_rt_train.commands
from echo_rt.commands.plugins import command_of


def train(arguments: Sequence[str]) -> None:
    _run(echo_rt_train.commands.train, arguments)


def evaluate(arguments: Sequence[str]) -> None:
    _run(echo_rt_train.commands.evaluate, arguments)


def explain(arguments: Sequence[str]) -> None:
    _run(echo_rt_train.commands.explain, arguments)


def export(arguments: Sequence[str]) -> None:
    _run(echo_rt_export.commands.export, arguments)


def _run(command: object, arguments: Sequence[str]) -> None:
    command_of(command)(list(arguments), standalone_mode=False)
