"""Those who take what a feed gives, when they are slow, many, deaf or full: the feed goes on, and nobody gets an old
picture for a new one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from echo_rt.frame import Frame
from echo_rt.live.status import LiveStatus, Phase
from echo_rt.outputs.recorder import FRAMES, READINGS, Recorder
from echo_rt.sources import find_recordings
from echo_rt.viewer.web import WebViewer
from support.live_notes import Notes
from support.live_parts import Given, Running, eventually
from support.painted import FPS, PaintedEngine, picture

BROWSERS = 50

SLOW_S = 0.3
"""That a slow browser takes for a picture, and a slow consumer for a reading: ten times as long as the feed."""

READINGS_EACH = 45


def painted_feed() -> Iterator[Frame]:
    """The heart at its rate, without an end."""
    begun_s = time.perf_counter()
    for n in count():
        time.sleep(max(0.0, begun_s + n / FPS - time.perf_counter()))
        yield Frame(picture(n / FPS), n / FPS, n)


@contextmanager
def followed(folder: Path) -> Iterator[Running]:
    """A feed that is recorded, to its end."""
    running = Running(lambda: Given(painted_feed()), PaintedEngine())  # type: ignore[arg-type]
    running.feed.outputs.add_taker(Recorder(folder, {}), "recorder")
    yield running


def read_on(running: Running, readings: int = READINGS_EACH) -> None:
    """Wait until so many more readings are made."""
    begun = running.feed._tally.frames
    eventually(lambda: running.feed._tally.frames >= begun + readings)


def recorded(folder: Path) -> int:
    """Lines in all takes."""
    return sum(len(path.read_text().splitlines()) for path in folder.rglob(READINGS))


def all_recorded(status: LiveStatus, folder: Path) -> int:
    """Check that every reading is recorded; how many."""
    kept = recorded(folder)
    assert kept == status.counts.frames, f"{status.counts.frames} readings, {kept} recorded"
    assert "recorder" not in status.counts.lost
    return kept


class Browser:
    """Looks at the page until it is closed, and takes so many seconds for each picture.

    Attributes:
        behind: for each picture, by how many readings it was older than the newest when it came.
    """

    def __init__(self, viewer: WebViewer, running: Running, seconds: float = 0.0) -> None:
        self.behind: list[int] = []
        self._running, self._seconds = running, seconds
        self._opened = ExitStack()
        self._socket = self._opened.enter_context(open_socket(viewer))
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._opened.close()
        self._thread.join()

    def _look(self) -> None:
        frames = 0
        with suppress(ConnectionClosed):
            for said in self._socket:
                if isinstance(said, str):
                    frames = json.loads(said).get("frames", frames)
                    continue
                self.behind.append(self._running.feed._tally.frames - frames)
                time.sleep(self._seconds)
                self._socket.send('{"do": "shown"}')


def open_socket(viewer: WebViewer, **more: Any) -> AbstractContextManager[ClientConnection]:
    """As the page opens it."""
    at = urlsplit(viewer.url)
    cookie = {"Cookie": f"{viewer._gate.cookie}={viewer._gate.secret}"}
    return connect(f"ws://{at.netloc}/feed", origin=f"http://{at.netloc}", additional_headers=cookie, **more)


def slow_consumer(folder: Path) -> str:
    """A program over OpenIGTLink or a disk that takes one reading of ten."""

    class Slow(Notes):
        def write(self, *given: Any) -> None:
            time.sleep(SLOW_S)
            super().write(*given)

    slow = Slow()
    with followed(folder) as running:
        running.feed.outputs.add_taker(slow, "slow", depth=1)
        with running:
            read_on(running)
            status = running.end()
    kept = all_recorded(status, folder)
    assert status.counts.lost["slow"] + len(slow.readings) == status.counts.frames
    newest = [reading.index for reading in slow.readings]
    assert newest == sorted(newest)
    return f"{len(newest)} of {kept} readings, always the newest, the others counted; all recorded"


def slow_browser(folder: Path) -> str:
    """One that takes ten times as long for a picture as the feed."""
    with _watched(folder) as (running, viewer):
        slow = Browser(viewer, running, SLOW_S)
        read_on(running)
        eventually(lambda: len(slow.behind) > 3)
        slow.close()
        status = running.end()
    kept = all_recorded(status, folder)
    assert len(slow.behind) < kept
    return f"{len(slow.behind)} pictures of {kept}, at most {max(slow.behind)} readings old; all recorded"


def many_browsers(folder: Path) -> str:
    """Fifty at once."""
    with _watched(folder) as (running, viewer):
        with ExitStack() as opened:
            browsers = [Browser(viewer, running) for _ in range(BROWSERS)]
            for browser in browsers:
                opened.callback(browser.close)
            read_on(running)
            eventually(lambda: all(len(browser.behind) > 3 for browser in browsers))
        eventually(lambda: viewer._browsers == 0)
        status = running.end()
    kept = all_recorded(status, folder)
    rate = min(len(browser.behind) for browser in browsers) * FPS / kept
    age_ms = status.timing.age_p99_ms or 0.0
    return (
        f"each at least {rate:.0f} pictures a second; {kept} readings, {status.counts.dropped_frames} dropped, "
        f"99 % younger than {age_ms:.0f} ms; all recorded"
    )


def deaf_browser(folder: Path) -> str:
    """One that never reads, beside one that does."""
    with _watched(folder) as (running, viewer):
        with open_socket(viewer, max_queue=1, close_timeout=0.1):
            other = Browser(viewer, running)
            begun_s = time.perf_counter()
            read_on(running)
            eventually(lambda: viewer._browsers == 1)
            gone_s = time.perf_counter() - begun_s
            seen = len(other.behind)
            eventually(lambda: len(other.behind) > seen + 3)
            other.close()
        status = running.end()
    all_recorded(status, folder)
    return f"sent away after {gone_s:.0f} s; the other is served, all recorded"


@contextmanager
def _watched(folder: Path) -> Iterator[tuple[Running, WebViewer]]:
    with followed(folder) as running:
        viewer = WebViewer(running.feed, "127.0.0.1", 0, None)
        running.feed.outputs.add_viewer(viewer)
        with running:
            running.until(lambda update: update.status.phase is Phase.RUNNING)
            yield running, viewer


def full_disk(folder: Path) -> str:
    """A disk that is full for a while; in a process of its own, in which files may not grow meanwhile."""
    command, tests = [sys.executable, "-m", "robustness.live_sinks", str(folder)], Path(__file__).parents[1]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=tests)
    found = json.loads(run.stdout.splitlines()[-1])
    assert "free some space" in found["said"], found
    assert found["phase"] == Phase.RUNNING.value, "the feed goes on"
    takes = [_frames_in(take) for take in find_recordings([folder])]
    whole = sum(takes)
    lost = found["lost"]
    assert 0 < lost < found["frames"]
    assert whole + lost >= found["frames"], (takes, found)
    assert found["after"] > 0, "there was room again"
    return f"{found['frames']} readings: {whole} replay, {lost} counted as lost, and said"


def _frames_in(take: Path) -> int:
    """Those that are kept, though a single one is no recording."""
    with av.open(str(take / FRAMES)) as container:
        return sum(1 for _ in container.decode(video=0))


def _fill_disk(folder: Path) -> None:
    """See `full_disk`."""
    import resource
    import signal

    from echo_rt.outputs import recorder

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    recorder.RETRY_S = 0.5
    with followed(folder) as running, running:
        read_on(running, 30)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, resource.RLIM_INFINITY))
        full = running.until(lambda update: "free some space" in update.status.message)
        read_on(running, 30)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        before = recorded(folder)
        running.until(lambda update: not update.status.message)
        read_on(running, 30)
        status = running.end()
    counts = status.counts
    found = {"said": full.status.message, "phase": full.status.phase.value, "frames": counts.frames}
    lost = {"lost": counts.lost["recorder"], "recorded": recorded(folder), "after": recorded(folder) - before}
    print(json.dumps({**found, **lost}))


SINKS: dict[str, Callable[[Path], str]] = {
    "slow consumer": slow_consumer,
    "slow browser": slow_browser,
    f"{BROWSERS} browsers": many_browsers,
    "a browser that never reads": deaf_browser,
    "disk full while recording": full_disk,
}

if __name__ == "__main__":
    _fill_disk(Path(sys.argv[1]))
