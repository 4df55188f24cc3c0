"""The one place where source, engine, monitor and sinks meet.

Imported with the package itself, so that `echo_rt.stream` is the function and not this module; what is heavy is imported at use.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.engine import Engine
    from echo_rt.frame import Frame
    from echo_rt.reading import Reading
    from echo_rt.sources import Source


def follow(source: Source, engine: Engine, monitor: Monitor) -> Iterator[tuple[Frame, Reading]]:
    """The way of a frame. Everything that echo-rt does with one happens between two turns of this loop.

    ``time_ms`` of a reading gets ``decode``, the time spent waiting for the source, and ``total``, from the frame's arrival to the
    reading.
    """
    asked = time.perf_counter()
    for frame in source:
        arrived = time.perf_counter()
        segmentation = engine.segment(frame.image, monitor.state)
        reading = monitor.update(segmentation, frame)
        done = time.perf_counter()
        reading.time_ms.update(decode=1e3 * (arrived - asked), total=1e3 * (done - arrived))
        yield frame, reading
        asked = time.perf_counter()


def stream(
    source: str | os.PathLike[str] | Source,
    engine: Engine | str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    ef_method: str = "disks",
    fps: float | None = None,
) -> Iterator[Reading]:
    """A reading for every frame of a recording or a feed.

    Args:
        source: what `open_source` takes, or a source of one's own, not yet entered.
        engine: an open engine, which stays open; or a model for `open_engine`, None being the default one.
        device: where to run a model that is opened here.
        ef_method: what the rolling EF is made of, see `Monitor`.
        fps: frames a second, for images without a clock or to correct a wrong one.

    Raises:
        EchoRtError: the source, the model or an option is not as it should be.
    """
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.engine import open_engine
    from echo_rt.sources import open_source

    with ExitStack() as opened:
        # Strings and paths are ours to open and to close, objects are the caller's.
        own = engine if engine is not None and not isinstance(engine, (str, os.PathLike)) else None
        running = own or opened.enter_context(open_engine(engine if own is None else None, device))  # type: ignore[arg-type]
        feed = opened.enter_context(open_source(os.fspath(source), fps) if isinstance(source, (str, os.PathLike)) else source)
        for _, reading in follow(feed, running, Monitor(running.spec, ef_method)):
            yield reading


def process(
    recording: str | os.PathLike[str],
    engine: Engine,
    *,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    ef_method: str = "disks",
    fps: float | None = None,
    overlay: bool = True,
    progress: Callable[[int, int | None], None] = lambda done, expected: None,
) -> dict[str, Any]:
    """One recording from the first frame to its summary.

    Args:
        recording: what `open_source` takes.
        engine: an open engine; it stays open.
        out: a folder, made where it is missing; the results go into the folder `name` in it. None writes nothing.
        name: by default the recording's.
        ef_method, fps: as in `stream`.
        overlay: whether ``overlay.mp4`` is made; it takes longer than all the rest.
        progress: called after every frame with the number of frames done and expected.

    Returns:
        What ``summary.json`` holds.

    Raises:
        EchoRtError: nothing is left half-written, and results of an earlier run stay as they were.
    """
    from echo_rt import __version__
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.sinks import FileSinks, Summary
    from echo_rt.sources import open_source

    with open_source(os.fspath(recording), fps) as source, ExitStack() as opened:
        monitor = Monitor(engine.spec, ef_method)
        summary = Summary()
        sinks = opened.enter_context(FileSinks(out, name or source.name, overlay=overlay)) if out is not None else None
        for done, (frame, reading) in enumerate(follow(source, engine, monitor), 1):
            summary.write(frame, reading)
            if sinks is not None:
                sinks.write(frame, reading)
            progress(done, source.frames)
        extremes = monitor.clip_extremes()
        result = summary.result(
            recording=os.fspath(recording),
            model=f"{engine.spec.name} {engine.spec.version}",
            engine=engine.description,
            view=source.view,
            version=__version__,
            # The area method reports FAC, to which the line was not fitted.
            ef_calibration=engine.spec.ef_calibration if ef_method != "area" else None,
            extremes=extremes,
        )
        result["spacing_note"] = source.spacing_note
        if sinks is not None:
            sinks.finish(result, extremes)
        return result
