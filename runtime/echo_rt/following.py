"""The one place where source, engine, monitor and outputs meet. What is heavy is imported at use."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from echo_rt.errors import printable
from echo_rt.framing import upside_down

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

_LOG = logging.getLogger(__name__)

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


class View(NamedTuple):
    """A recording, entered, and what is known of it and made of it before its first frame."""

    path: str
    source: Source
    framing: Framing
    body: Body
    files: RecordingFiles | None


def follow_recording(
    view: View, engine: Engine, ef_method: str, tell: Callable[[], object]
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
    result = framing.told(history.result(provenance, figures, whole_clip=whole_clip))
    # Whoever keeps logs need not know whose recording it is.
    _LOG.info("recording %s: %s", provenance.recording_id, printable(result.told))
    return result, evidence
