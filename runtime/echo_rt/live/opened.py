"""`open_session`: live feeds for a program of one's own."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from echo_rt.errors import EchoRtError, ParameterError
from echo_rt.live.feeds import Feeds
from echo_rt.live.names import named
from echo_rt.live.opening import opening_of
from echo_rt.live.session import Settings
from echo_rt.live.status import LiveStatus, Phase

if TYPE_CHECKING:
    from typing_extensions import Self

    from echo_rt.engine import Engine
    from echo_rt.frame import Frame
    from echo_rt.live.biplane import RollingBiplane
    from echo_rt.live.commands import LiveControl
    from echo_rt.live.status import LiveUpdate
    from echo_rt.reading import Reading
    from echo_rt.result import Biplane

WAITING = 8
"""Readings of a feed that may wait for the program, see `Session`."""

CONSUMER = "session"
"""The name under which what a slow program missed is counted."""

LOOK_S = 0.2


class FeedReading(NamedTuple):
    """A reading of a live feed: the feed's name, what is known after the frame, and the frame."""

    name: str
    reading: Reading
    frame: Frame


class Session:
    """Live feeds that are followed, and an iterator of their readings. `open_session` makes it.

    It follows them from when it is entered until it is left. The readings of one feed come in the order of time, those
    of several in turn. A program that takes them too slowly loses the oldest of what waits for it, eight of each feed.
    They are counted in ``status[name].counts.lost["session"]``, and the feeds go on at their own pace.

    The iterator ends when all feeds have ended, or after `stop`. A feed that could not be opened ends by itself, and
    the others go on; the iterator raises its error at its own end.
    """

    def __init__(self, feeds: Feeds, joined: RollingBiplane | None, resources: ExitStack) -> None:
        self._feeds, self._joined, self._resources = feeds, joined, resources
        self._changed = threading.Condition()
        self._stopped = False
        self._desks = {name: _Desk(self._changed) for name in feeds.feeds}
        self._turn = deque(self._desks)
        for name, feed in feeds.feeds.items():
            feed.outputs.add_taker(self._desks[name], CONSUMER, WAITING)
            feed.outputs.add_viewer(self._desks[name].eye, "status")

    def __enter__(self) -> Self:
        self._feeds.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all feeds, and let go of sources and engine. A second call does nothing."""
        self.stop()
        self._resources.close()

    def __iter__(self) -> Iterator[FeedReading]:
        while (found := self._next()) is not None:
            yield found
        if not self._stopped:
            for ended in self._feeds.wait().values():
                if isinstance(ended, EchoRtError):
                    raise ended

    def stop(self) -> None:
        """End all feeds. From any thread; returns at once, and the iterator ends."""
        self._feeds.end()
        with self._changed:
            self._stopped = True
            for desk in self._desks.values():
                desk.leave()
            self._changed.notify_all()

    @property
    def names(self) -> tuple[str, ...]:
        """Of the feeds, in the order given."""
        return tuple(self._desks)

    @property
    def status(self) -> dict[str, LiveStatus]:
        """How each feed is: phase, counts and times, see `LiveStatus`."""
        return {name: desk.eye.status for name, desk in self._desks.items()}

    @property
    def biplane(self) -> Biplane | None:
        """The rolling biplane figures of both feeds; without a percentage their ``ef`` has the reason. None where they
        were not asked for."""
        return None if self._joined is None else self._joined.current

    def control(self, name: str) -> LiveControl:
        """What may be asked of a feed: to start, stop, freeze, reset, or to change its source.

        Raises:
            ParameterError: there is no such feed.
        """
        if name not in self._feeds.feeds:
            raise ParameterError(f"expected a feed of {', '.join(self._desks)}, found {name!r}")
        return self._feeds.feeds[name]

    def _next(self) -> FeedReading | None:
        with self._changed:
            while not self._stopped:
                for _ in range(len(self._turn)):
                    name = self._turn[0]
                    self._turn.rotate(-1)
                    if (taken := self._desks[name].take()) is not None:
                        return FeedReading(name, *taken)
                if all(desk.closed for desk in self._desks.values()):
                    return None
                self._changed.wait(LOOK_S)
        return None


class _Eye:
    """A `Viewer` that keeps how a feed is."""

    def __init__(self) -> None:
        self.status = LiveStatus(Phase.OPENING)

    def show(self, update: LiveUpdate) -> None:
        self.status = update.status

    def close(self) -> None: ...


class _Desk:
    """A `Taker` whose one place the program takes from. It waits there: its mailbox counts what is lost meanwhile.

    Attributes:
        closed: nothing more will come.
        eye: what keeps the status.
    """

    def __init__(self, changed: threading.Condition) -> None:
        self.closed = False
        self.eye = _Eye()
        self._changed = changed
        self._held: tuple[Reading, Frame] | None = None
        self._left = False

    def write(self, frame: Frame, reading: Reading, source: str, history: int) -> None:
        """See `Taker`."""
        with self._changed:
            self._held = reading, frame
            self._changed.notify_all()
            while self._held is not None and not self._left:
                self._changed.wait(LOOK_S)

    def idle(self, why: str) -> None:
        """See `Taker`: the status says so."""

    def close(self) -> None:
        """See `Taker`."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    # -- with the condition held ---------------------------------------------------------------------------------------

    def take(self) -> tuple[Reading, Frame] | None:
        """What lies here, None where nothing does."""
        taken, self._held = self._held, None
        if taken is not None:
            self._changed.notify_all()
        return taken

    def leave(self) -> None:
        """Nobody takes any more: nothing waits here from now on."""
        self._left, self._held = True, None


def open_session(
    sources: str | Sequence[str] | Mapping[str, str],
    engine: Engine | str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    ef_method: str = "disks",
    roi: str = "auto",
    read_screen: bool = True,
    realtime: bool = True,
    biplane: bool = False,
    forget_after_s: float | None = None,
) -> Session:
    """Live feeds, followed as `echo-rt live` follows them: always the newest frame of each.

        with echo_rt.open_session({"bed 1": "0", "bed 2": "rtsp://host/path"}) as session:
            for name, reading, frame in session:
                print(name, reading.ef.percent)

    Args:
        sources: an address, or several, or addresses by their names. Without a name a feed is called after its address.
        engine: an open engine, which stays open; or a model for `open_engine`, None being the default one. All feeds
            share it.
        device: where to run a model that is opened here.
        ef_method: what the rolling EF is made of, see `Monitor`.
        roi, read_screen: as in `stream`.
        realtime: recordings and the phantom come at their own pace; else every frame, as fast as it is taken.
        biplane: the two sources are A4C and A2C of one heart, see `Session.biplane`.
        forget_after_s: seconds without frames after which EF begins afresh; None never.

    Raises:
        EchoRtError: an address, the model or an option is not as it should be. A feed that is not there yet is waited
            for.
    """
    from echo_rt.engine import open_engine
    from echo_rt.live.biplane import check_two
    from echo_rt.sources import is_feed

    given = _named(sources)
    if biplane:
        check_two(len(given), ef_method)
    opening = partial(opening_of, realtime=realtime, roi=roi, read_screen=read_screen)
    for address in given.values():
        opening(address)  # what is misspelt ends here, before the model is loaded
    with ExitStack() as opened:
        if engine is None or isinstance(engine, (str, os.PathLike)):
            engine = opened.enter_context(open_engine(engine, device))
        feeds = Feeds(engine)
        opened.callback(feeds.close)
        for name, address in given.items():
            settings = Settings(
                every_frame=not realtime and not is_feed(address),
                forget_after_s=forget_after_s,
                model=f"{engine.spec.name} {engine.spec.version}",
                ef_method=ef_method,
            )
            feeds.add(name, address, opening, settings)
        joined = feeds.join_views() if biplane else None
        resources = opened.pop_all()
    return Session(feeds, joined, resources)


def _named(sources: str | Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    if not sources:
        raise ParameterError("expected at least one source, found none")
    if isinstance(sources, Mapping):
        return dict(sources)
    return named([sources] if isinstance(sources, str) else sources)
