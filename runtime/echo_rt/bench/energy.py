"""What the processors use, by the counters that Linux reads from them (RAPL), where it lets us."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path("/sys/class/powercap")
Found = TypeVar("Found")


def during(work: Callable[[], Found], frames: int, root: Path = ROOT) -> tuple[Found, dict[str, Any]]:
    """What the work gives, and what the processors used meanwhile.

    Returns:
        ``joules_a_frame`` and ``watts`` of all processor packages, other programs included; or ``reason``, why not.
    """
    before, start_s = _counters(root), time.perf_counter()
    found = work()
    took_s, after = time.perf_counter() - start_s, _counters(root)
    if isinstance(before, str) or isinstance(after, str):
        return found, {"reason": before if isinstance(before, str) else after}
    joules = sum(_used(before[name], after[name]) for name in before if name in after)
    return found, {"joules_a_frame": round(joules / frames, 5), "watts": round(joules / took_s, 2)}


def _used(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Joules between two readings; a counter begins at zero again after its largest number."""
    (began, most), (ended, _) = before, after
    return (ended - began if ended >= began else ended + most - began) / 1e6


def _counters(root: Path) -> Mapping[str, tuple[int, int]] | str:
    """Microjoules and their largest number of each processor package; or why there are none."""
    if not sys.platform.startswith("linux"):
        return "only Linux tells what its processors use"
    # intel-rapl:0 is a package, also of AMD; intel-rapl:0:1 is a part of it.
    packages = [path for path in root.glob("intel-rapl:*") if path.name.count(":") == 1]
    if not packages:
        return f"{root} has no intel-rapl: a virtual machine, or a processor that does not count"
    found: dict[str, tuple[int, int]] = {}
    for path in packages:
        try:
            counter, most = (int((path / name).read_text()) for name in ("energy_uj", "max_energy_range_uj"))
            found[path.name] = counter, most
        except PermissionError:  # noqa: PERF203 - a machine has one or two
            return f"{path}/energy_uj is for root alone; run this as root, or open the file to others"
        except (OSError, ValueError) as error:
            return f"{path}/energy_uj cannot be read ({error})"
    return found
