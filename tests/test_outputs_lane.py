"""Outputs in a thread of their own: in order, bounded, and their errors reach whoever writes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from echo_rt.errors import OutputError
from echo_rt.frame import Frame
from echo_rt.outputs import FileOutput, RecordingFiles
from echo_rt.outputs.lane import Lane
from echo_rt.outputs.masks import MaskOutput
from echo_rt.reading import Reading
from echo_rt.result import RecordingResult
from support.results import result_of
from support.synthetic import clip


@pytest.fixture(scope="module")
def frames() -> list:
    return list(clip(20))


class Slow(FileOutput):
    """Takes as long for every frame as it is let; notes what it was given, and in which thread."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__("slow")
        self.taken: list[int] = []
        self.threads: set[int] = set()
        self.let = threading.Semaphore(0)
        self.fails_at = fails_at

    def write(self, frame: Frame, reading: Reading) -> None:
        self.let.acquire()
        self.threads.add(threading.get_ident())
        if frame.index == self.fails_at:
            raise OutputError("slow: the disk is full")
        self.taken.append(frame.index)

    def finish(self, result: RecordingResult) -> None:
        self.taken.append(-1)


def lanes() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "echo-rt slow"]


def test_a_lane_writes_in_order_while_others_go_on_and_no_more_than_some_frames_behind(frames: list) -> None:
    output = Slow()
    lane = Lane("slow", [output], depth=2)
    for frame, reading in frames[:3]:  # one is at hand, two wait
        lane.write(frame, reading)
    late = threading.Thread(target=lambda: lane.write(*frames[3]))
    late.start()
    late.join(0.3)
    assert late.is_alive(), "there is no room for a fourth one"
    assert output.taken == []
    output.let.release(10)
    late.join()
    lane.finish(result_of(frames[:4]))
    lane.wait()
    assert output.taken == [0, 1, 2, 3, -1]
    assert output.threads.isdisjoint({threading.get_ident()})
    assert not lanes()


@pytest.mark.parametrize("when", ["at a frame", "at the end"])
def test_an_error_in_a_lane_reaches_whoever_writes(frames: list, when: str) -> None:
    output = Slow(fails_at=1)
    lane = Lane("slow", [output], depth=2)
    output.let.release(100)
    with pytest.raises(OutputError, match="the disk is full"):
        for frame, reading in frames[: 2 if when == "at the end" else 20]:
            lane.write(frame, reading)
        lane.finish(result_of())
        lane.wait()
    assert output.taken == [0]
    lane.discard()
    assert not lanes()


def test_a_lane_that_is_left_forgets_what_waits(frames: list) -> None:
    output = Slow()
    lane = Lane("slow", [output], depth=5)
    for frame, reading in frames[:5]:
        lane.write(frame, reading)
    while output.let.acquire(blocking=False):
        pass
    leaving = threading.Thread(target=lane.discard)
    leaving.start()
    leaving.join(0.2)
    output.let.release(100)  # the frame at hand is done
    leaving.join()
    assert output.taken in ([0], [])
    assert not lanes()


def test_a_failing_output_leaves_no_folder_and_no_thread(frames: list, tmp_path: Path, monkeypatch) -> None:
    def fail(self: MaskOutput, frame: Frame, reading: Reading) -> None:
        if frame.index == 3:
            raise OutputError("masks: the disk is full")

    monkeypatch.setattr(MaskOutput, "write", fail)
    with pytest.raises(OutputError, match="the disk is full"), RecordingFiles(tmp_path, "clip") as files:
        result_of(frames, files=files)
    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name in ("echo-rt film", "echo-rt files")]
