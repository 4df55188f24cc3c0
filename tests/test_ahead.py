"""Reading ahead changes nothing but the time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from echo_rt.ahead import read_ahead, segment_ahead
from echo_rt.errors import FrameError, SourceFormatError
from echo_rt.frame import Frame


def frames(count: int, error: Exception | None = None, seen: list[int] | None = None):
    for k in range(count):
        if seen is not None:
            seen.append(k)
        yield Frame(np.zeros((2, 2), np.uint8), float(k), k)
    if error is not None:
        raise error


def test_the_frames_come_in_their_order_and_end() -> None:
    with read_ahead(frames(50)) as ahead:
        assert [frame.index for frame in ahead] == list(range(50))


def test_an_error_comes_after_the_frames_before_it() -> None:
    taken: list[int] = []
    with (
        pytest.raises(SourceFormatError, match="cut off"),
        read_ahead(frames(3, SourceFormatError("cut off"))) as ahead,
    ):
        taken.extend(frame.index for frame in ahead)
    assert taken == [0, 1, 2]


def test_it_reads_while_nobody_asks_but_no_further_than_its_depth() -> None:
    seen: list[int] = []
    with read_ahead(frames(50, seen=seen), depth=2) as ahead:
        next(ahead)
        while len(seen) < 4:  # one was taken, two wait, one is held until there is room
            pass
        assert len(seen) == 4


def test_whoever_stops_early_leaves_no_thread() -> None:
    with read_ahead(frames(50), depth=1) as ahead:
        next(ahead)
    assert not [thread for thread in threading.enumerate() if thread.name == "echo-rt decode"]


def engine(state: tuple[str, ...] = (), device: str = "cpu", fails_at: int | None = None) -> SimpleNamespace:
    """Segments a frame to the grey level of its image, and notes in which thread."""
    calls: list[tuple[int, int]] = []

    def segment(image: np.ndarray, state: object = None) -> tuple[str, int]:
        level = int(image[0, 0])
        if level == fails_at:
            raise FrameError("no picture")
        calls.append((level, threading.get_ident()))
        return "segmented", level

    return SimpleNamespace(spec=SimpleNamespace(state=state), device=device, segment=segment, calls=calls)


def grey(count: int) -> Iterator[Frame]:
    for k in range(count):
        yield Frame(np.full((2, 2), k, np.uint8), float(k), k)


def test_each_frame_has_the_segmentation_that_the_engine_makes_of_it_once_and_elsewhere() -> None:
    made = engine()
    with segment_ahead(grey(50), made) as (ahead, same):
        assert [same.segment(frame.image) for frame in ahead] == [("segmented", k) for k in range(50)]
        assert same.device == "cpu"
    assert [level for level, _ in made.calls] == list(range(50))
    assert threading.get_ident() not in {thread for _, thread in made.calls}
    assert not [thread for thread in threading.enumerate() if thread.name == "echo-rt network"]


@pytest.mark.parametrize("made", [engine(state=("memory",)), engine(device="tensorrt")])
def test_a_network_with_a_state_or_on_a_gpu_waits_until_it_is_asked(made) -> None:
    with segment_ahead(grey(5), made) as (ahead, same):
        assert same is made
        assert [frame.index for frame in ahead] == list(range(5))
    assert not made.calls


def test_frames_that_are_changed_on_their_way_are_segmented_as_they_are_and_not_ahead() -> None:
    made = engine()
    with segment_ahead(grey(100), made) as (ahead, same):
        for frame in ahead:
            assert same.segment(frame.image + 100) == ("segmented", frame.index + 100)
    here = [level for level, thread in made.calls if thread == threading.get_ident()]
    elsewhere = [level for level, thread in made.calls if thread != threading.get_ident()]
    assert here == list(range(100, 200))
    assert len(elsewhere) < 10, "it stops making what nobody asks for"


def test_an_error_of_the_engine_comes_at_its_frame() -> None:
    taken: list[int] = []
    with pytest.raises(FrameError, match="no picture"), segment_ahead(grey(9), engine(fails_at=3)) as (ahead, same):
        for frame in ahead:
            same.segment(frame.image)
            taken.append(frame.index)
    assert taken == [0, 1, 2]
