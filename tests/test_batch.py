"""Many recordings in one run: side by side, with damaged ones among them, interrupted, and in a terminal."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from echo_rt.commands.batch import Batch
from echo_rt.commands.exit_status import INTERRUPTED
from echo_rt.commands.job import Follow, Here, Job, Opening, Options, Refused, default_jobs
from echo_rt.commands.progress import BatchProgress
from echo_rt.commands.workers import Workers
from echo_rt.engine.fastest import Candidate
from echo_rt.errors import ModelError
from echo_rt.model import model_path
from echo_rt.phantom import PhantomOptions
from echo_rt.phantom.phantom import Phantom
from echo_rt.phantom.write import write
from echo_rt.result import RecordingResult
from support.clips import write_images, write_video
from support.program import echo_rt

FILES = {"summary.json", "readings.csv", "masks.npz", "overlay.mp4", "curve.png"}
PROGRAM = [sys.executable, "-c", "from echo_rt.commands.app import main; main()"]

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture(scope="session")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One small drawn heart in several formats, by suffix."""
    folder = tmp_path_factory.mktemp("hearts")
    heart = Phantom(PhantomOptions.of(seconds=0.7, height=120, width=160, fps=30, seed=3, ef=45))
    return {suffix: write(heart, folder / f"heart{suffix}", masks=False)[0] for suffix in (".avi", ".mp4", ".dcm")}


def damaged(folder: Path, hearts: dict[str, Path]) -> list[Path]:
    """Ten recordings that are none, each in a way of its own."""
    paths = {name: folder / f"{name}" for name in (
        "empty.avi", "text.mp4", "half.mp4", "zeros.dcm", "cut.dcm", "still.mp4", "noise.mkv", "header.avi",
        "gone.mp4", "one.dcm",
    )}  # fmt: skip
    whole = {suffix: path.read_bytes() for suffix, path in hearts.items()}
    paths["empty.avi"].touch()
    paths["text.mp4"].write_text("a note of the laboratory\n" * 30)
    paths["half.mp4"].write_bytes(whole[".mp4"][: len(whole[".mp4"]) // 2])
    paths["zeros.dcm"].write_bytes(bytes(len(whole[".dcm"])))
    paths["cut.dcm"].write_bytes(whole[".dcm"][: len(whole[".dcm"]) // 3])
    write_video(paths["still.mp4"], np.full((1, 48, 64), 90, np.uint8))
    paths["noise.mkv"].write_bytes(np.random.default_rng(0).bytes(20_000))
    paths["header.avi"].write_bytes(whole[".avi"][:400])
    paths["gone.mp4"].symlink_to(folder / "nowhere.mp4")
    paths["one.dcm"].write_bytes(whole[".dcm"][:132])
    return list(paths.values())


@pytest.fixture(scope="module")
def thirty(hearts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 30 recordings, ten of them damaged; many have the names of others."""
    folder = tmp_path_factory.mktemp("thirty")
    for number in range(20):
        suffix = (".avi", ".mp4", ".dcm")[number % 3]
        patient = folder / f"p{number // 2}"
        patient.mkdir(exist_ok=True)
        shutil.copy(hearts[suffix], patient / (f"IM{number % 2}" + suffix))
    damaged(folder, hearts)
    return folder


def test_twenty_of_thirty_have_results_and_ten_a_line_each(thirty: Path, tmp_path: Path) -> None:
    run = echo_rt("file", thirty, "--out", tmp_path / "out", "--jobs", "2", "--no-overlay", COLUMNS="80")
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    lines = run.stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("echo-rt: ")]
    assert len(errors) == 10
    assert len(lines) == 11
    assert lines[-1].startswith("10 of 30 recordings gave no result: ")
    named = [path.name for path in thirty.iterdir() if not path.is_dir()]
    assert [sum(name in line for line in errors) for name in named] == [1] * 10
    folders = list((tmp_path / "out").iterdir())
    assert len(folders) == 20
    assert all({path.name for path in folder.iterdir()} == FILES - {"overlay.mp4"} for folder in folders), (
        "and no .part"
    )
    whose = [json.loads((folder / "summary.json").read_text())["recording"] for folder in folders]
    assert len(set(whose)) == 20
    table = run.stdout.splitlines()
    rows = table[1:21]
    assert table[0].split()[-1] == "beats"
    assert max(map(len, rows)) <= 80
    assert len({row.split()[0] for row in rows}) == 20, "names that tell them apart"
    assert all(row.split()[-1].isdigit() for row in rows), "the last column is there"


def summaries(*arguments: str | Path) -> list[dict]:
    found = json.loads(echo_rt("file", *arguments, "--json").stdout)
    for summary in found:
        del summary["latency_ms"]
    return found


@pytest.mark.parametrize(("jobs", "threads"), [(1, 2), (2, 1)])
def test_side_by_side_or_not_auto_takes_the_same_engine(
    jobs: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the network alone the threads differ: on some machines it is not the first of the devices that is faster."""
    fastest = [Candidate("openvino", "fp32", 2, 1.0), Candidate("cpu", "int8", 2, 2.0)]
    monkeypatch.setattr("echo_rt.engine.measured", lambda model: fastest)
    monkeypatch.setattr("echo_rt.commands.batch.usable_cores", lambda: 4)
    runner = Batch(["a.avi", "b.avi"], Options())._runner(Opening(), jobs)
    assert isinstance(runner, Workers)
    assert runner._setup.opening == Opening(str(model_path("lv-edge.fp32")), "openvino", threads)


def test_side_by_side_gives_the_results_of_one_after_the_other_in_the_same_order(
    hearts: dict[str, Path], tmp_path: Path
) -> None:
    for number, suffix in enumerate((".dcm", ".avi", ".avi")):
        (tmp_path / f"{3 - number}").mkdir()
        shutil.copy(hearts[suffix], tmp_path / f"{3 - number}" / f"heart{suffix}")
    given = sorted(tmp_path.glob("*/heart*"))
    kinds = ["one", "two"]
    one, two = (
        summaries(*given, "--out", tmp_path / kind, "--jobs", str(1 + n), "--no-overlay")
        for n, kind in enumerate(kinds)
    )
    assert [summary["recording"] for summary in one] == list(map(str, given))
    assert one == two
    for folder in (tmp_path / "one").iterdir():
        other = tmp_path / "two" / folder.name
        assert (folder / "masks.npz").read_bytes() == (other / "masks.npz").read_bytes()
        mine, theirs = (json.loads((path / "summary.json").read_text()) for path in (folder, other))
        assert mine["recording"] == theirs["recording"], "the same folder for the same recording"


def test_a_folder_that_became_anothers_since_it_was_chosen_is_left_to_it(tmp_path: Path) -> None:
    """By another echo-rt that writes into the same folder."""
    batch = Batch(["phantom:?seed=1&seconds=1&height=120&width=160"], Options(tmp_path, overlay=False))
    taken = tmp_path / batch._choices[0].name
    taken.mkdir()
    (taken / "summary.json").write_text('{"recording": "p1/other.dcm"}')
    batch.run(Opening(None, "cpu"), jobs=1)
    assert (taken / "summary.json").read_text() == '{"recording": "p1/other.dcm"}'
    assert sorted(path.name for path in tmp_path.iterdir()) == [taken.name, f"{taken.name}-2"]
    assert not batch.failed
    assert len(batch.results) == 1
    assert batch._elsewhere(0) == [f"kept in {taken}-2, for {taken.name} holds those of p1/other.dcm"]


def test_what_ends_a_process_costs_one_recording_and_is_said() -> None:
    """A fault in a decoder's library, or a system short of memory."""
    jobs = [Job(number, f"phantom:?seed={number}&seconds=1&height=120&width=160", "") for number in range(4)]
    with Workers(2, Opening(None, "cpu", 1), Follow(Options())) as workers:
        for job in jobs:
            workers.submit(job)

        def tell(number: int, done: int, expected: int | None) -> None:
            if number == 1:
                next(worker for worker in workers._running if worker.job == jobs[1]).process.kill()

        outcomes = dict(workers.outcomes(tell))
    assert set(outcomes) == set(jobs)
    assert [isinstance(outcomes[job], RecordingResult) for job in jobs] == [True, False, True, True]
    refused = outcomes[jobs[1]]
    assert isinstance(refused, Refused)
    assert refused.text.startswith(jobs[1].recording)
    assert "found that the process which followed it ended (SIGKILL)" in refused.text


@pytest.mark.parametrize("runner", [Here, lambda opening, options: Workers(2, opening, Follow(options))])
def test_an_engine_that_cannot_be_opened_is_an_error_before_any_recording(runner, tmp_path: Path) -> None:
    (tmp_path / "foreign.onnx").write_bytes(b"no model")
    with (
        pytest.raises((ModelError, RuntimeError), match=r"foreign\.onnx"),
        runner(Opening(str(tmp_path / "foreign.onnx"), "cpu"), Options(tmp_path / "out")) as running,
    ):
        running.submit(Job(0, "phantom:?seconds=1", "phantom"))
        list(running.outcomes(lambda number, done, expected: None))
    assert not (tmp_path / "out").exists()


@posix
@pytest.mark.parametrize("how", ["ctrl-c", "the first process alone", "killed"])
def test_an_end_in_the_middle_leaves_nothing_half_written_and_no_process(how: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    endless = [f"phantom:?seed={number}&seconds=900&height=120&width=160" for number in range(3)]
    command = [*PROGRAM, "file", *endless, "--out", str(out), "--jobs", "2", "--no-overlay"]
    # A shell that starts this in the background has it ignore Ctrl-C, and its children inherit that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed) as run:
        wait_for(lambda: len(list(out.glob(".*.part/readings.csv"))) == 2)
        if how == "ctrl-c":
            os.killpg(run.pid, signal.SIGINT)  # as a terminal does
        else:
            run.send_signal(signal.SIGKILL if how == "killed" else signal.SIGINT)
        assert run.stderr is not None
        said = run.stderr.read()
    assert run.returncode == (-signal.SIGKILL if how == "killed" else INTERRUPTED)
    if how != "killed":
        assert said.strip().splitlines() == ["echo-rt: interrupted; results that were not finished are not kept"]
    wait_for(lambda: not list(out.iterdir()))
    wait_for(lambda: not in_group(run.pid))


def in_group(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def wait_for(condition, patience_s: float = 120) -> None:
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_on_a_terminal_one_bar_shows_the_whole_batch() -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100, color_system=None)
    with BatchProgress(terminal, ["[bold]a.avi", ":x:.avi", "c.avi", "d.avi"]) as progress:
        progress.tell(1, 30, 60)
        progress.finish(0)
        progress.tell(1, 60, 60)
        progress.finish(1)
        time.sleep(0.01)
        progress._bar.refresh()
    last = screen.getvalue().split("\r")[-1] if "2/4" not in screen.getvalue() else screen.getvalue()
    assert "2/4 recordings" in last
    assert "frames/s" in last
    assert progress._bar.tasks[0].completed == pytest.approx(0.5), "half of the work"


def test_a_large_file_has_a_large_share_of_the_bar(tmp_path: Path) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(bytes(9000))
    small.write_bytes(bytes(1000))
    terminal = Console(file=io.StringIO(), force_terminal=True)
    with BatchProgress(terminal, [str(large), str(small)]) as progress:
        progress.tell(0, 5, 10)
        assert progress._bar.tasks[0].completed == pytest.approx(0.45)
        progress.finish(1)
        assert progress._bar.tasks[0].completed == pytest.approx(0.55)


def test_into_a_pipe_no_bar_is_drawn() -> None:
    pipe = io.StringIO()
    with BatchProgress(Console(file=pipe), ["a.avi", "b.avi"]) as progress:
        progress.tell(0, 1, 2)
        progress.finish(0)
    assert pipe.getvalue() == ""


@pytest.mark.parametrize(("cores", "jobs"), [(1, 1), (2, 2), (4, 3), (16, 11)])
def test_as_many_recordings_side_by_side_as_keep_the_cores_busy(
    cores: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("echo_rt.commands.job.usable_cores", lambda: cores)
    assert default_jobs("cpu") == jobs
    assert default_jobs("cuda") == 1


def test_a_folder_of_images_is_a_recording_among_others(hearts: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(hearts[".mp4"], tmp_path / "in")
    images = np.zeros((4, 48, 64), np.uint8)
    write_images(tmp_path / "in" / "frames", images)
    run = echo_rt("file", tmp_path / "in", "--fps", "25", "--jobs", "2")
    assert run.returncode == 2
    assert "1 of 2 recordings" in run.stderr
    assert "frames: expected an apical view" in run.stderr
