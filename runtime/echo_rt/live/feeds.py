"""Several feeds at once: each a `Live` in a thread of its own, on one engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from echo_rt.errors import EchoRtError
from echo_rt.live.biplane import RollingBiplane
from echo_rt.live.session import Live, Settings
from echo_rt.live.turns import Turns

if TYPE_CHECKING:
    from echo_rt.engine import Engine
    from echo_rt.live.reader import Opening
    from echo_rt.live.status import LiveStatus

BIPLANE_DEPTH = 24
"""Readings that may wait until the biplane EF is made of them: that takes far less time than a frame has."""

LOOK_S = 0.2
"""Between two looks whether all have ended, so that a signal is heeded on every system."""


class Feeds:
    """Feeds that share an engine. What happens to one of them leaves the others as they are.

    Args:
        engine: open; it stays open.

    Attributes:
        feeds: by their names; may be added to until they start.
        ended: how each was when it ended, or the error that it ended by.
    """

    def __init__(self, engine: Engine) -> None:
        self.feeds: dict[str, Live] = {}
        self.ended: dict[str, LiveStatus | EchoRtError] = {}
        self._turns = Turns(engine)
        self._threads: list[threading.Thread] = []

    def add(
        self,
        name: str,
        uri: str,
        opening: Callable[[str], Opening],
        settings: Settings | None = None,
        offered: Callable[[], list[str]] = list,
    ) -> Live:
        """One more feed. Its arguments are those of `Live`."""
        self.feeds[name] = Live(uri, opening, self._turns.seat(), settings, offered)
        return self.feeds[name]

    def join_views(self) -> RollingBiplane:
        """The rolling biplane EF of the two feeds, the A4C one being the first."""
        joined = RollingBiplane(self._turns.spec)
        for view, feed in zip(joined.views, self.feeds.values(), strict=True):
            feed.outputs.add_taker(view, "biplane", BIPLANE_DEPTH)
        return joined

    def start(self) -> None:
        """Follow them all, and return at once."""
        for name in self.feeds:
            thread = threading.Thread(target=self._run, args=(name,), name=f"echo-rt feed {name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def run(self) -> dict[str, LiveStatus | EchoRtError]:
        """Follow them until all have ended; returns `ended`."""
        self.start()
        return self.wait()

    def wait(self) -> dict[str, LiveStatus | EchoRtError]:
        """Wait until all have ended; returns `ended`, in the order of `feeds`."""
        while any(thread.is_alive() for thread in self._threads):
            for thread in self._threads:
                thread.join(LOOK_S)
        return {name: self.ended[name] for name in self.feeds if name in self.ended}

    def end(self) -> None:
        """End them all well. From any thread and from signal handlers."""
        for feed in self.feeds.values():
            feed.end()

    def close(self) -> None:
        """End them, and let go of their sources and outputs. A second call does nothing."""
        self.end()
        for thread in self._threads:
            thread.join()
        for feed in self.feeds.values():
            feed.close()

    def _run(self, name: str) -> None:
        feed = self.feeds[name]
        try:
            self.ended[name] = feed.run()
        except EchoRtError as error:
            self.ended[name] = error
        except Exception as error:  # noqa: BLE001 - a defect in the way of one feed is no reason to end the others
            self.ended[name] = EchoRtError(f"{name}: {type(error).__name__}: {error}")
