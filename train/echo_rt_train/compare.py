"""Several experiments side by side: every combination of the values given, each judged on the validation patients."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from echo_rt import checked
from echo_rt.errors import DataError, ParameterError
from echo_rt_train.loop import train


def combinations(overrides: Sequence[str]) -> list[tuple[dict[str, str], list[str]]]:
    """What ``KEY=A,B OTHER=C`` stands for.

    Returns:
        For each combination the values that differ between them (empty where nothing does), and its own overrides.
    """
    fixed, swept = [], []
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        if override.is_sweep_override():
            key = override.get_key_element()
            swept.append([(key, str(value)) for value in override.sweep_string_iterator()])
        else:
            fixed.append(override.input_line or "")
    return [(dict(chosen), fixed + [f"{key}={value}" for key, value in chosen]) for chosen in product(*swept)]


REPEATS = ("seed", "data.hold_out")
"""What makes a run another one of the same kind."""


def compare(overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Train every combination, evaluate it on the validation split, and print one table; `REPEATS` are averaged over.

    Each run has a folder of its own in ``out``; a run that is there already with its figures is not done again. The
    figures also go to ``comparison.json`` in the folder of the first one's ``out``.

    Returns:
        A row a combination without its seed and part: the values, and mean and standard deviation of each figure.

    Raises:
        ParameterError: nothing is swept.
        DataError: see `train`.
    """
    runs = combinations(overrides)
    if len(runs) < 2:
        raise ParameterError(
            "train -m: expected several values of a setting, such as loss=dice,focal_tversky seed=1,2, found one run"
        )
    figures: dict[tuple[tuple[str, str], ...], list[dict[str, float]]] = {}
    root: Path | None = None
    for values, own in runs:
        config = compose("train", overrides=own)
        root = root or Path(config.out)
        config.out = str(
            Path(config.out) / "_".join(f"{key}={value}" for key, value in values.items()).replace("/", "-")
        )
        found = _run(config)
        setting = tuple((key, value) for key, value in values.items() if key not in REPEATS)
        figures.setdefault(setting, []).append(found)
    rows = [{"settings": dict(key), "runs": len(group), **_spread(group)} for key, group in figures.items()]
    assert root is not None
    (root / "comparison.json").write_text(json.dumps(rows, indent=2))
    Console().print(_table(rows))
    return rows


def _run(config: DictConfig) -> dict[str, float]:
    """Figures of one run, from its folder where they are there."""
    kept = Path(config.out) / "figures.json"
    if not kept.is_file():
        from echo_rt_train.data import open_data
        from echo_rt_train.evaluate import evaluate
        from echo_rt_train.evaluate.model import open_model

        weights = train(config)
        with open_model(str(weights)) as engine:
            found = dict(_main_figures(evaluate(engine, open_data(config.data), "val")))
        kept.write_text(json.dumps(found))
    try:
        figures: dict[str, float] = checked.value(Mapping[str, float], checked.parse_json(kept.read_bytes()), "it")
    except checked.MismatchError as error:
        raise DataError(f"{kept}: {error}; remove it to measure anew") from None
    return figures


def _main_figures(found: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    view = "4CH" if "4CH" in found["views"] else next(iter(found["views"]))
    for name, overlap in found["views"][view]["classes"].items():
        if overlap["dice"] is not None:
            yield f"{view} {name} Dice", overlap["dice"]
    for name in ("mae", "bias"):
        if found["views"][view]["ef"][name] is not None:
            yield f"{view} EF {name}", found["views"][view]["ef"][name]


def _spread(group: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        name: {
            "mean": mean(run[name] for run in group),
            "sd": stdev(run[name] for run in group) if len(group) > 1 else None,
        }
        for name in group[0]
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A column a combination: there are fewer of them than figures."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for row in rows:
        settings = "\n".join(f"{key}={value}" for key, value in row["settings"].items()) or "all"
        table.add_column(f"{settings}\n{row['runs']} runs", justify="right", no_wrap=True)
    for name in rows[0]:
        if name not in ("settings", "runs"):
            table.add_row(name, *(_with_spread(row[name]) for row in rows))
    return table


def _with_spread(figure: Mapping[str, float | None]) -> str:
    value, sd = figure["mean"], figure["sd"]
    assert value is not None
    digits = 4 if abs(value) < 1.5 else 2
    return f"{value:.{digits}f}" + ("" if sd is None else f" ± {sd:.{digits}f}")
