"""What a live feed leaves on disk, and what it comes to when it is followed again."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from echo_rt.engine import open_engine
from echo_rt.errors import OutputError, SourceFormatError
from echo_rt.outputs.recorder import Recorder
from echo_rt.sources import find_recordings, open_source
from support.live_parts import eventually, frames
from support.looking import readings as beating
from support.takes import readings, record


def test_a_recording_replays_to_identical_frames_and_readings(tmp_path: Path) -> None:
    with open_source("phantom:?seconds=1&fps=50&height=240&width=320") as source:
        # Times that no container keeps, numbers with gaps, and a scale that changes.
        shown = [
            replace(
                frame,
                t_s=frame.t_s * 1.0123456789 + 1e-7,
                index=2 * frame.index,
                spacing_mm=(0.1 + frame.index / 3e3, 0.2),
            )
            for frame in source
        ]
    with open_engine() as engine:
        before = readings(shown, engine)
        record(tmp_path, before)
        (take,) = find_recordings([tmp_path])
        with open_source(take) as source:
            after = readings(source, engine)
    assert len(after) == len(before) == 50
    for (frame, one), (again, other) in zip(before, after, strict=True):
        assert np.array_equal(frame.image, again.image)
        assert (frame.t_s, frame.index, frame.spacing_mm) == (again.t_s, again.index, again.spacing_mm)
        assert (one.quality, one.ef, one.beat) == (other.quality, other.ef, other.beat)
        assert one.rolling == other.rolling
        assert (one.ventricle and one.ventricle.volume) == (other.ventricle and other.ventricle.volume)


def test_the_lines_in_which_a_beat_ends_alone_have_the_measures_and_the_take_is_read_again(tmp_path: Path) -> None:
    followed = [(update.frame, update.reading) for update in beating()]
    record(tmp_path, followed)
    rows = [json.loads(line) for line in (tmp_path / "take-001" / "readings.jsonl").read_text().splitlines()]
    assert [row["index"] for row in rows if "measures" in row] == [
        reading.index for _, reading in followed if reading.beat is not None
    ]
    last = [row for row in rows if "measures" in row][-1]
    rolling = followed[last["index"]][1].rolling
    assert last["measures"] == {figure.name: figure.value for figure in rolling.known}, "exact, and the known alone"
    with open_source(tmp_path / "take-001") as source:
        assert [frame.index for frame in source] == [frame.index for frame, _ in followed]
        assert source.notes == []


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 3), (33, 47, 3), (33, 47)])
def test_frames_of_any_kind_are_kept_without_loss(shape: tuple[int, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    shown = [replace(frame, image=rng.integers(0, 256, shape, np.uint8)) for frame in frames(5)]
    record(tmp_path, readings(shown))
    with open_source(tmp_path / "take-001") as source:
        for frame, again in zip(shown, source, strict=True):
            assert np.array_equal(frame.image, again.image)


def test_each_history_and_each_size_is_a_take_and_nothing_is_written_over(tmp_path: Path) -> None:
    record(tmp_path, readings([*frames(4), *frames(4, size=(80, 60), start=4)]))
    first = (tmp_path / "take-001" / "frames.mkv").read_bytes()
    recorder = Recorder(tmp_path, {})
    for number, (frame, reading) in enumerate(readings(frames(6))):
        recorder.write(frame, reading, "given:", number // 3)
    recorder.close()
    assert [path.name for path in find_recordings([tmp_path])] == ["take-001", "take-002", "take-003", "take-004"]
    assert (tmp_path / "take-001" / "frames.mkv").read_bytes() == first
    lengths = []
    for take in find_recordings([tmp_path]):
        with open_source(take) as source:
            lengths.append((source.frames, sum(1 for _ in source)))
    assert lengths == [(4, 4), (4, 4), (3, 3), (3, 3)]
    about = json.loads((tmp_path / "take-001" / "recording.json").read_text())
    assert about["source"] == "given:"


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
from echo_rt.cardiac.monitor import Monitor
from echo_rt.outputs.recorder import Recorder
from echo_rt.following import follow
from support.live_parts import StandInEngine, frames
engine = StandInEngine()
recorder = Recorder(sys.argv[1], {})
begun = time.monotonic()
for frame, reading in follow(frames(10_000, fps=50, size=(240, 320)), engine, Monitor(engine.spec)):
    time.sleep(max(0, begun + frame.t_s - time.monotonic()))
    recorder.write(frame, reading, "given:", 1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 there")
def test_after_kill_9_the_recording_replays_up_to_the_last_second(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)])
    lines = tmp_path / "take-001" / "readings.jsonl"
    eventually(lambda: lines.exists() and len(lines.read_bytes().splitlines()) > 100)
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = [json.loads(line) for line in lines.read_text().splitlines()]
    with open_source(tmp_path / "take-001") as source:
        found = list(source)
    assert len(found) > 50
    assert found[-1].t_s >= written[-1]["t_s"] - 1.0
    assert [frame.index for frame in found] == list(range(len(found)))
    assert [int(frame.image[0, 0]) for frame in found] == [index % 256 for index in range(len(found))]


FULL = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import OutputError
from echo_rt.outputs import recorder as module
from echo_rt.following import follow
from support.live_parts import StandInEngine, frames
import numpy as np
from dataclasses import replace
module.RETRY_S = 0.0
engine, rng = StandInEngine(), np.random.default_rng(0)
shown = [replace(frame, image=rng.integers(0, 256, (200, 200), np.uint8)) for frame in frames(60)]
recorder, refused = module.Recorder(sys.argv[1], {}), 0
for number, (frame, reading) in enumerate(follow(shown, engine, Monitor(engine.spec))):
    if number == 10:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    if number == 40:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        recorder.write(frame, reading, "given:", 1)
    except OutputError as error:
        refused += 1
        said = str(error)
recorder.close()
print(refused, said)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file size there")
def test_a_full_disk_is_said_and_when_there_is_room_again_a_new_take_begins(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path), str(Path(__file__).parent)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert int(run.stdout.split()[0]) > 5
    assert "free some space" in run.stdout
    last = find_recordings([tmp_path])[-1]
    with open_source(last) as source:
        assert list(source)[-1].index == 59


def test_frames_that_were_not_on_disk_yet_when_it_was_full_are_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("echo_rt.outputs.recorder.FLUSH_S", 60.0)
    recorder = Recorder(tmp_path, {})
    followed = readings(frames(8))
    for frame, reading in followed[:7]:
        recorder.write(frame, reading, "given:", 1)
    held = recorder._take.unwritten
    assert held > 1, "of one cluster"

    def full(*given) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    lines = recorder._take._lines
    broken = SimpleNamespace(write=full, close=lines.close, fileno=lines.fileno)
    monkeypatch.setattr(recorder._take, "_lines", broken)
    with pytest.raises(OutputError, match="free some space") as refused:
        recorder.write(*followed[7], "given:", 1)
    assert refused.value.lost == held + 1


def test_after_a_refusal_nothing_is_tried_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    followed = readings(frames(3))
    recorder = Recorder(tmp_path / "out", {})
    (tmp_path / "out").rmdir()
    (tmp_path / "out").write_text("a file in its place")
    with pytest.raises(OutputError, match="take-001"):
        recorder.write(*followed[0], "given:", 1)
    (tmp_path / "out").unlink()
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="take-001"):
        recorder.write(*followed[1], "given:", 1)
    now = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + 10)
    recorder.write(*followed[2], "given:", 1)
    recorder.close()


def test_a_folder_that_cannot_be_made_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose a folder"):
        Recorder(tmp_path / "file" / "out", {})


@pytest.mark.parametrize("missing", ["frames.mkv", "readings.jsonl"])
def test_a_take_without_one_of_its_files_says_what_is_expected(missing: str, tmp_path: Path) -> None:
    record(tmp_path, readings(frames(4)))
    os.remove(tmp_path / "take-001" / missing)
    with pytest.raises(SourceFormatError, match="recording of `echo-rt live`"), open_source(tmp_path / "take-001"):
        pass


def test_a_frame_of_one_pixel_among_others_costs_no_other(tmp_path: Path) -> None:
    shown = [*frames(3), *frames(1, size=(1, 1), start=3), *frames(3, start=4)]
    record(tmp_path, readings(shown))
    lines = [line for path in sorted(tmp_path.glob("*/readings.jsonl")) for line in path.read_text().splitlines()]
    kept = [json.loads(line)["index"] for line in lines]
    assert kept == list(range(7))


@pytest.mark.parametrize("after", ["moved", "replaced", "removed at the end"])
def test_a_take_that_is_no_longer_there_is_not_called_kept(after: str, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "out", {})
    for frame, reading in readings(frames(4)):
        recorder.write(frame, reading, "given:", 1)
    take = tmp_path / "out" / "take-001"
    if after == "removed at the end":
        recorder.close()
        assert recorder.unkept() == []
        take.rename(tmp_path / "elsewhere")
    else:
        take.rename(tmp_path / "elsewhere")
        if after == "replaced":
            take.mkdir()
            (take / "readings.jsonl").write_text("of somebody else")
        with pytest.raises(OutputError, match="moved away or removed"):
            recorder.close()
        assert not (take / "recording.json").exists()
    (why,) = recorder.unkept()
    assert str(take) in why
    with open_source(tmp_path / "elsewhere") as source:
        assert len(list(source)) == 4, "what was written is whole, wherever it is"
