"""One feed with one fault, followed by the real session: whether it comes back, and what is shown meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from echo_rt.commands.live_following import open_feed
from echo_rt.commands.live_options import IgtlOptions, LiveOptions, ScreenOptions, ViewOptions
from echo_rt.engine import open_engine
from echo_rt.errors import EchoRtError
from echo_rt.frame import Frame
from echo_rt.live import capture
from echo_rt.live.reader import Opening
from echo_rt.live.session import Live
from echo_rt.live.status import LiveStatus, LiveUpdate, Phase
from echo_rt.outputs.recorder import READINGS, Recorder
from echo_rt.sources import FeedOptions, camera, igtl, network, open_source
from echo_rt.sources.feed import Wrapped
from echo_rt.sources.pace import Paced
from robustness.live_card import CaptureCard
from robustness.live_files import BEFORE_S, write_take, write_video
from robustness.live_senders import HttpServer, IgtlServer, RtspServer, Server
from robustness.live_shots import Change, Clock, Timeline
from support.own_time import OwnClock, RealClock, own_time
from support.painted import EF_PERCENT, FPS, RATE_BPM, PaintedEngine

SERVERS: dict[str, type[Server]] = {"RTSP": RtspServer, "HTTP": HttpServer, "OpenIGTLink": IgtlServer}
DEVICES, RECORDED = ("camera", *SERVERS), ("video file", "phantom", "recording")

QUICK = 4.0
"""By so much the faults on real servers, and the time-outs, are shorter in `make test`."""

RATE_SHARE = 0.15
"""By which a heart rate may miss that of the heart: a wrong one misses it by more."""

EF_OLD_S = 5.0
"""After so long without a good reading an EF is old."""

AFTER = 10
"""Good readings after the fault that show that the feed is back."""

LIMIT_S = 60.0
"""Of the run's clock: a feed that is not back by then never is."""


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        recovered_s: the longest time without a good reading from the fault on, less the fault itself; None where the
            feed was not back.
        ended: how it ended of itself: "" well, a line, or None where it did not.
        wrong: what was shown as current and was not, or not right.
        good_after: good readings from the fault on.
        given: frames that the device gave; None where nobody counts them.
        status: at the end.
        recorded: lines in all takes.
    """

    recovered_s: float | None
    ended: str | None
    wrong: list[str]
    good_after: int
    given: int | None
    status: LiveStatus
    recorded: int


@dataclass(frozen=True)
class Allowed:
    """What is no fault of the feed.

    Attributes:
        ef_points: by which an EF may miss that of the heart. On a busy machine a server is late, and where its clock is
            set anew the beat of that moment is drawn out or pressed together.
        late_s: by which a thread of the session may be late.
    """

    ef_points: float
    late_s: float


OWN_TIME, REAL_TIME, BY_A_NETWORK = Allowed(3.0, 0.3), Allowed(6.0, 3.0), Allowed(8.0, 0.3)


@dataclass
class Watch:
    """Looks at every update, in the thread of the session."""

    clock: Clock
    allowed: Allowed
    ef_percent: float = EF_PERCENT
    rate_bpm: float = RATE_BPM
    timeline: Timeline | None = None
    good: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    fault_s: float | None = None
    ef_s: float = 0.0
    newest: tuple[Any, float] = (None, 0.0)

    def look(self, update: LiveUpdate) -> None:
        now_s, reading, status = self.clock.now(), update.reading, update.status
        fresh = reading is not None and reading is not self.newest[0]
        if fresh:
            self.newest = reading, now_s
        if status.phase is Phase.RUNNING and "tried again" in status.message:
            self.wrong.append("running, and lost")
        if reading is None or status.phase is not Phase.RUNNING:
            return
        if fresh and reading.quality.ok:
            self.good.append(now_s)
        if (old_s := now_s - self.newest[1]) > capture.STALL_S + self.allowed.late_s:
            self.wrong.append(f"a reading {old_s:.1f} s old")
        ef = reading.ef
        if ef.percent is None or ef.stale:
            return
        self.ef_s = now_s
        if abs(ef.percent - self.ef_percent) > self.allowed.ef_points:
            self.wrong.append(f"EF {ef.percent:.0f} %")
        if (rate := reading.heart_rate_bpm) is not None and abs(rate / self.rate_bpm - 1) > RATE_SHARE:
            self.wrong.append(f"{rate:.0f} bpm")
        if self.good and (old_s := now_s - self.good[-1]) > EF_OLD_S + self.allowed.late_s:
            self.wrong.append(f"an EF {old_s:.1f} s old")

    @property
    def back(self) -> bool:
        """Whether good readings and an EF came after the fault."""
        passed_s = self.timeline.passed_s if self.timeline is not None else None
        if passed_s is None:
            return False
        return self.ef_s > passed_s and sum(at_s > passed_s for at_s in self.good[-AFTER:]) == AFTER

    @property
    def good_after(self) -> int:
        """Good readings from the fault on."""
        return sum(at_s > self.fault_s for at_s in self.good) if self.fault_s is not None else 0

    def recovered_s(self, lasts_s: float) -> float | None:
        if self.fault_s is None:
            return None
        gaps = [later - one for one, later in pairwise(self.good) if later > self.fault_s]
        return max(0.0, max(gaps, default=0.0) - lasts_s - 1 / FPS)


class SlowDisk(Wrapped):
    """A recording on a disk that stands still once."""

    def __init__(self, source: Any, at_s: float, lasts_s: float, clock: Clock) -> None:
        super().__init__(source)
        self._at_s, self._lasts_s, self._clock = at_s, lasts_s, clock

    def __next__(self) -> Frame:
        frame = super().__next__()
        if frame.index >= self._at_s * FPS and self._lasts_s:
            self._clock.sleep_until(self._clock.now() + self._lasts_s)
            self._lasts_s = 0.0
        return frame


def options(uri: str) -> LiveOptions:
    """Of `echo-rt live`."""
    view, screen = ViewOptions("none", "", 0, None), ScreenOptions("none", read=False)
    return LiveOptions(uri, None, "cpu", view, None, IgtlOptions(), True, FeedOptions(), "disks", None, screen)


@contextmanager
def quicker(factor: float) -> Iterator[None]:
    """Losses are noticed and mended so much faster."""
    with pytest.MonkeyPatch.context() as patch:
        for module, names in ((capture, ("STALL_S",)), (network, ("READ_S",)), (igtl, ("READ_S",))):
            for name in names:
                patch.setattr(module, name, getattr(module, name) / factor)
        patch.setattr(capture, "BACK_OFF_S", tuple(wait_s / factor for wait_s in capture.BACK_OFF_S))
        yield


def run_server(kind: str, change: Change, lasts_s: float, folder: Path) -> Outcome:
    """A real server on loopback, in real time."""
    clock = RealClock()
    timeline = Timeline(change, lasts_s, clock)
    server = SERVERS[kind](timeline, clock)
    try:
        opening = open_feed(server.uri, options(server.uri))
        return _follow(opening, Watch(clock, REAL_TIME, timeline=timeline), lasts_s, folder)
    finally:
        server.close()


def run_camera(change: Change, lasts_s: float, folder: Path) -> Outcome:
    """A capture card, on a clock of our own."""
    with own_time() as clock, pytest.MonkeyPatch.context() as patch:
        timeline = Timeline(change, lasts_s, clock)
        card = CaptureCard(timeline, clock)
        patch.setattr(camera.cv2, "VideoCapture", card.capture)
        patch.setattr(camera, "check_device", lambda device: None)
        opening = open_feed("/dev/video0", options("/dev/video0"))
        watch = Watch(clock, OWN_TIME, timeline=timeline)
        return replace(_follow(opening, watch, lasts_s, folder), given=card.given)


def run_recorded(kind: str, change: Change, lasts_s: float, folder: Path, stalls: bool) -> Outcome:
    """A file that is played as live, on a clock of our own."""
    path = (write_video if kind == "video file" else write_take)(folder, change, 0.0 if stalls else lasts_s)
    with own_time() as clock:
        opening = open_feed(str(path), options(str(path)))
        if stalls:
            disk = lambda: Paced(SlowDisk(open_source(path), BEFORE_S, lasts_s, clock))  # noqa: E731
            opening = replace(opening, source=disk)
        outcome = _follow(opening, Watch(clock, OWN_TIME), lasts_s, folder / "kept", begun_s=BEFORE_S)
    return replace(outcome, given=_frames_of(path))


def run_phantom(lasts_s: float, folder: Path, stalls: bool) -> Outcome:
    """The phantom; it stalls where the whole program is held up, and dies where it has a length."""
    uri = f"phantom:?height=160&width=200&fps=30&hr=100&hr_variability=0&ef=55&seed=1&seconds={8 if stalls else 4}"
    with own_time() as clock, open_engine("lv-edge", "cpu") as engine:
        opening = open_feed(uri, options(uri))
        watch = Watch(clock, BY_A_NETWORK, ef_percent=55, rate_bpm=100)
        held_up = (lambda: clock.advance(lasts_s)) if stalls else None
        outcome = _follow(opening, watch, lasts_s, folder, begun_s=4.0, engine=engine, at_fault=held_up)
    return replace(outcome, given=_frames_of(uri))


def _frames_of(uri: str | Path) -> int:
    """How many frames a recording has that can be read."""
    count = 0
    with suppress(EchoRtError), open_source(uri) as source:
        for _ in source:
            count += 1
    return count


def _follow(
    opening: Opening, watch: Watch, lasts_s: float, folder: Path, *, begun_s: float | None = None,
    engine: Any = None, at_fault: Callable[[], None] | None = None,
) -> Outcome:  # fmt: skip
    """Follow the feed until it is back or over. A recorded one begins its fault `begun_s` after its first frame."""
    feed = Live(opening.uri, lambda uri: opening, engine or PaintedEngine())
    recorder = Recorder(folder, {})
    feed.outputs.add_taker(recorder, "recorder", depth=10_000)
    tell, clock = feed.outputs.tell, watch.clock
    start_s = clock.now()

    def told(update: LiveUpdate, force: bool = False) -> None:
        watch.look(update)
        now_s = clock.now()
        begins = watch.ef_s > 0 if begun_s is None else bool(watch.good) and now_s - watch.good[0] >= begun_s
        if watch.fault_s is None and begins:
            watch.fault_s = now_s
            if watch.timeline is not None:
                watch.timeline.ready.set()
            if at_fault is not None:
                at_fault()
        if watch.back or now_s - start_s > LIMIT_S:
            feed.end()
            if isinstance(clock, OwnClock):
                clock.end()
        tell(update, force)

    feed.outputs.tell = told  # type: ignore[method-assign]
    ended: str | None = None
    try:
        status = feed.run()
        if not feed._commands.ending:
            ended = status.message
    except EchoRtError as error:
        ended, status = str(error), feed._status(feed._intake.state)
    recorded = sum(len(path.read_text().splitlines()) for path in folder.rglob(READINGS))
    back = watch.back or (watch.timeline is None and ended is not None)
    recovered_s = watch.recovered_s(lasts_s) if back else None
    return Outcome(recovered_s, ended, watch.wrong, watch.good_after, None, status, recorded)
