"""What once broke echo-rt, and a fixed number of seeds of every mutator: read, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustness.harness import DEFECT, mutators, run_case

NAMES = sorted(mutators())

SEEDS = {
    "containers": (287933129, 287938667, 287955130, 419464609, 419468537, 419471722, 419474823),
    "dicom": (72,),
}
"""Of files that once failed, by their mutator: see `make fuzz`."""


@pytest.mark.parametrize("name", NAMES)
def test_what_once_failed_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    mutator = mutators()[name]
    cases = [(case.name, run_case(lambda case=case: mutator.run(case))) for case in mutator.corpus(tmp_path)]
    assert cases
    assert [(name, outcome.said) for name, outcome in cases if outcome.kind == DEFECT] == []


@pytest.mark.parametrize(("name", "seed"), [(name, seed) for name in SEEDS for seed in SEEDS[name]])
def test_a_file_that_once_failed_is_read_or_refused_in_one_line(name: str, seed: int, tmp_path: Path) -> None:
    mutator = mutators()[name]
    case = mutator.make(seed, tmp_path)
    outcome = run_case(lambda: mutator.run(case))
    assert outcome.kind != DEFECT, outcome.said


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
