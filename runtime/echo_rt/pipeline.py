"""What users call: recordings and feeds from their address to their figures. What is heavy is imported at use."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from echo_rt.following import View, follow, follow_recording
from echo_rt.framing import frame_feed, frame_recording

if TYPE_CHECKING:
    from echo_rt.cardiac.two_views import ViewEvidence
    from echo_rt.engine import Engine
    from echo_rt.measures import Body
    from echo_rt.outputs import RecordingFiles
    from echo_rt.reading import Reading
    from echo_rt.result import RecordingResult
    from echo_rt.sources import Source
    from echo_rt.sources.screen.region import Keep


def stream(
    source: str | os.PathLike[str] | Source,
    engine: Engine | str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    ef_method: str = "disks",
    fps: float | None = None,
    roi: str = "auto",
    read_screen: bool = True,
    body: Body | None = None,
) -> Iterator[Reading]:
    """A reading for every frame of a recording or a feed.

    Args:
        source: what `open_source` takes, or a source of one's own, not yet entered.
        engine: an open engine, which stays open; or a model for `open_engine`, None being the default one.
        device: where to run a model that is opened here.
        ef_method: what the rolling EF is made of, see `Monitor`.
        fps: frames a second, for images without a clock or to correct a wrong one.
        roi: what of the pictures is looked at: ``auto`` finds the ultrasound on a scanner's screen, ``x,y,w,h`` sets a
            rectangle in pixels, ``none`` takes all. A source of one's own is never looked at twice: ``auto`` takes all.
        read_screen: read the scale from the ruler on the screen where the source has none.
        body: how large the patient is; it outranks what a DICOM header says. Without both there are no indexed figures.

    Raises:
        EchoRtError: the source, the model or an option is not as it should be.
    """
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.sources import open_source
    from echo_rt.together import bodies

    with ExitStack() as opened:
        # Strings and paths are ours to open and to close, objects are the caller's.
        running = _running(engine, device, opened)
        if isinstance(source, (str, os.PathLike)):
            feed = open_source(os.fspath(source), fps)
            framing = frame_recording(feed, running, roi, read_screen=read_screen)
        else:
            feed, framing = source, frame_feed("none" if roi == "auto" else roi, read_screen)
        opened.enter_context(feed)
        monitor = Monitor(running.spec, ef_method, body=bodies(body, [feed])[0])
        for _, reading in follow(framing(feed), running, monitor):
            yield reading


def process(
    recording: str | os.PathLike[str],
    engine: Engine | str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    a2c: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    ef_method: str = "disks",
    fps: float | None = None,
    roi: str = "auto",
    overlay: bool = True,
    keep_screen: bool = False,
    read_screen: bool = True,
    body: Body | None = None,
    reports: Collection[str] = (),
    progress: Callable[[int, int | None], None] = lambda done, expected: None,
) -> RecordingResult:
    """One recording from the first frame to its result; or two views of one heart.

    Args:
        recording: what `open_source` takes.
        engine, device: as in `stream`.
        a2c: the two-chamber recording of the same heart, `recording` being the four-chamber one: EF is biplane then.
        out: a folder, made where it is missing; the results go into the folder `name` in it, those of the A2C recording
            into one beside it. None writes nothing.
        name: by default the recording's, or where that holds the results of another a name beside it.
        ef_method: as in `stream`, or ``area-extremes``: the largest and the smallest area of the whole recording. With
            an A2C recording ``biplane``, which is also the default there.
        fps, roi, read_screen, body: as in `stream`, of both recordings; the ECG on the screen is read too.
        overlay: whether ``overlay.mp4`` is made; it takes longer than all the rest.
        keep_screen: let it show all of a scanner's screen; else it shows the ultrasound alone.
        reports: kinds of `echo_rt.outputs.reports.REPORTS` that are made too.
        progress: called after every frame with the number of frames done and expected, in both recordings together.

    Raises:
        EchoRtError: nothing is left half-written, and results of an earlier run stay as they were.
    """
    from echo_rt.outputs.folder import OVERLAY
    from echo_rt.together import check_method

    check_method(ef_method, a2c is not None)
    leave_out = () if overlay else (OVERLAY,)
    asked = _Asked(out, name, ef_method, fps, roi, leave_out, keep_screen, read_screen, body, reports, progress)
    with ExitStack() as opened:
        running = _running(engine, device, opened)
        return _follow_recordings([recording] if a2c is None else [recording, a2c], running, asked)[0][0]


def follow_one(
    recording: str | os.PathLike[str],
    engine: Engine,
    *,
    out: str | os.PathLike[str] | None = None,
    name: str | None = None,
    ef_method: str = "disks",
    fps: float | None = None,
    roi: str = "auto",
    leave_out: Collection[str] = (),
    keep_screen: bool = False,
    read_screen: bool = True,
    body: Body | None = None,
    reports: Collection[str] = (),
    progress: Callable[[int, int | None], None] = lambda done, expected: None,
) -> tuple[RecordingResult, ViewEvidence]:
    """What `process` gives of one recording, and what a second view of the same heart needs to know of it.

    Args:
        engine: open; it stays open.
        leave_out: files of `echo_rt.outputs.files.OUTPUTS` that are not made, such as ``overlay.mp4``.
        recording, out, name, ef_method, fps, roi, keep_screen, read_screen, body, reports, progress: as in `process`.

    Raises:
        EchoRtError: as in `process`.
    """
    from echo_rt.together import check_method

    check_method(ef_method, two_views=False)
    asked = _Asked(out, name, ef_method, fps, roi, leave_out, keep_screen, read_screen, body, reports, progress)
    return _follow_recordings([recording], engine, asked)[0]


class _Asked(NamedTuple):
    """How recordings are followed and what is made of them, by the names of `process` and `follow_one`."""

    out: str | os.PathLike[str] | None
    name: str | None
    ef_method: str
    fps: float | None
    roi: str
    leave_out: Collection[str]
    keep_screen: bool
    read_screen: bool
    body: Body | None
    reports: Collection[str]
    progress: Callable[[int, int | None], None]


def _follow_recordings(
    recordings: Sequence[str | os.PathLike[str]], engine: Engine, asked: _Asked
) -> list[tuple[RecordingResult, ViewEvidence]]:
    """Of each recording its result, and what is known of its view; of two the first result tells of both."""
    from echo_rt.sources import open_source
    from echo_rt.together import bodies, together

    with ExitStack() as opened:
        paths = [os.fspath(path) for path in recordings]
        unopened = [open_source(path, asked.fps) for path in paths]
        keep = _kept(asked)
        framings = [frame_recording(source, engine, asked.roi, keep, asked.read_screen) for source in unopened]
        # Both are opened before the first frame: what cannot be opened shows at once.
        sources = [opened.enter_context(source) for source in unopened]
        known = bodies(asked.body, sources)
        files = [made and opened.enter_context(made) for made in _files(sources, paths, asked)]
        expected, done = _expected(sources), count(1)
        views = [View(*parts) for parts in zip(paths, sources, framings, known, files, strict=True)]
        followed = [
            follow_recording(view, engine, asked.ef_method, lambda: asked.progress(next(done), expected))
            for view in views
        ]
        results = together(followed, engine)
        _finish(files, results)
        return [(result, evidence) for result, (_, evidence) in zip(results, followed, strict=True)]


def _finish(files: list[RecordingFiles | None], results: list[RecordingResult]) -> None:
    for made, result in reversed(list(zip(files, results, strict=True))):  # those of the first view tell of both
        if made is not None:
            made.finish(result)


def _expected(sources: list[Source]) -> int | None:
    """Frames of all of them; None where one does not say."""
    lengths = [source.frames for source in sources]
    return None if None in lengths else sum(length or 0 for length in lengths)


def _running(engine: Engine | str | os.PathLike[str] | None, device: str, opened: ExitStack) -> Engine:
    """The engine that was given, or one for the model that was named, which `opened` closes."""
    from echo_rt.engine import open_engine

    if engine is None or isinstance(engine, (str, os.PathLike)):
        return opened.enter_context(open_engine(engine, device))
    return engine


def _kept(asked: _Asked) -> Keep | None:
    """What is kept of the pictures: without an overlay nothing."""
    from echo_rt.outputs.folder import OVERLAY
    from echo_rt.sources.screen.region import Keep

    if asked.out is None or OVERLAY in asked.leave_out:
        return None
    return Keep.SCREEN if asked.keep_screen else Keep.ULTRASOUND


def _files(sources: list[Source], paths: list[str], asked: _Asked) -> list[RecordingFiles] | list[None]:
    """A folder of files for each source, not yet entered; without `out` there are none."""
    from echo_rt.outputs.files import files_of

    if asked.out is None:
        return [None] * len(sources)
    names = [source.name for source in sources]
    return files_of(asked.out, asked.name, names, paths, leave_out=asked.leave_out, reports=asked.reports)
