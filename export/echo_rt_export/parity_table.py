"""What the parity gate found, as a table for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from echo_rt.errors import printable
from echo_rt_export.parity import Parity


def print_parity(parity: Parity) -> None:
    """Print both engines, a row a figure with its limit, and the verdict."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "found", "limit"):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
    for name, dice in parity.dice.items():
        table.add_row(f"Dice {name}", f"{dice:.4f}", f">= {parity.limits.min_dice}")
    table.add_row("EF, points apart", _number(parity.ef_points, 2), f"<= {parity.limits.max_ef_points}")
    for name, words in (("apical", "probability of an apical view"), ("confidence", "expected Dice")):
        limit = f"<= {parity.limits.max_verdict}"
        table.add_row(f"{words}, apart, at most", _number(parity.verdict_max[name], 4), limit)
    table.add_row("volume, % apart, at most", _number(parity.size_percent["volume"], 2), "")
    table.add_row("area, % apart, at most", _number(parity.size_percent["area"], 2), "")
    table.add_row("probability apart, at most", f"{parity.probability_max:.4f}", "")
    table.add_row("probability apart, mean", f"{parity.probability_mean:.6f}", "")
    table.add_row("Dice of the worst frame", f"{parity.worst['dice']:.4f}", "")
    console = Console(soft_wrap=True)
    said = f"{printable(parity.candidate)}\nagainst {printable(parity.reference)}"
    console.print(said, markup=False, highlight=False, emoji=False)
    console.print(table)
    worst = f"{printable(Path(parity.worst['recording']).name)}, frame {parity.worst['index']}"
    verdict = "passed" if parity.ok else "NOT passed"
    console.print(
        f"{parity.frames} frames of {parity.recordings} recordings, the worst: {worst}; {verdict}",
        markup=False,
        highlight=False,
    )


def _number(found: float | None, digits: int) -> str:
    return "-" if found is None else f"{found:.{digits}f}"
