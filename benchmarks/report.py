"""Fill the tables of benchmarks/README.md from the newest results, so that no figure is typed by hand.

python benchmarks/report.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def newest(kind: str) -> tuple[str, dict[str, Any]]:
    """Name and content of the newest ``results/KIND-MACHINE-DATE.json``."""
    path = max((HERE / "results").glob(f"{kind}-*.json"), key=lambda path: path.stem[-10:])
    return path.name, json.loads(path.read_text())


def machine(result: dict[str, Any]) -> str:
    about = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    processors = f"{about['processor']}, {about['usable_processors']} processors ({', '.join(about['isa'])})"
    return f"{processors}, {about['memory_gib']} GiB; {versions}."


def peers() -> Iterator[str]:
    for kind in ("peers", "peers2"):
        name, result = newest(kind)
        ours = result["ms"]["echo-rt cpu"]
        threads = f"The others with {result['threads']} thread(s), echo-rt with {result['own_threads']}"
        yield f"{threads} ({name}). {machine(result)}\n"
        yield "| candidate | ms a frame, median | times as long |\n|---|---|---|"
        yield from (f"| {candidate} | {ms:.2f} | {ms / ours:.1f} |" for candidate, ms in result["ms"].items())
        yield ""


def bench() -> Iterator[str]:
    name, result = newest("bench")
    best = result["ceiling"]
    yield f"{name}. {machine(result)}\n"
    height, width = result["size"]
    work = f"{result['multiply_adds'] / 1e9:.3f} G multiply-adds"
    yield f"`{result['model']}`, {work}, frames of {height}x{width}. The ceiling with"
    rates = f"{best['int8_gmac_s']:.0f} G INT8 and {best['fp32_gmac_s']:.0f} G FP32 multiply-adds a second"
    yield f"{best['threads']} thread(s): {rates}.\n"
    yield "| engine | stage | p50 ms | p95 | p99 | max | jitter |\n|---|---|---|---|---|---|---|"
    for engine in result["engines"]:
        for stage, of in engine["stages"].items():
            figures = " | ".join(f"{of[key]:.2f}" for key in ("p50", "p95", "p99", "max", "jitter"))
            yield f"| {engine['device']} {engine['precision']} | {stage} | {figures} |"
    heads = (
        "engine",
        "of the ceiling",
        "frames/s",
        "from a file",
        "60 Hz: age p50, p99 ms",
        "streams: frames/s",
        "cold start",
        "memory",
    )
    yield f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
    for engine in result["engines"]:
        age = engine["paced"]["age_ms"]
        cells = (
            f"{engine['device']} {engine['precision']}",
            f"{100 * engine['ceiling_share']:.0f} %" if engine.get("ceiling_share") else "",
            f"{engine['frames_a_second']:.0f}",
            f"{engine['end_to_end']['frames_a_second']:.0f}",
            f"{age['p50']:.1f}, {age['p99']:.1f}",
            ", ".join(f"{count}: {of['frames_a_second']:.0f}" for count, of in engine["streams"].items()),
            f"{engine['cold_start_s']:.2f} s",
            f"{engine['memory_mb']:.0f} MB",
        )
        yield f"| {' | '.join(cells)} |"


def growth() -> Iterator[str]:
    name, result = newest("growth")
    stages = ("preprocess", "network", "postprocess", "monitor", "mask")
    yield f"{name}\n"
    yield f"| image | {' | '.join(stages)} |\n|---|---|---|---|---|---|"
    for row in result["size"]:
        yield f"| {row['height']}x{row['width']} | {' | '.join(f'{row[stage]:.2f}' for stage in stages)} |"
    yield "\n| model | G multiply-adds | network in FP32, ms | in INT8 |\n|---|---|---|---|"
    for row in result["width"]:
        yield f"| {row['model']} | {row['multiply_adds'] / 1e9:.3f} | {row['fp32']:.2f} | {row['int8']:.2f} |"
    yield "\n| minutes of recording | frames | beats | ms a frame | memory, MB |\n|---|---|---|---|---|"
    for row in result["length"]:
        counts = f"{row['minutes']:.2g} | {row['frames']} | {row['beats']}"
        yield f"| {counts} | {row['ms_a_frame']:.3f} | {row['peak_memory_mb']:.0f} |"
    yield "\n| streams at once | frames a second, all together |\n|---|---|"
    for count, of in result["streams"].items():
        yield f"| {count} | {of['frames_a_second']:.0f} |"


def main() -> None:
    page = HERE / "README.md"
    text = page.read_text()
    tables: dict[str, Callable[[], Iterator[str]]] = {"peers": peers, "bench": bench, "growth": growth}
    for name, make in tables.items():
        filled = f"<!-- {name} -->\n{chr(10).join(make()).strip()}\n<!-- /{name} -->"
        text = re.sub(rf"<!-- {name} -->.*<!-- /{name} -->", lambda _, filled=filled: filled, text, flags=re.DOTALL)
    page.write_text(text)


if __name__ == "__main__":
    main()
