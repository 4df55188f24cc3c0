"""Fill the tables of the pages from results/, so that no figure is typed by hand.

    python benchmarks/tables.py            # writes the pages
    python benchmarks/tables.py --check    # says which pages differ from the results, and ends with 1

A table stands between ``<!-- bench: NAME -->`` and ``<!-- end -->``. Above it stands what it was measured with. Where
a model has changed since, the line says which version is shipped. Each result carries under ``measured`` its models,
their versions and digests, the commit, the date and the machine: see run_all.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from echo_rt.model import models

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGES = ("benchmarks/README.md", "docs/engines.md", "docs/live.md")
BLOCK = re.compile(r"<!-- bench: ([a-z0-9-]+) -->\n.*?<!-- end -->", re.DOTALL)
PRECISIONS = ("fp32", "int8")  # of which git keeps the files
AGAIN = "make bench-all"

Result = Mapping[str, Any]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def shipped() -> dict[str, dict[str, Any]]:
    """Version and digests of each shipped model, by its name."""
    return {
        model.name: {
            "version": model.spec.version,
            "sha256": {
                p: hashlib.sha256(model.file(p).read_bytes()).hexdigest() for p in PRECISIONS if p in model.files
            },
        }
        for model in models()
    }


def newest(kind: str, results: Path) -> tuple[str, Result] | None:
    """Name and content of the newest ``KIND-MACHINE-DATE.json``; None where there is none yet."""
    found = sorted(results.glob(f"{kind}-*.json"), key=lambda path: path.stem[-10:])
    return (found[-1].name, json.loads(found[-1].read_text())) if found else None


def measured_with(name: str, result: Result, now: Mapping[str, Mapping[str, Any]]) -> str:
    """The line above a table: models, commit, date and machine; and what is shipped now, where that is another."""
    about = result["measured"]
    with_models, older = [], []
    for model, then in about["models"].items():
        with_models.append(f"{model} {then['version']}")
        if model not in now:
            older.append(f"{model} is not shipped any more")
        elif now[model]["version"] != then["version"]:
            older.append(f"shipped is {model} {now[model]['version']}")
        elif any(now[model]["sha256"].get(p, was) != was for p, was in then["sha256"].items()):
            older.append(f"shipped is {model} {now[model]['version']} with other weights")
    line = f"Measured with {', '.join(with_models)}; commit {about['commit'][:7]}, {about['date']} (`{name}`)."
    if note := about.get("note"):
        line += f" Note: {note}."
    return line + (f" **Older than the model: {', '.join(older)}. Run `{AGAIN}`.**" if older else "")


def machine(result: Result) -> str:
    about = result["measured"]["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    processors = f"{about['processor']}, {about['usable_processors']} processors ({', '.join(about['isa'])})"
    return f"{processors}, {about['memory_gib']} GiB; {versions}."


def peers(result: Result) -> Iterator[str]:
    ours = result["ms"]["echo-rt cpu"]
    yield f"The others with {result['threads']} thread(s), echo-rt with {result['own_threads']}. {machine(result)}\n"
    yield "| candidate | ms a frame, median | times as long |\n|---|---|---|"
    yield from (f"| {candidate} | {ms:.2f} | {ms / ours:.1f} |" for candidate, ms in result["ms"].items())


def bench(result: Result) -> Iterator[str]:
    best = result["ceiling"]
    yield f"{machine(result)}\n"
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
    heads = "engine | of the ceiling | frames/s | from a file | 60 Hz: age p50, p99 ms | streams: frames/s"
    yield f"\n| {heads} | cold start | memory | joules a frame |\n|{'---|' * 9}"
    for engine in result["engines"]:
        age, energy = engine["paced"]["age_ms"], engine.get("energy", {})
        cells = (
            f"{engine['device']} {engine['precision']}",
            f"{100 * engine['ceiling_share']:.0f} %" if engine.get("ceiling_share") else "",
            f"{engine['frames_a_second']:.0f}",
            f"{engine['end_to_end']['frames_a_second']:.0f}",
            f"{age['p50']:.1f}, {age['p99']:.1f}",
            ", ".join(f"{count}: {of['frames_a_second']:.0f}" for count, of in engine["streams"].items()),
            f"{engine['cold_start_s']:.2f} s",
            f"{engine['memory_mb']:.0f} MB",
            f"{energy['joules_a_frame']:.3f}" if "joules_a_frame" in energy else "not read",
        )
        yield f"| {' | '.join(cells)} |"


def growth(result: Result) -> Iterator[str]:
    stages = ("preprocess", "network", "postprocess", "monitor", "mask")
    yield f"| image | {' | '.join(stages)} |\n|---|---|---|---|---|---|"
    for row in result["size"]:
        yield f"| {row['height']}x{row['width']} | {' | '.join(f'{row[stage]:.2f}' for stage in stages)} |"
    yield "\n| model | G multiply-adds | network in FP32, ms | in INT8 |\n|---|---|---|---|"
    for row in (row for row in result["width"] if row["model"] in result["measured"]["models"]):
        yield f"| {row['model']} | {row['multiply_adds'] / 1e9:.3f} | {row['fp32']:.2f} | {row['int8']:.2f} |"
    yield "\n| minutes of recording | frames | beats | ms a frame | memory, MB |\n|---|---|---|---|---|"
    for row in result["length"]:
        counts = f"{row['minutes']:.2g} | {row['frames']} | {row['beats']}"
        yield f"| {counts} | {row['ms_a_frame']:.3f} | {row['peak_memory_mb']:.0f} |"
    yield "\n| streams at once | frames a second, all together |\n|---|---|"
    for count, of in result["streams"].items():
        yield f"| {count} | {of['frames_a_second']:.0f} |"


WHOLE = {
    "`cpu`, INT8: network alone": "cpu int8, network",
    "`cpu`, INT8: labels on the network's grid, areas": "cpu int8, frame on the grid",
    "`cpu`, INT8: labels at the image's size too": "cpu int8, whole frame",
    "`cpu`, FP32: labels at the image's size": "cpu fp32, whole frame",
    "`openvino`: labels at the image's size": "openvino fp32, whole frame",
    "plain loop of OpenCV, NumPy and ONNX Runtime in FP32, labels at the image's size": "plain loop",
}
RATIOS = {
    "whole frame / network alone, INT8": "whole frame / network",
    "network: FP32 / INT8": "network: FP32 / INT8",
    "plain loop / whole frame": "plain loop / whole frame",
}
STEPS = {
    "preprocess, grey": "preprocess grey",
    "preprocess, BGR": "preprocess BGR",
    "postprocess: probabilities, labels, tallies": "postprocess",
    "labels at the image's size": "mask",
}


def engines(result: Result) -> Iterator[str]:
    runs = result["threads"]
    yield f"{machine(result)}\n"
    yield f"| ms a frame, median | {' | '.join(f'{count} thread(s)' for count in runs)} |\n|---|{'---|' * len(runs)}"
    for names, part in ((WHOLE, "ms"), (RATIOS, "ratios")):
        for words, name in names.items():
            cells = [f"{run[part][name]:.2f}" if name in run[part] else "" for run in runs.values()]
            yield f"| {words} | {' | '.join(cells)} |"
    yield "\n| step, on one core, ms | native | definition in NumPy and OpenCV | ratio |\n|---|---|---|---|"
    ms = runs["1"]["ms"]
    for words, name in STEPS.items():
        slow = ms[f"{name}, reference"]
        yield f"| {words} | {ms[name]:.3f} | {slow:.3f} | {slow / ms[name]:.1f} |"


def program(result: Result) -> Iterator[str]:
    run = result["program"]["1"]
    yield "| `echo-rt file`, 1000 MJPEG frames of 640x480, all outputs but the overlay | |\n|---|---|"
    yield f"| frames a second, start and decoding included | {run['frames a second, start included']:.0f} |"
    yield f"| resident memory at most | {run['resident memory at most, MB']:.0f} MB |"
    yield f"| `import echo_rt` | {run['import echo_rt, s']:.3f} s |"


def waiting(result: Result) -> Iterator[str]:
    yield "| a frame every 1/60 s, 480x640 | ms a frame | cores kept busy |\n|---|---|---|"
    rows = (
        ("2", "bare session as it comes", "two threads that spin: the network alone, with ONNX Runtime's defaults"),
        ("2", "engine", "two threads that sleep: the engine, whole frame"),
        ("1", "engine", "one thread, which has none to wait for: the engine, whole frame"),
    )
    for threads, way, words in rows:
        run = result["program"][threads]
        ms, cores = (run[f"a frame every 1/60 s, {way}: {what}"] for what in ("ms", "cores busy"))
        yield f"| {words} | {ms:.2f} | {cores:.2f} |"


def soak(result: Result) -> Iterator[str]:
    yield f"`{result['model']}` on a simulated heart at {result['fps']:g} frames a second, without a viewer."
    yield f"{machine(result)}\n"
    yield f"| {result['minutes']:g} minutes | |\n|---|---|"
    yield f"| readings | {result['readings']:,} |"
    share = 100 * result["dropped"] / (result["dropped"] + result["readings"])
    yield f"| frames dropped | {result['dropped']} ({share:.2f} %) |"
    ages = result["age_ms"]
    yield f"| age of a reading: median, 99th percentile | {ages['p50']:.1f} ms, {ages['p99']:.1f} ms |"
    memory = result["memory_mb"]
    yield f"| memory once settled, at the end | {memory['settled']:.0f} MB, {memory['end']:.0f} MB |"


WAYS = {"overlay": "as it comes, with the overlay", "no overlay": "`--no-overlay`"}


def recordings(result: Result) -> Iterator[str]:
    height, width = result["size"]
    yield f"{machine(result)}\n"
    heads = f"`echo-rt file`, {result['frames']} MJPEG frames of {height}x{width}"
    yield f"| {heads} | s | processor s | frames/s | times as long |\n|---|---|---|---|---|"
    for way, of in result["one"].items():
        words = WAYS.get(way, f"commit {way}, with the overlay")
        figures = f"{of['s']:.2f} | {of['processor_s']:.2f} | {result['frames'] / of['s']:.0f}"
        yield f"| {words} | {figures} | {of['s'] / result['one']['overlay']['s']:.2f} |"
    jobs = result["jobs"]
    heads = f"{jobs['recordings']} recordings of {jobs['frames']} such frames"
    yield f"\n| {heads} | s | processor s | times as fast |\n|---|---|---|---|"
    for count in ("1", "2"):
        of = jobs[count]
        yield f"| `--jobs {count}` | {of['s']:.2f} | {of['processor_s']:.2f} | {jobs['1']['s'] / of['s']:.2f} |"
    yield f"\nThe results of both are {'the same' if jobs['same'] else '**not** the same'}.\n"
    yield "| frames of a recording | memory at most, MB |\n|---|---|"
    yield from (f"| {row['frames']} | {row['memory_mb']:.0f} |" for row in result["memory"])


TABLES: dict[str, tuple[str, Callable[[Result], Iterator[str]]]] = {
    "peers": ("peers", peers),
    "peers2": ("peers2", peers),
    "bench": ("bench", bench),
    "growth": ("growth", growth),
    "engines": ("engines", engines),
    "program": ("engines", program),
    "waiting": ("engines", waiting),
    "soak": ("soak", soak),
    "recordings": ("recordings", recordings),
}
"""By the name in a page: the kind of result, and what makes the table of it."""


def rendered(text: str, results: Path = RESULTS, now: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """The page with its tables as the newest results have them."""

    def block(found: re.Match[str]) -> str:
        name = found[1]
        if name not in TABLES:
            raise SystemExit(f"expected a table of {', '.join(TABLES)}, found {name!r}")
        kind, make = TABLES[name]
        if (latest := newest(kind, results)) is None:
            return f"<!-- bench: {name} -->\nNot measured yet: `{AGAIN}`.\n<!-- end -->"
        head = measured_with(*latest, shipped() if now is None else now)
        return f"<!-- bench: {name} -->\n{head}\n\n{chr(10).join(make(latest[1])).strip()}\n<!-- end -->"

    return BLOCK.sub(block, text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 where a page would change")
    given = parser.parse_args(arguments)
    differ = []
    for name in PAGES:
        page = HERE.parent / name
        text = page.read_text(encoding="utf-8")
        if (new := rendered(text)) != text:
            differ.append(name)
            if not given.check:
                page.write_text(new, encoding="utf-8")
    print(f"{'differ' if given.check else 'written'}: {', '.join(differ) or 'none'}")
    return 1 if given.check and differ else 0


if __name__ == "__main__":
    sys.exit(main())
