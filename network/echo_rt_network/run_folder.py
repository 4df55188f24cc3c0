"""The folder that a training leaves behind. Without torch, so that a model can be converted where it runs."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = "weights.safetensors"
"""The name of the weights in a run's folder."""


def names_weights(source: str | Path) -> bool:
    """Whether a path names weights or a run's folder, not a model that can be run as it is."""
    return Path(source).is_dir() or Path(source).suffix == ".safetensors"


def weights_in(run: str | Path) -> Path:
    """The weights in a run's folder, or the file itself."""
    path = Path(run)
    return path / WEIGHTS if path.is_dir() else path
