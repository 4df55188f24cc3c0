"""What once broke echo-rt, and a fixed number of seeds of every mutator: read, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustness.harness import DEFECT, mutators, run_case

NAMES = sorted(mutators())


@pytest.mark.parametrize("name", NAMES)
def test_what_once_failed_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    mutator = mutators()[name]
    cases = [(case.name, run_case(lambda case=case: mutator.run(case))) for case in mutator.corpus(tmp_path)]
    assert cases
    assert [(name, outcome.said) for name, outcome in cases if outcome.kind == DEFECT] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_file_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    mutator, defects, names = mutators()[name], [], set()
    for seed in range(mutator.SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        case = mutator.make(seed, folder)
        names.add(case.name)
        outcome = run_case(lambda case=case: mutator.run(case))
        if outcome.kind == DEFECT:
            defects.append((seed, case.name, outcome.said))
    assert len(names) > 1
    assert defects == []
