"""The harness sees what it is there to see."""

from __future__ import annotations

from contextlib import suppress

import pytest

from echo_rt.errors import ModelError
from robustness.harness import CLEAN, DEFECT, REFUSED, mutators, run_case


def refuse(said: str) -> None:
    raise ModelError(said)


def out_of_memory_but_refused() -> None:
    try:
        bytearray(1 << 40)
    except MemoryError:
        refuse("a large file")


def forever() -> None:
    with suppress(Exception):  # as a handler for anything would
        while True:
            pass


def test_what_ends_well_is_clean_and_what_says_why_is_refused() -> None:
    assert run_case(lambda: None).kind == CLEAN
    assert run_case(lambda: refuse("clip.dcm: expected this, found that")).kind == REFUSED


@pytest.mark.parametrize("said", ["", "two\nlines", "\x1b[31mred", "x" * 10_000])
def test_a_refusal_that_is_not_one_short_printable_line_is_a_defect(said: str) -> None:
    class RawError(ModelError):
        """Its text is not escaped, as that of our errors is."""

        def __str__(self) -> str:
            return said

    def fail() -> None:
        raise RawError

    assert run_case(fail).kind == DEFECT


def test_another_exception_and_an_exit_are_defects() -> None:
    assert "ZeroDivisionError" in run_case(lambda: 1 // 0).said
    assert run_case(lambda: exit(2)).kind == DEFECT


def test_a_case_that_does_not_end_is_stopped() -> None:
    assert "more than 0.2 s" in run_case(forever, seconds=0.2).said


def test_a_case_that_takes_much_memory_is_a_defect_whether_or_not_it_gets_it() -> None:
    # Above 32 MB the C library asks the system, and takes nothing that an earlier test gave back.
    assert "MB" in run_case(lambda: bytearray(b"1") * 100_000_000, megabytes=20).said
    assert "MemoryError" in run_case(lambda: bytearray(1 << 34), megabytes=20).said
    assert "memory ran out" in run_case(out_of_memory_but_refused, megabytes=20).said
    assert run_case(lambda: bytearray(1 << 20), megabytes=20).kind == CLEAN


def test_every_mutator_has_what_the_harness_asks_for() -> None:
    for mutator in mutators().values():
        assert mutator.SEEDS > 0
        assert all(callable(part) for part in (mutator.make, mutator.corpus, mutator.run))
