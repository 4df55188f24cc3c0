"""The one place where source, engine, monitor and outputs meet. What is heavy is imported at use."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain, count, islice
from typing import TYPE_CHECKING, NamedTuple

from echo_rt.framing import frame_feed, frame_recording, upside_down

if TYPE_CHECKING:
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.cardiac.two_views import ViewEvidence
    from echo_rt.engine import Engine
    from echo_rt.frame import Frame
    from echo_rt.framing import Framing
    from echo_rt.measures import Body
    from echo_rt.outputs import RecordingFiles
    from echo_rt.reading import Reading
    from echo_rt.result import RecordingResult
    from echo_rt.sources import Source
    from echo_rt.sources.screen.region import Keep

FIRST_FRAMES, LOOKED_AT = 18, 3
"""Frames by which a recording is found upside down, and every which of them is looked at so."""


def follow(source: Iterable[Frame], engine: Engine, monitor: Monitor) -> Iterator[tuple[Frame, Reading]]:
    """The way of a frame, of a recording and of a live feed alike: the one gives every frame, the other the newest.

    ``time_ms`` of a reading gets ``decode``, the time spent waiting for the source, and ``total``, from the frame's
    arrival to the reading, without the time that it waited for its turn.
    """
    asked = time.perf_counter()
    for frame in source:
        arrived = time.perf_counter()
        segmentation = engine.segment(frame.image, monitor.state)
        segmented = time.perf_counter()
        reading = monitor.update(segmentation, frame)
        done = time.perf_counter()
        # What an engine did before it was asked: see `echo_rt.ahead.segment_ahead`.
        ahead = max(0.0, sum((segmentation.time_ms or {}).values()) / 1e3 - (segmented - arrived))
        reading.time_ms.update(decode=1e3 * max(0.0, arrived - asked - ahead), total=1e3 * (done - arrived + ahead))
        yield frame, reading
        asked = time.perf_counter()


def follow_upright(
    source: Iterable[Frame], engine: Engine, monitor: Monitor
) -> tuple[Iterator[tuple[Frame, Reading]], str]:
    """The way of a recording's frames with the apex at the top, and what was done: one of `ORIENTATIONS`.

    Many paediatric laboratories show the apex at the bottom. Where the first frames are no apical view as they stand,
    and are one upside down, every frame is turned. Left and right stay.
    """
    from echo_rt.result import AS_RECORDED, TURNED

    frames = iter(source)
    first = list(islice(follow(frames, engine, monitor), FIRST_FRAMES))
    looked_at = [upside_down(frame) for frame, _ in first[::LOOKED_AT]]
    # Of a picture upside down single frames may pass as they stand.
    if 4 * sum(reading.quality.ok for _, reading in first) < len(first):
        judge = type(monitor)(engine.spec)
        usable = 0
        for frame in looked_at:
            judge.reset()
            usable += judge.update(engine.segment(frame.image), frame).quality.ok
        if 2 * usable > len(looked_at):
            monitor.reset()
            every = map(upside_down, chain((frame for frame, _ in first), frames))
            return follow(every, engine, monitor), TURNED
    return chain(first, follow(frames, engine, monitor)), AS_RECORDED


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
    from echo_rt.sources import open_source
    from echo_rt.together import bodies, check_method, together

    check_method(ef_method, a2c is not None)
    with ExitStack() as opened:
        running = _running(engine, device, opened)
        paths = [os.fspath(path) for path in (recording, a2c) if path is not None]
        unopened = [open_source(path, fps) for path in paths]
        keep = _kept(out is not None and overlay, keep_screen)
        framings = [frame_recording(source, running, roi, keep, read_screen) for source in unopened]
        # Both are opened before the first frame: what cannot be opened shows at once.
        sources = [opened.enter_context(source) for source in unopened]
        known, making = bodies(body, sources), _Making(out, name, overlay, reports)
        files = [made and opened.enter_context(made) for made in making.files(sources, paths)]
        expected, done = _expected(sources), count(1)
        views = [_View(*parts) for parts in zip(paths, sources, framings, known, files, strict=True)]
        followed = [
            _follow_recording(view, running, ef_method, lambda: progress(next(done), expected)) for view in views
        ]
        results = together(followed, running)
        _finish(files, results)
        return results[0]


def _finish(files: list[RecordingFiles | None], results: list[RecordingResult]) -> None:
    for made, result in reversed(list(zip(files, results, strict=True))):  # those of the first view tell of both
        if made is not None:
            made.finish(result)


class _View(NamedTuple):
    """A recording, entered, and what is known of it and made of it before its first frame."""

    path: str
    source: Source
    framing: Framing
    body: Body
    files: RecordingFiles | None


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


def _kept(overlay: bool, screen: bool) -> Keep | None:
    """What is kept of the pictures: without an overlay nothing."""
    from echo_rt.sources.screen.region import Keep

    return None if not overlay else Keep.SCREEN if screen else Keep.ULTRASOUND


class _Making(NamedTuple):
    """What files are made, by the names of `process`."""

    out: str | os.PathLike[str] | None
    name: str | None
    overlay: bool
    reports: Collection[str]

    def files(self, sources: list[Source], paths: list[str]) -> list[RecordingFiles | None]:
        """A folder of files for each source, not yet entered; without `out` there are none."""
        from echo_rt.outputs import RecordingFiles
        from echo_rt.outputs.folder import OVERLAY
        from echo_rt.outputs.names import names_of

        if self.out is None:
            return [None] * len(sources)
        names = names_of(self.out, self.name, [source.name for source in sources], paths)
        without = () if self.overlay else (OVERLAY,)
        return [
            RecordingFiles(self.out, each, recording=path, leave_out=without, reports=self.reports)
            for each, path in zip(names, paths, strict=True)
        ]


def _follow_recording(
    view: _View, engine: Engine, ef_method: str, tell: Callable[[], object]
) -> tuple[RecordingResult, ViewEvidence]:
    """The result of one recording, and what is known of its view.

    Its files get its frames and are not finished yet; `tell` is called after each frame.
    """
    from echo_rt import __version__
    from echo_rt.ahead import read_ahead, segment_ahead
    from echo_rt.cardiac.monitor import Monitor
    from echo_rt.cardiac.recording import RecordingHistory
    from echo_rt.cardiac.two_views import Pictures, ViewEvidence
    from echo_rt.provenance import Identity, Provenance
    from echo_rt.reading import AREA_EXTREMES
    from echo_rt.sources.base import Recording

    path, source, framing, body, files = view
    method = {AREA_EXTREMES: "area", "biplane": "disks"}.get(ef_method, ef_method)
    monitor, spec = Monitor(engine.spec, method, view=source.view, body=body), engine.spec
    history, pictures = RecordingHistory(), Pictures()
    with read_ahead(framing(source)) as decoded, segment_ahead(decoded, engine) as (frames, ahead):
        readings, orientation = follow_upright(frames, ahead, monitor)
        for frame, reading in readings:
            history.update(frame, reading)
            pictures.update(frame)
            if files is not None:
                files.write(frame, reading)
            tell()
    provenance = Provenance(
        recording=path,
        model=f"{spec.name} {spec.version}",
        engine=engine.description,
        version=__version__,
        view=monitor.view,
        spacing_note=source.spacing_note,
        notes=(*source.notes, *framing.notes),
        roi=framing.roi,
        orientation=orientation,
        # The area method reports FAC, to which the line was not fitted.
        ef_calibration=spec.tuning.calibration(monitor.view) if method != "area" else None,
    )
    whole_clip = ef_method == AREA_EXTREMES
    figures = monitor.clip_figures(even_with_beats=whole_clip)
    identity = source.identity if isinstance(source, Recording) else Identity()
    evidence = ViewEvidence(source.view, identity, monitor.seen, pictures.kept())
    return framing.told(history.result(provenance, figures, whole_clip=whole_clip)), evidence
