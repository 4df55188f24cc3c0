"""The rolling biplane EF of a four- and a two-chamber feed: as of two recordings, and current or said to be old."""

from __future__ import annotations

import csv
import itertools
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest

from echo_rt import process
from echo_rt.cardiac.ejection_fraction import WITHDRAWN_S
from echo_rt.cardiac.monitor import Monitor
from echo_rt.errors import OutputError
from echo_rt.following import follow
from echo_rt.live.biplane import WAITING, RollingBiplane
from echo_rt.outputs.biplane_log import COLUMNS, BiplaneLog
from echo_rt.phantom import open_phantom
from echo_rt.viewer.terminal import biplane_text
from support.hearts import A2C, A4C, SPEC, Traced


@lru_cache
def followed(uri: str) -> list:
    with open_phantom(uri) as phantom:
        return list(follow(phantom, Traced(uri), Monitor(SPEC)))


def given(joined: RollingBiplane, *, history: int = 1, uris: tuple[str, str] = (A4C, A2C)) -> None:
    """Both feeds at once, to their ends."""
    for pair in zip(*map(followed, uris), strict=True):
        for view, (frame, reading) in zip(joined.views, pair, strict=True):
            view.write(frame, reading, "given:", history)


def test_it_is_that_of_the_two_recordings() -> None:
    joined, told = RollingBiplane(SPEC), []
    joined.listeners.append(told.append)
    assert joined.current.ef.reason == WAITING
    given(joined)
    views = process(A4C, Traced(A4C, A2C), a2c=A2C).two_views
    assert views is not None
    expected = views.biplane
    found = joined.current
    assert found.ef == expected.ef
    assert (found.edv, found.esv, found.volume_note) == (expected.edv, expected.esv, expected.volume_note)
    assert found.ef.percent == pytest.approx(45, abs=3)
    assert told[-1] is found
    assert all(one.ef.beats <= other.ef.beats for one, other in itertools.pairwise(told))
    assert f"EF {found.ef.percent:.0f} %" in biplane_text(found)


def test_where_no_frames_come_it_is_old_and_current_again_after_them() -> None:
    joined = RollingBiplane(SPEC)
    given(joined)
    percent = joined.current.ef.percent
    joined.views[1].idle("no frame for 2 s")
    found = joined.current.ef
    assert (found.percent, found.stale, found.reason) == (percent, True, "A2C: no frame for 2 s")
    assert "not current: A2C: no frame for 2 s" in biplane_text(joined.current)
    frame, reading = followed(A2C)[-1]
    joined.views[1].write(frame, reading, "given:", 1)
    assert not joined.current.ef.stale
    stale = replace(reading.ef, stale=True, reason="stale: no good beat for 9 s")
    joined.views[1].write(frame, replace(reading, ef=stale), "given:", 1)
    assert joined.current.ef.reason == "A2C stale: no good beat for 9 s"


def test_another_history_of_one_view_begins_afresh() -> None:
    joined = RollingBiplane(SPEC)
    given(joined)
    frame, reading = followed(A4C)[0]
    joined.views[0].write(frame, reading, "given:", 2)
    assert joined.current.ef.percent is None
    assert joined.current.ef.reason == f"A4C: {reading.ef.reason}"
    assert not joined.views[0].beats


def test_beats_of_long_ago_do_not_count() -> None:
    joined = RollingBiplane(SPEC)
    given(joined)
    frame, reading = followed(A4C)[-1]
    later = replace(reading, t_s=reading.t_s + 2 * WITHDRAWN_S, beat=None)
    joined.views[0].write(frame, later, "given:", 1)
    assert not joined.views[0].beats


def test_the_same_feed_twice_is_no_pair_of_views() -> None:
    joined = RollingBiplane(SPEC)
    given(joined, uris=(A4C, A4C))
    assert joined.current.ef.reason == "expected two views, found the same pictures in both recordings"
    assert biplane_text(joined.current).startswith("biplane: no EF: expected two views")


def test_its_file_has_a_line_for_each_change_and_never_replaces_another(tmp_path: Path) -> None:
    for name in ("biplane.csv", "biplane-2.csv"):
        log, joined = BiplaneLog(tmp_path / "kept"), RollingBiplane(SPEC)
        assert log.path.name == name
        joined.listeners.append(log.write)
        given(joined)
        log.close()
        log.close()
    rows = list(csv.DictReader(log.path.read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert float(rows[-1]["ef_percent"]) == pytest.approx(joined.current.ef.percent, abs=0.05)
    assert int(rows[-1]["pairs"]) == len(joined.current.beats)
    assert (log.path.stat().st_mode & 0o077) == 0
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="expected"):
        BiplaneLog(tmp_path / "file")
