"""The one place where source, engine, monitor and outputs meet.

Imported with the package itself, so that `echo_rt.stream` is the function and not this module; what is heavy is
imported at use.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.engine import Engine
    from echo_rt.frame import Frame
    from echo_rt.outputs import RecordingFiles
    from echo_rt.reading import Beat, Reading
    from echo_rt.sources import Source


def follow(source: Iterable[Frame], engine: Engine, monitor: Monitor) -> Iterator[tuple[Frame, Reading]]:
    """The way of a frame. Everything that echo-rt does with one happens between two turns of this loop, for a recording
    as for a live feed: the one gives every frame, the other the newest.

    ``time_ms`` of a reading gets ``decode``, the time spent waiting for the source, and ``total``, from the frame's
    arrival to the reading.
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
        feed = opened.enter_context(
            open_source(os.fspath(source), fps) if isinstance(source, (str, os.PathLike)) else source
        )
        for _, reading in follow(feed, running, Monitor(running.spec, ef_method)):
            yield reading


def process(
    recording: str | os.PathLike[str],
    engine: Engine,
    *,
    a2c: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    ef_method: str = "disks",
    fps: float | None = None,
    overlay: bool = True,
    progress: Callable[[int, int | None], None] = lambda done, expected: None,
) -> dict[str, Any]:
    """One recording from the first frame to its summary; or two views of one heart.

    Args:
        recording: what `open_source` takes.
        engine: an open engine; it stays open.
        a2c: the two-chamber recording of the same heart, `recording` being the four-chamber one: EF is biplane then.
        out: a folder, made where it is missing; the results go into the folder `name` in it, those of the A2C recording
            into one beside it. None writes nothing.
        name: by default the recording's.
        ef_method: as in `stream`, or ``area-extremes``: the largest and the smallest area of the whole recording. With
            an A2C recording ``biplane``, which is also the default there.
        fps: as in `stream`, of both recordings.
        overlay: whether ``overlay.mp4`` is made; it takes longer than all the rest.
        progress: called after every frame with the number of frames done and expected, in both recordings together.

    Returns:
        What ``summary.json`` holds. With an A2C recording it is that of the A4C one with the biplane EF, EDV and ESV in
        place of its own, and ``biplane``, the pairs of beats, ``a4c`` and ``a2c``, the summary of each.

    Raises:
        EchoRtError: nothing is left half-written, and results of an earlier run stay as they were.
    """
    from echo_rt.cardiac.biplane import biplane
    from echo_rt.cardiac.ejection_fraction import model_error_points
    from echo_rt.errors import ParameterError
    from echo_rt.outputs import RecordingFiles, biplane_summary
    from echo_rt.sources import open_source

    if a2c is None and ef_method == "biplane":
        raise ParameterError(
            "expected an A2C recording beside the A4C one for the EF method biplane, found none; name it (--a2c)"
        )
    if a2c is not None and ef_method not in ("disks", "biplane"):
        raise ParameterError(
            f"expected the EF method biplane, which is made of disks, with an A2C recording, found {ef_method!r}"
        )
    with ExitStack() as opened:
        # Both are opened before the first frame: what cannot be opened shows at once.
        paths = [os.fspath(path) for path in (recording, a2c) if path is not None]
        sources = [opened.enter_context(open_source(path, fps)) for path in paths]
        names = [name or sources[0].name, *(source.name for source in sources[1:])]
        if len(set(names)) < len(names):
            names[1] += "-a2c"
        lengths = [source.frames for source in sources]
        expected = None if None in lengths else sum(length or 0 for length in lengths)
        runs: list[_Run] = []
        for path, source, folder in zip(paths, sources, names, strict=True):
            outputs = opened.enter_context(RecordingFiles(out, folder, overlay=overlay)) if out is not None else None
            method = "disks" if ef_method == "biplane" else ef_method
            follow_on = partial(_progress, progress, sum(run.result["frames"] for run in runs), expected)
            runs.append(_run(path, source, engine, outputs, method, follow_on))
        result = runs[0].result
        if a2c is not None:
            a4c_run, a2c_run = runs
            known = (a4c_run.calibrated, a2c_run.calibrated)
            error = model_error_points(engine.spec, "biplane")
            found = biplane(a4c_run.beats, a2c_run.beats, calibrated=known, error_points=error)
            result = biplane_summary(a4c_run.result, a2c_run.result, found)
            a2c_run.finish(a2c_run.result)
        runs[0].finish(result)
        return result


def _progress(tell: Callable[[int, int | None], None], before: int, expected: int | None, done: int) -> None:
    tell(before + done, expected)


@dataclass(frozen=True)
class _Run:
    """One recording, followed to its end; `finish` completes its files with a summary."""

    result: dict[str, Any]
    beats: list[Beat]
    calibrated: bool
    finish: Callable[[dict[str, Any]], None]


def _run(
    path: str,
    source: Source,
    engine: Engine,
    outputs: RecordingFiles | None,
    ef_method: str,
    progress: Callable[[int], None],
) -> _Run:
    from echo_rt import __version__
    from echo_rt.ahead import read_ahead
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.outputs import Summary
    from echo_rt.reading import AREA_EXTREMES

    whole_clip = ef_method == AREA_EXTREMES
    monitor = Monitor(engine.spec, "area" if whole_clip else ef_method)
    summary = Summary()
    with read_ahead(source) as frames:
        for done, (frame, reading) in enumerate(follow(frames, engine, monitor), 1):
            summary.write(frame, reading)
            if outputs is not None:
                outputs.write(frame, reading)
            progress(done)
    clip = monitor.clip_figures(even_with_beats=whole_clip)
    extremes = clip.extremes or clip.reason
    result = summary.result(
        recording=path,
        model=f"{engine.spec.name} {engine.spec.version}",
        engine=engine.description,
        view=source.view,
        version=__version__,
        # The area method reports FAC, to which the line was not fitted.
        ef_calibration=engine.spec.ef_calibration if monitor.ef_method != "area" else None,
        extremes=extremes,
        whole_clip=whole_clip,
    )
    result["spacing_note"] = source.spacing_note

    def finish(final: dict[str, Any]) -> None:
        if outputs is not None:
            outputs.finish(final, extremes)

    return _Run(result, summary.beats, summary.calibrated, finish)
