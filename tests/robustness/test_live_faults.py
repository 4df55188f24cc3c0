"""A feed that goes wrong comes back or ends in a line, shows no old or wrong number meanwhile, and records what it
reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("pyigtl", reason="no pyigtl: pip install 'echo-rt[igtl]'")
pytest.importorskip("uvicorn", reason="no uvicorn: pip install 'echo-rt[web]'")
from echo_rt.errors import SourceError
from echo_rt.sources import network, open_source
from robustness.live_faults import CELLS, FAULTS, KINDS, PROMISED_S, Cell
from robustness.live_harness import QUICK, SERVERS, Outcome, quicker
from robustness.live_senders import RtspServer
from robustness.live_shots import Timeline, stalls
from robustness.live_sinks import SINKS
from support.own_time import RealClock

AT_ONCE = 8
"""Feeds of real servers, which wait most of their time."""


@pytest.fixture(scope="module")
def on_servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What came of the cells on real servers that are asked for."""
    asked = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    cells = [spec.params["cell"] for spec in asked if spec is not None and "cell" in spec.params]
    cells = [cell for cell in cells if cell.kind in SERVERS]
    folders = [tmp_path_factory.mktemp("feed") for _ in cells]
    with quicker(QUICK), ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = pool.map(partial(Cell.run, quick=QUICK), cells, folders)
        return {str(cell): outcome for cell, outcome in zip(cells, outcomes, strict=True)}


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.kind in SERVERS], ids=str)
def test_a_server_is_found_again_and_nothing_old_is_shown_as_current(
    cell: Cell, on_servers: dict[str, Outcome]
) -> None:
    assert cell.faults(on_servers[str(cell)]) == []


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.kind not in SERVERS], ids=str)
def test_a_feed_is_back_or_over_and_nothing_old_is_shown_as_current(cell: Cell, tmp_path: Path) -> None:
    outcome = cell.run(tmp_path)
    assert cell.faults(outcome) == []
    # On a clock of our own.
    assert cell.over or outcome.recovered_s is not None
    assert (outcome.recovered_s or 0.0) <= PROMISED_S


def test_a_picture_that_was_held_back_until_a_stream_fell_silent_is_not_given_as_a_new_one() -> None:
    clock = RealClock()
    timeline = Timeline(stalls, 60.0, clock)
    server = RtspServer(timeline, clock)
    came_s = []
    try:
        with quicker(QUICK), open_source(server.uri) as source, pytest.raises(SourceError, match="no answer in time"):
            for _ in source:
                came_s.append(clock.now())
                if len(came_s) == 20:
                    timeline.ready.set()
    finally:
        server.close()
    assert max(later - one for one, later in pairwise(came_s)) < network.READ_S / QUICK


def test_every_fault_of_every_kind_of_feed_is_tried_or_has_its_reason() -> None:
    tried = {(cell.kind, cell.fault.name) for cell in CELLS}
    for fault in FAULTS:
        for kind in KINDS:
            assert ((kind, fault.name) in tried) != (kind in fault.absent)
        assert set(fault.absent) | set(fault.over) <= set(KINDS)
        assert all(reason.isalpha() for reason in fault.absent.values())


@pytest.mark.parametrize("name", SINKS)
def test_the_feed_goes_on_whatever_becomes_of(name: str, tmp_path: Path) -> None:
    assert SINKS[name](tmp_path)
