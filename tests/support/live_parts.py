"""Sources, engines and lookers-on that do what a test of live feeds needs, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

import numpy as np

from echo_rt.errors import EchoRtError
from echo_rt.frame import Frame
from echo_rt.live.reader import Opening
from echo_rt.live.session import Live, Settings
from echo_rt.live.status import LiveStatus, LiveUpdate, Phase
from echo_rt.model import model_path, read_spec
from echo_rt.segmentation import GridMap, Segmentation


def frames(count: int, fps: float = 50.0, size: tuple[int, int] = (48, 64), start: int = 0) -> list[Frame]:
    """Frames whose first pixel says which one it is."""
    made = []
    for index in range(start, start + count):
        image = np.zeros(size, np.uint8)
        image[0, 0] = index % 256
        made.append(Frame(image, index / fps, index))
    return made


class StandInEngine:
    """Takes `seconds` a frame and finds no ventricle. Remembers the first pixels of what it saw."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.spec = read_spec(model_path(None))
        self.device, self.description = "cpu", "a stand-in"
        self.seconds = seconds
        self.seen: list[int] = []
        self.sizes: list[tuple[int, ...]] = []
        self.asked = threading.Event()

    def segment(self, image: Any, state: object = None) -> Segmentation:
        time.sleep(self.seconds)
        self.seen.append(int(image.flat[0]))
        self.sizes.append(image.shape)
        self.asked.set()
        probability = np.zeros((4, 32, 32), np.float32)
        probability[0] = 1
        return Segmentation(
            probability, np.zeros((32, 32), np.uint8), GridMap.letterbox(image.shape[:2], (32, 32)), time_ms={}
        )

    def close(self) -> None: ...

    def __enter__(self) -> StandInEngine:
        return self

    def __exit__(self, *what: object) -> None: ...


class Given:
    """A source of given frames, `period_s` apart, that ends in `ending`: an error, an endless silence (None), or well
    ("end")."""

    name, fps, spacing_mm, spacing_note, view = "given", None, None, "unknown", None

    def __init__(self, given: Iterable[Frame], period_s: float = 0.0, ending: EchoRtError | str | None = "end") -> None:
        self.given, self.period_s, self.ending = given, period_s, ending
        self.notes: list[str] = []
        self.frames = None
        self.free = threading.Event()
        self._all: Iterator[Frame] = iter(())

    def __enter__(self) -> Given:
        self._all = self._give()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(self._all)

    def _give(self) -> Iterator[Frame]:
        for frame in self.given:
            time.sleep(self.period_s)
            yield frame
        if self.ending is None:
            self.free.wait(30)  # and no interrupt: as a driver that hangs
        elif isinstance(self.ending, EchoRtError):
            raise self.ending


class Looker:
    """A viewer that keeps what it was shown, `seconds` for each."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.updates: list[LiveUpdate] = []
        self.seconds = seconds
        self.closed = False

    def show(self, update: LiveUpdate) -> None:
        time.sleep(self.seconds)
        self.updates.append(update)

    def close(self) -> None:
        self.closed = True

    @property
    def phases(self) -> list[Phase]:
        """In order, each once as long as it lasted."""
        found = [update.status.phase for update in self.updates]
        return [phase for phase, before in zip(found, [None, *found], strict=False) if phase is not before]


class Running:
    """A feed that is followed in a thread of its own."""

    def __init__(
        self,
        sources: Callable[[], Any],
        engine: StandInEngine | None = None,
        *,
        lasting: bool = True,
        settings: Settings | None = None,
        cut: Callable[[], Any] = lambda: None,
    ) -> None:
        self.engine = engine or StandInEngine()
        self.feed = Live("given:", lambda uri: Opening(uri, sources, lasting, cut), self.engine, settings)
        self.looker = Looker()
        self.feed.outputs.add_viewer(self.looker)
        self.result: LiveStatus | EchoRtError | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.result = self.feed.run()
        except EchoRtError as error:
            self.result = error

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *what: object) -> None:
        self.end()

    def end(self) -> LiveStatus:
        self.feed.end()
        return self.wait()

    def wait(self) -> LiveStatus:
        self.thread.join(30)
        assert not self.thread.is_alive(), "it did not end"
        assert isinstance(self.result, LiveStatus), self.result
        return self.result

    def until(self, what: Callable[[LiveUpdate], bool], limit_s: float = 30.0) -> LiveUpdate:
        """The first update from now on that is so."""
        begun = len(self.looker.updates)
        return eventually(
            lambda: next((update for update in self.looker.updates[begun:] if what(update)), None), limit_s
        )


def eventually(look: Callable[[], Any], limit_s: float = 30.0) -> Any:
    """What `look` gives as soon as it is true; an error where it never is."""
    end_s = time.monotonic() + limit_s
    while time.monotonic() < end_s:
        if found := look():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not so in {limit_s:g} s")
