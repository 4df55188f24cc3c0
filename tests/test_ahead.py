"""Reading ahead changes nothing but the time."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from echo_rt.ahead import read_ahead
from echo_rt.errors import SourceFormatError
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
