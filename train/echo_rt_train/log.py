"""What a training leaves behind to be read: log.csv, the terminal, TensorBoard."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from echo_rt_train.data.tables import read_table, whole

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Log:
    """A row for every epoch.

    Args:
        out: the run's folder; None writes nothing, for the other processes of several.
        epoch: epochs done. Rows of later ones, left by a run that was killed before its checkpoint, are taken out.
        tensorboard: also write ``out/tensorboard``.
    """

    def __init__(self, out: Path | None, epoch: int, tensorboard: bool) -> None:
        self._path = out / "log.csv" if out is not None else None
        self._rows: list[dict[str, float] | dict[str, str]] = []
        self._board: SummaryWriter | None = None
        if self._path is not None and epoch and self._path.is_file():
            kept = read_table(self._path, ("epoch",))
            self._rows = [row for n, row in enumerate(kept, 2) if whole(self._path, n, "epoch", row["epoch"]) <= epoch]
        if out is not None and tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(out / "tensorboard", purge_step=epoch + 1)

    def write(self, row: dict[str, float]) -> None:
        """Add a row. What is not measured in every epoch has an empty cell in the others."""
        if self._path is None:
            return
        self._rows.append(row)
        columns = list(dict.fromkeys(name for one in self._rows for name in one))
        part = self._path.with_suffix(".part")
        with part.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(self._rows)
        os.replace(part, self._path)
        if self._board is not None:
            for name, value in row.items():
                if name != "epoch":
                    self._board.add_scalar(name.replace("_", "/", 1), value, row["epoch"])
            self._board.flush()
        print(" ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._board is not None:
            self._board.close()
