"""The tables of the pages say what the results say, and with which model that was; benchmarks/run_all.py makes both."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

TREE = Path(__file__).resolve().parents[1]
NOW = {"lv-edge": {"version": "3", "sha256": {"fp32": "aa", "int8": "bb"}}}


def loaded(name: str) -> ModuleType:
    """A script of benchmarks/, under its own name, as the scripts import each other."""
    spec = importlib.util.spec_from_file_location(name, TREE / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


tables = loaded("tables")
run_all = loaded("run_all")
engines = loaded("engines")

MACHINE = {"processor": "Slow 1", "usable_processors": 2, "isa": ["avx2"], "memory_gib": 8, "versions": {"numpy": "2"}}
SOAK = {
    "model": "lv-edge", "fps": 60, "minutes": 2, "readings": 7000, "dropped": 70,
    "age_ms": {"p50": 5.25, "p99": 7.5}, "memory_mb": {"settled": 250.4, "end": 251.4},
}  # fmt: skip


def soak(folder: Path, date: str = "2026-01-02", **model: object) -> Path:
    """A result of a soak, measured with a model."""
    about = {"version": "3", "sha256": {"fp32": "aa", "int8": "bb"}, **model}
    measured = {"models": {"lv-edge": about}, "commit": "0123456789ab", "date": date, "machine": MACHINE}
    path = folder / f"soak-slow-1-{date}.json"
    path.write_text(json.dumps({"measured": measured, **SOAK}))
    return path


PAGE = "before\n<!-- bench: soak -->\nold\n<!-- end -->\nafter\n"


@pytest.mark.parametrize("name", tables.PAGES)
def test_a_page_has_the_tables_of_the_newest_results_and_says_which_are_older_than_the_model(name: str) -> None:
    text = (TREE / name).read_text(encoding="utf-8")
    assert tables.rendered(text) == text, "run  python benchmarks/tables.py"
    assert tables.BLOCK.search(text), f"{name} has no table of a benchmark"


def test_every_table_is_on_a_page_and_every_result_says_what_it_was_measured_with() -> None:
    shown = {found[1] for name in tables.PAGES for found in tables.BLOCK.finditer((TREE / name).read_text())}
    assert shown == tables.TABLES.keys()
    assert {kind for kind, _ in tables.TABLES.values()} == {each.kind for each in run_all.BENCHMARKS}
    for path in tables.RESULTS.glob("*.json"):
        about = json.loads(path.read_text())["measured"]
        assert {"models", "commit", "date", "machine"} <= about.keys(), path.name
        assert all(len(digest) == 64 for model in about["models"].values() for digest in model["sha256"].values())


def test_a_table_is_filled_from_the_newest_result_and_the_rest_of_the_page_stays(tmp_path: Path) -> None:
    soak(tmp_path, "2025-12-31", version="1")
    soak(tmp_path)
    page = tables.rendered(PAGE, tmp_path, NOW)
    assert page.startswith("before\n<!-- bench: soak -->\nMeasured with lv-edge 3; commit 0123456, 2026-01-02")
    assert page.endswith("<!-- end -->\nafter\n")
    assert "| frames dropped | 70 (0.99 %) |" in page
    assert "Older than the model" not in page
    assert tables.rendered(page, tmp_path, NOW) == page
    assert tables.rendered(page.replace("7,000", "9,000"), tmp_path, NOW) == page, "a typed figure stays"


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ({"version": "2"}, NOW, "Older than the model: shipped is lv-edge 3. Run `make bench-all`."),
        ({"sha256": {"int8": "cc"}}, NOW, "shipped is lv-edge 3 with other weights"),
        ({}, {}, "lv-edge is not shipped any more"),
    ],
)
def test_a_table_that_is_older_than_the_model_says_so(tmp_path: Path, then, now, said: str) -> None:
    soak(tmp_path, **then)
    assert said in tables.rendered(PAGE, tmp_path, now)


def test_what_was_not_measured_yet_and_a_table_that_nobody_makes_are_said(tmp_path: Path) -> None:
    assert "Not measured yet: `make bench-all`." in tables.rendered(PAGE, tmp_path, NOW)
    with pytest.raises(SystemExit, match=r"expected a table of peers, .* found 'nonsense'"):
        tables.rendered("<!-- bench: nonsense -->\n<!-- end -->", tmp_path, NOW)


def test_the_figures_that_engines_py_prints_are_those_that_the_tables_ask_for() -> None:
    run = {"ms": engines.stages(120, 160, 10) | engines.whole(120, 160, 1, 10)}
    asked = {*tables.WHOLE.values(), *tables.STEPS.values(), *(f"{name}, reference" for name in tables.STEPS.values())}
    assert asked - {"openvino fp32, whole frame"} <= run["ms"].keys()
    shown = "\n".join(tables.engines({"threads": {"1": {**run, "ratios": {}}}, "measured": {"machine": MACHINE}}))
    assert f"{run['ms']['plain loop']:.2f}" in shown


def test_the_last_line_of_the_soak_is_what_its_table_asks_for(tmp_path: Path) -> None:
    (soaking,) = (each for each in run_all.BENCHMARKS if each.kind == "soak")
    (command,) = soaking.commands.values()
    short = [*command, "--minutes", "0.07", "--fps", "15", "--device", "cpu"]
    found = run_all.answer(short, run_all.time.monotonic() + 120)
    table = "\n".join(tables.soak({**found, "measured": {"machine": MACHINE}}))
    assert f"| readings | {found['readings']} |" in table
    assert 0 < found["readings"] <= 63


def said(program: str) -> dict[str, list[str]]:
    return {"": ["-c", program]}


def test_a_benchmark_leaves_its_result_with_model_commit_and_machine(tmp_path: Path) -> None:
    one = run_all.Benchmark("soak", said("print('talk'); print('{\"readings\": 4}')"), 1)
    assert run_all.run([one], tmp_path) == []
    (path,) = tmp_path.iterdir()
    found = json.loads(path.read_text())
    assert found["readings"] == 4
    about = found["measured"]
    assert about["models"] == {"lv-edge": tables.shipped()["lv-edge"]}
    assert about["machine"]["processor"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=TREE, capture_output=True, text=True, check=False)
    assert about["commit"].rstrip("+") == (head.stdout.strip() or "unknown")
    assert path.stem.startswith("soak-")
    assert path.stem.endswith(about["date"])


@pytest.mark.parametrize(
    ("program", "limit_s", "reason"),
    [
        ("raise SystemExit('no camera')", 60, "status 1: no camera"),
        ("print('talk')", 60, "Expecting value"),
        ("print('[1]')", 60, "expected a JSON object in its last line, found list"),
        ("import time; time.sleep(60)", 0.5, "the time was over"),
    ],
)
def test_one_that_fails_keeps_its_older_result_and_the_others_go_on(
    tmp_path: Path, program: str, limit_s: float, reason: str
) -> None:
    older = soak(tmp_path)
    before = older.read_text()
    bad = run_all.Benchmark("soak", said(program), 1)
    good = replace(bad, kind="other", commands=said("print('{}')"))
    (line,) = run_all.run([good, bad] if limit_s > 1 else [bad], tmp_path, limit_s)
    assert line.startswith("soak: kept its older result: ")
    assert reason in line
    assert older.read_text() == before
    assert len(list(tmp_path.glob("other-*"))) == (limit_s > 1)


def test_parts_of_one_result_are_joined_by_their_number_of_threads() -> None:
    answers = {"threads 1": {"ms": 1}, "threads 2": {"ms": 2}, "program 1": {"fps": 3}}
    assert run_all.both(answers) == {"threads": {"1": {"ms": 1}, "2": {"ms": 2}}, "program": {"1": {"fps": 3}}}


def test_all_of_it_is_planned_for_a_quarter_of_an_hour_and_runs_scripts_that_exist(capsys) -> None:
    assert sum(each.about_s for each in run_all.BENCHMARKS) < run_all.LIMIT_S == 900
    for each in run_all.BENCHMARKS:
        for command in each.commands.values():
            assert command[0] == "-m" or (TREE / command[0]).is_file()
    assert run_all.main(["--list", "soak"]) == 0
    assert capsys.readouterr().out.startswith("soak: about 130 s: benchmarks/live_soak.py")
