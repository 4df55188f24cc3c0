"""What happens to one recording of several, and what the others see of it: one line."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from echo_rt.commands.batch import Batch
from echo_rt.commands.job import Follow, Here, Job, Opening, Options, Refused, follow
from echo_rt.commands.workers import Workers
from echo_rt.phantom import PhantomOptions
from echo_rt.phantom.phantom import Phantom
from echo_rt.phantom.write import write
from support.program import echo_rt

posix = pytest.mark.skipif(sys.platform == "win32", reason="names of POSIX")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "expected enough memory, found too little"),
        (RecursionError("deep"), "a defect of echo-rt (RecursionError: deep, in test_batch_faults.py:"),
        (ValueError("two\nlines"), "a defect of echo-rt (ValueError: two, in test_batch_faults.py:"),
        (UnicodeEncodeError("utf-8", "\udce9", 0, 1, "no"), "a defect of echo-rt (UnicodeEncodeError: "),
    ],
)
def test_whatever_happens_to_a_recording_costs_it_one_line(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*asked: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("echo_rt.pipeline.process", fail)
    batch = Batch(["clip.dcm"], Options())
    batch._runner = lambda opening, jobs: WithoutEngine(opening, batch.options)
    batch.console = Console(file=io.StringIO(), width=400)
    batch.run(Opening(None, "cpu"))
    (line,) = batch.console.file.getvalue().splitlines()
    assert line.startswith("echo-rt: clip.dcm: expected ")
    assert said in line
    assert batch.failed == ["clip.dcm"]


class WithoutEngine(Here):
    def outcomes(self, tell):
        while self._waiting:
            job = self._waiting.popleft()
            yield job, follow(job, None, self._options, tell)


def test_a_process_that_gives_no_sign_of_life_is_ended_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECHO_RT_MAX_SILENCE_S", "0.01")
    job = Job(0, "phantom:?seconds=900&height=120&width=160", "")
    with Workers(1, Opening(None, "cpu", 1), Follow(Options())) as workers:
        workers.submit(job)
        ((_, outcome),) = workers.outcomes(lambda number, done, expected: None)
    assert isinstance(outcome, Refused)
    assert "ended (no sign of life for 0.01 s)" in outcome.text


@posix
def test_names_that_are_no_text_and_names_as_long_as_may_be_are_read_and_written(tmp_path: Path) -> None:
    heart, *_ = write(
        Phantom(PhantomOptions.of(seconds=0.7, height=120, width=160, fps=30)), tmp_path / "heart.avi", masks=False
    )
    names = [b"caf\xe9.avi", b"x" * 251 + b".avi", b"[red]\x1b[31m.avi"]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(heart.read_bytes())
    run = echo_rt("file", tmp_path, "--out", tmp_path / "out", "--jobs", "1", "--no-overlay")
    assert run.returncode == 0, run.stderr
    assert len(list((tmp_path / "out").iterdir())) == 4
    assert "\x1b" not in run.stdout
