"""The recordings of `echo-rt file`, one after the other or side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from echo_rt.commands.job import Follow, Here, Job, Opening, Options, Outcome, Runner, default_jobs, usable_cores
from echo_rt.commands.progress import BatchProgress
from echo_rt.commands.table import console, labels, print_table
from echo_rt.errors import printable
from echo_rt.logs import quiet
from echo_rt.outputs.names import Choice, Names
from echo_rt.refused import Refused
from echo_rt.result import RecordingResult

RENAMED = 3
"""How often a recording is tried again under another name, where other runs take the names at the same moment."""


class Batch:
    """Recordings and what comes of them, in the order in which they were given. A bad one is named, the rest goes on.

    Attributes:
        console: for progress and messages: standard error, so that standard output holds the result alone.
        failed: those that could not be read, or in which no ventricle was found.
    """

    def __init__(self, recordings: Sequence[str], options: Options) -> None:
        self.recordings, self.options = recordings, options
        self.console = console(stderr=True)
        self.failed: list[str] = []
        self._refused: list[tuple[str, str]] = []
        self._outcomes: list[Outcome | None] = [None] * len(recordings)
        self._told = 0  # outcomes whose failures were shown
        self._names = None if options.out is None else Names(options.out)
        self._index = None if options.out is None or "html" not in options.reports else _index_of(options.out)
        # All before the first one begins, so that nothing depends on which is done first.
        self._choices = [self._choose(number) for number in range(len(recordings))]

    @property
    def results(self) -> list[RecordingResult]:
        """Of those that were read."""
        return [outcome for outcome in self._outcomes if isinstance(outcome, RecordingResult)]

    def run(self, opening: Opening, jobs: int | None = None) -> None:
        """Follow all recordings, show how far they are, and name each that fails.

        Args:
            opening: of the engine.
            jobs: recordings side by side; None: as many as help.

        Raises:
            EchoRtError: the engine cannot be opened.
        """
        runner = self._runner(opening, jobs)
        tries = [0] * len(self.recordings)
        with runner, BatchProgress(self.console, self.recordings) as progress:
            for number in range(len(self.recordings)):
                runner.submit(self._job(number))
            for job, outcome in runner.outcomes(progress.tell):
                tries[job.number] += 1
                if self._taken(job, outcome) and tries[job.number] <= RENAMED:
                    runner.submit(self._job(job.number))
                    continue
                progress.finish(job.number)
                self._outcomes[job.number] = outcome
                self._name_failures()

    def _runner(self, opening: Opening, jobs: int | None) -> Runner:
        most = len(self.recordings)
        count = min(most, (jobs or default_jobs(opening.device)) if most > 1 else 1)
        if most == 1:
            return Here(opening, self.options)
        from echo_rt.commands.workers import Workers
        from echo_rt.engine.host import MOST_THREADS

        settled = opening.settled()
        if count > 1:
            settled = replace(settled, threads=max(1, min(MOST_THREADS, usable_cores() // (2 * count))))
        return Workers(count, settled, Follow(self.options))

    def _job(self, number: int) -> Job:
        return Job(number, self.recordings[number], self._choices[number].name)

    def _choose(self, number: int) -> Choice:
        recording = self.recordings[number]
        # Of an address such as phantom:?ef=55&hr=70 all counts.
        wanted = recording if "?" in recording else Path(recording).stem
        return Choice("", "") if self._names is None else self._names.choose(wanted, recording)

    def _taken(self, job: Job, outcome: Outcome) -> bool:
        """Whether its folder became another recording's since it was chosen; the recording has a new one then."""
        if self._names is None or not isinstance(outcome, Refused) or not outcome.output:
            return False
        self._names.look()
        self._choices[job.number] = self._choose(job.number)
        return self._choices[job.number].name != job.folder

    def _name_failures(self) -> None:
        """Show those that all before them are done with: in the order of the recordings."""
        while self._told < len(self._outcomes) and (outcome := self._outcomes[self._told]) is not None:
            recording = self.recordings[self._told]
            self._told += 1
            failure = outcome.text if isinstance(outcome, Refused) else _failure(recording, outcome)
            if failure is not None:
                self.failed.append(recording)
                if isinstance(outcome, Refused):
                    self._refused.append((recording, failure))
                self.console.print(f"echo-rt: {printable(failure)}")

    def write_index(self) -> None:
        """Write the index of all results in the folder, where pages were asked for.

        Raises:
            OutputError: it cannot be written.
        """
        if self._index:
            self._index(self._refused)

    def print_failed(self) -> None:
        """Name once more, below the table, those of several that gave no result."""
        if self.failed and len(self.recordings) > 1:
            names = printable(", ".join(self.failed))
            self.console.print(f"{len(self.failed)} of {len(self.recordings)} recordings gave no result: {names}")

    def print_table(self) -> None:
        """Print what was found, and where the results are."""
        shown = [
            (label, outcome, self._elsewhere(number))
            for number, (label, outcome) in enumerate(zip(labels(self.recordings), self._outcomes, strict=True))
            if isinstance(outcome, RecordingResult)
        ]
        if not shown:
            return
        print_table(shown)
        if self.options.out is not None:
            console().print(f"results in {printable(str(self.options.out))}")

    def print_elsewhere(self) -> None:
        """Say beside JSON which results are not where their name is."""
        for number, (recording, outcome) in enumerate(zip(self.recordings, self._outcomes, strict=True)):
            if isinstance(outcome, RecordingResult) and not quiet():
                for note in self._elsewhere(number):
                    self.console.print(f"{printable(recording)}: {printable(note)}")

    def _elsewhere(self, number: int) -> list[str]:
        name, wanted, holder = self._choices[number]
        if self.options.out is None or name == wanted:
            return []
        nothing = holder is None or (holder in self.failed and not (self.options.out / wanted).exists())
        why = "" if nothing else f", for {wanted} holds those of {holder}"
        return [f"kept in {self.options.out / name}{why}"]


def _index_of(out: Path) -> Callable[[list[tuple[str, str]]], object]:
    """Writes the index of a folder, of which it is seen at once whether it can be written."""
    from echo_rt.outputs.reports.index import check_index, write_index

    check_index(out)
    return partial(write_index, out)


def _failure(recording: str, result: RecordingResult) -> str | None:
    """Why a recording counts as failed though it was read; None where it does not."""
    if result.two_views is not None and result.ef.percent is None:
        return f"{recording}: no biplane EF: {result.ef.reason}"
    frames = result.frames
    if sum(frames.rejected.values()) == frames.total:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in frames.rejected.items())
        return (
            f"{recording}: expected an apical view of the heart, found none in {frames.total} frames: {reasons}; no EF"
        )
    return None
