"""Several live feeds at once: frames lost, age of the readings with a page open, and what one that dies does to others.

    python benchmarks/live_feeds.py two age four --minutes 20 --out FILE.json

- `two`: two feeds of 30 frames a second. What is dropped, and how old readings are.
- `age`: one feed of 60 frames a second with its page open: in Chromium on this machine, in a program that takes all
  that a browser takes and draws nothing, as for a browser elsewhere, and with no page.
- `four`: four feeds over HTTP from ffmpeg, of which one is killed every minute, for `--down` seconds. What the others
  lose, and whether memory grows.

Each lasts `--minutes`, `age` three times so long. Run it on a quiet machine. The hearts are simulated: `two` and `age`
play rendered frames in a circle, `four` a video of such a circle.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from live_feeds_parts import Sender, circle, look, write_video
from live_soak import Circle, resident_mb

from echo_rt.bench.machine import describe
from echo_rt.engine import Engine, open_engine
from echo_rt.errors import EchoRtError
from echo_rt.frame import Frame
from echo_rt.live.feeds import Feeds
from echo_rt.live.memory import limit_heaps
from echo_rt.live.opening import opening_of
from echo_rt.live.reader import Opening
from echo_rt.live.session import Settings
from echo_rt.live.status import LiveStatus
from echo_rt.sources.pace import Paced
from echo_rt.viewer import open_viewers

GAP_S = 0.5
"""Without a reading: 15 frames."""

BACK_S = 5.0
"""By then a feed that can be had again is there, so that no later gap is of its own kill."""


class Watch:
    """A taker that notes when readings come, and of which history."""

    def __init__(self) -> None:
        self.gaps: list[tuple[float, float]] = []  # begin and end
        self.histories: set[int] = set()
        self._last_s: float | None = None

    def write(self, frame: Frame, reading: Any, source: str, history: int) -> None:
        now_s = time.monotonic()
        if self._last_s is not None and now_s - self._last_s > GAP_S:
            self.gaps.append((self._last_s, now_s))
        self._last_s = now_s
        self.histories.add(history)

    def idle(self, why: str) -> None: ...

    def close(self) -> None: ...


class Memory:
    """Memory of this process, looked at every second."""

    def __init__(self) -> None:
        self.mb: list[float] = []
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while not self._ended.wait(1):
            self.mb.append(resident_mb())

    def end(self) -> dict[str, float | int]:
        """After the first minute, or half of the time where it is shorter; at most since then; at the end.

        Processor time is that of the process since it began.
        """
        self._ended.set()
        settled = self.mb[min(60, len(self.mb) // 2) :]
        return {
            "processor_s": round(time.process_time(), 1),
            "settled_mb": round(settled[0], 1),
            "most_mb": round(max(settled), 1),
            "end_mb": round(settled[-1], 1),
        }


def said(ended: LiveStatus | EchoRtError) -> dict[str, Any]:
    """What a feed came to."""
    if isinstance(ended, EchoRtError):
        return {"error": str(ended)}
    counts, timing = ended.counts, ended.timing
    p50, p99 = timing.age_p50_ms, timing.age_p99_ms
    return {
        "readings": counts.frames,
        "dropped": {why.value: count for why, count in counts.dropped.items()},
        "reopened": counts.reopened,
        "lost_by_outputs": dict(counts.lost),
        "age_p50_ms": p50 and round(p50, 2),
        "age_p99_ms": p99 and round(p99, 2),
        "p99_over_p50": p50 and p99 and round(p99 / p50, 3),
    }


@contextmanager
def looked_at(feeds: Feeds, how: str, seconds: float) -> Iterator[None]:
    """Meanwhile the page of the feeds is open in a browser, in a process of its own."""
    if how == "none":
        yield
        return
    with ExitStack() as opened:
        viewers = open_viewers("web", feeds.feeds, port=0)
        opened.callback(viewers.close)
        for feed, viewer in zip(feeds.feeds.values(), viewers.each, strict=True):
            feed.outputs.add_viewer(viewer)
        url = viewers.close.__self__.url  # type: ignore[attr-defined]
        looker = subprocess.Popen([sys.executable, __file__, "--look", how, url])
        try:
            yield
        finally:
            looker.terminate()
            looker.wait()


def played(engine: Engine, count: int, fps: float, seconds: float, page: str) -> dict[str, Any]:
    """So many feeds of rendered frames, with their page open or not."""
    frames, feeds = circle(fps), Feeds(engine)

    def opening(uri: str) -> Opening:
        return Opening(uri, lambda: Paced(Circle(frames, fps, seconds)), lasting=False)

    for number in range(count):
        feeds.add(f"feed-{number + 1}", f"circle-{number + 1}", opening, Settings())
    memory = Memory()
    with looked_at(feeds, page, seconds):
        ended = feeds.run()
    return {"fps": fps, "page": page, "feeds": {name: said(one) for name, one in ended.items()}, **memory.end()}


def killed(engine: Engine, seconds: float, every_s: float, down_s: float, roi: str) -> dict[str, Any]:
    """Four feeds, one of them killed every now and then."""
    fps = 30
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "circle.ts"
        write_video(circle(fps), fps, video)
        senders = {f"feed-{number + 1}": Sender(video) for number in range(4)}
        feeds, watches = Feeds(engine), {name: Watch() for name in senders}
        for name, sender in senders.items():
            sender.wait()
            feed = feeds.add(name, sender.uri, partial(opening_of, roi=roi), Settings())
            feed.outputs.add_taker(watches[name], "watch")
        memory, begun_s = Memory(), time.monotonic()
        feeds.start()
        number = 0
        while (left_s := begun_s + seconds - time.monotonic()) > 0:
            time.sleep(min(every_s, left_s))
            if begun_s + seconds - time.monotonic() > down_s + BACK_S:
                [*senders.values()][number % len(senders)].kill(down_s)
                number += 1
        feeds.end()
        ended = feeds.wait()
        for sender in senders.values():
            sender.end()
    found = {name: {**said(ended[name]), **isolation(watches[name], senders[name].kills, down_s)} for name in senders}
    return {"fps": fps, "roi": roi, "every_s": every_s, "down_s": down_s, "feeds": found, **memory.end()}


def longest(gaps: list[tuple[float, float]]) -> float:
    """Of the gaps, in seconds."""
    return round(max((end_s - begin_s for begin_s, end_s in gaps), default=0.0), 2)


def isolation(watch: Watch, kills: list[float], down_s: float) -> dict[str, Any]:
    """How long readings stayed away after its own kills, and when nobody had killed it."""
    own = [(a, b) for a, b in watch.gaps if any(kill - GAP_S < b and a < kill + down_s + BACK_S for kill in kills)]
    others = [gap for gap in watch.gaps if gap not in own]
    return {
        "kills": len(kills),
        "longest_gap_after_own_kill_s": longest(own),
        "gaps_without_own_kill": len(others),
        "longest_gap_without_own_kill_s": longest(others),
        "histories": len(watch.histories),
    }


def main() -> None:
    if sys.argv[1:2] == ["--look"]:  # the browser's process
        look(*sys.argv[2:4])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=["two", "age", "four"])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--every", type=float, default=60, help="seconds from one kill to the next")
    parser.add_argument("--down", type=float, default=5, help="seconds for which a killed feed stays away")
    parser.add_argument("--roi", default="auto", help="of `four`, as of echo-rt live")
    parser.add_argument("--model", default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=None, help="JSON of what was found")
    parser.add_argument("--switch-ms", type=float, default=None, help="how long a thread may hold Python; 5 by default")
    given = parser.parse_args()
    seconds = 60 * given.minutes
    if given.switch_ms is not None:
        sys.setswitchinterval(given.switch_ms / 1000)
    limit_heaps()  # as `echo-rt live` does
    found: dict[str, Any] = {
        "machine": describe(),
        "minutes": given.minutes,
        "switch_ms": 1e3 * sys.getswitchinterval(),
    }
    with open_engine(given.model, given.device) as engine:
        found["engine"] = engine.description
        for part in given.parts:
            if part == "two":
                found["two"] = played(engine, 2, 30, seconds, "none")
            elif part == "age":
                found["age"] = {page: played(engine, 1, 60, seconds, page) for page in ("chromium", "socket", "none")}
            else:
                found["four"] = killed(engine, seconds, given.every, given.down, given.roi)
            print(json.dumps({part: found[part]}, indent=1))
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
