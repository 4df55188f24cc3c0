"""Intervals of figures, by drawing patients anew.

The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). What is drawn is
patients, with all their images: images of one patient resemble each other, and drawing them one by one would make the
intervals too narrow.

Every figure is a function of sums over patients. A draw is how often each patient came up, so that all draws are one
matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
LEVEL = 0.95
SEED = 20190222
"""Fixed, so that the same model on the same data gives the same intervals."""

BLOCK = 4_000_000
"""Entries of the matrix of counts that are held at a time: 32 MB, whatever the number of patients."""

Sums = NDArray[np.float64]
Figures = Callable[[Sums], Mapping[str, NDArray[np.float64]]]


def by_patient(patients: Sequence[str], rows: NDArray[np.float64]) -> Sums:
    """Rows of one patient added up: (rows, k) to (patients, k), in the order of the patients' names."""
    names, index = np.unique(np.asarray(patients), return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, index, rows)
    return sums


def point(sums: Sums, figures: Figures) -> dict[str, float | None]:
    """The figures of all patients; None where one is undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: float(x) if np.isfinite(x) else None for name, x in figures(sums.sum(axis=0)).items()}


def intervals(
    sums: Sums, figures: Figures, draws: int = DRAWS, level: float = LEVEL, seed: int = SEED
) -> dict[str, list[float] | None]:
    """A percentile interval of each figure.

    Args:
        sums: (patients, k), what each patient adds to the sums that the figures are made of.
        figures: from sums (..., k) to figures (...) by name; NaN where one is undefined.
        draws, level, seed: of the bootstrap.

    Returns:
        ``[low, high]`` by name; None where there are fewer than two patients or where a figure is undefined in most
        draws.
    """
    names = list(figures(np.zeros(sums.shape[1])) if len(sums) < 2 else figures(sums.sum(axis=0)))
    if len(sums) < 2:
        return dict.fromkeys(names)
    with np.errstate(divide="ignore", invalid="ignore"):
        blocks = [figures(counts @ sums) for counts in _counts(len(sums), draws, seed)]
    found: dict[str, list[float] | None] = {}
    for name in names:
        drawn = np.concatenate([block[name] for block in blocks])
        drawn = drawn[np.isfinite(drawn)]
        tail = 50 * (1 - level)
        found[name] = [float(x) for x in np.percentile(drawn, [tail, 100 - tail])] if len(drawn) > draws / 2 else None
    return found


def _counts(patients: int, draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each patient is in each draw of as many patients: (some draws, patients) at a time."""
    rng = np.random.default_rng(seed)
    at_once = max(1, BLOCK // patients)
    for start in range(0, draws, at_once):
        n = min(at_once, draws - start)
        chosen = rng.integers(patients, size=(n, patients)) + patients * np.arange(n)[:, None]
        yield np.bincount(chosen.ravel(), minlength=n * patients).reshape(n, patients).astype(np.float64)


def mean_of(columns: Sequence[str]) -> tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], Figures]:
    """Means over the images on which a figure is defined.

    Returns:
        A function that prepares rows (images, figures) with NaN where undefined for `by_patient`, and the figures to be
        made of its sums.
    """
    n = len(columns)

    def prepare(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        known = np.isfinite(rows)
        return np.concatenate([np.where(known, rows, 0.0), known], axis=1)

    def figures(sums: Sums) -> dict[str, NDArray[np.float64]]:
        with np.errstate(divide="ignore", invalid="ignore"):
            means = sums[..., :n] / sums[..., n:]
        return {name: means[..., i] for i, name in enumerate(columns)}

    return prepare, figures
