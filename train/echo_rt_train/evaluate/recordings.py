"""Whole recordings through engine and monitor, as in `echo-rt file`: EF, how steady the volume curve is, when ED and ES
are found.

Where every frame was traced, the reference is the same monitor on the expert's masks: what differs is the model's doing
alone. Where a data set has an EF of its own (EchoNet-Dynamic's FileList.csv), that is a second reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from echo_rt.cardiac.monitor import Monitor
from echo_rt.engine import Engine
from echo_rt.frame import Frame
from echo_rt.model import ModelSpec
from echo_rt.reading import Beat
from echo_rt.segmentation import Segmentation
from echo_rt_train.data import Clip, ClipFrames, DataReport, read_clips
from echo_rt_train.evaluate.agreement import ef_agreement
from echo_rt_train.evaluate.bootstrap import by_patient, intervals, mean_of, point
from echo_rt_train.evaluate.ejection import expert_segmentation

MATCH_SHARE = 0.35
"""Two beats are the same one if their ED lie closer than this share of the period."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What a monitor says of one recording.

    Attributes:
        volume: (frames,) of each frame, NaN where there is none or the frame is not good.
        beats: accepted ones.
        ef_percent: at the end: rolling, or from the clip's extremes where no whole beat was seen; NaN where there is
            none.
    """

    volume: NDArray[np.float64]
    beats: list[Beat]
    ef_percent: float


@dataclass(frozen=True, eq=False)
class RecordingFigures:
    """One recording, by the model and, where every frame was traced, by the expert's masks."""

    clip: Clip
    model: Curve
    expert: Curve | None


def measure_clips(engine: Engine, clips: Sequence[Clip], report: DataReport) -> list[RecordingFigures]:
    """Run engine and monitor over every clip; one that cannot be read is noted in the report.

    Raises:
        DataError: a clip cannot be read and the report is strict.
    """
    found = []
    for clip, frames in track(read_clips(clips, report), "evaluating clips", len(clips), transient=True):
        model = follow_clip(
            engine.spec, [partial(engine.segment, image) for image in frames.frames], frames, clip.spacing_mm
        )
        expert = None
        if frames.masks is not None and frames.traced.all():
            sure = ModelSpec("expert", "1", engine.spec.width, engine.spec.height, 0.0, 1.0)
            expert = follow_clip(sure, [partial(_traced, mask) for mask in frames.masks], frames, clip.spacing_mm)
        found.append(RecordingFigures(clip, model, expert))
    return found


def _traced(mask: NDArray[np.uint8], state: object) -> Segmentation:
    return expert_segmentation(mask)


def follow_clip(
    spec: ModelSpec,
    segments: Sequence[Callable[[Any], Segmentation]],
    frames: ClipFrames,
    spacing_mm: tuple[float, float] | None,
) -> Curve:
    """A monitor over one clip.

    Args:
        spec: of the model.
        segments: for each frame the function from the monitor's state to its segmentation.
        frames: of the clip.
        spacing_mm: of its pixels.
    """
    monitor = Monitor(spec)
    volume, beats, percent = np.full(len(frames.frames), np.nan), [], None
    for k, segment in enumerate(segments):
        reading = monitor.update(segment(monitor.state), Frame(frames.frames[k], float(frames.t_s[k]), k, spacing_mm))
        if reading.quality.ok and reading.ventricle is not None:
            volume[k] = reading.ventricle.volume
        if reading.beat is not None and reading.beat.accepted:
            beats.append(reading.beat)
        percent = percent if reading.ef.percent is None else reading.ef.percent
    if percent is None and (extremes := monitor.clip_figures().extremes) is not None:
        percent = extremes.ef_percent
    return Curve(volume, beats, np.nan if percent is None else percent)


def jitter_percent(model: NDArray[np.float64], expert: NDArray[np.float64]) -> float:
    """Root mean square change, from one frame to the next, of the model's volume error, in percent of the largest true
    volume.

    The true curve is taken off, so that what is left is not motion; and a model that is smooth because it lags has an
    error that changes with the motion, and gains nothing by it.

    Args:
        model, expert: (frames,) volumes in one unit, NaN where there is none.
    """
    steps = np.diff(model - expert)
    steps = steps[np.isfinite(steps)]
    return float(100 * np.sqrt(np.mean(steps**2)) / np.nanmax(expert)) if len(steps) else np.nan


def lateness_ms(model: Sequence[Beat], expert: Sequence[Beat]) -> tuple[float, float, int]:
    """How much later the model's beats have their ED and ES, mean in ms (NaN without a beat in common), and how many
    are in common."""
    late = []
    for true in expert:
        nearest = min(model, key=lambda beat: abs(beat.t_ed_s - true.t_ed_s), default=None)
        if nearest is not None and abs(nearest.t_ed_s - true.t_ed_s) < MATCH_SHARE * (true.t_next_ed_s - true.t_ed_s):
            late.append((nearest.t_ed_s - true.t_ed_s, nearest.t_es_s - true.t_es_s))
    if not late:
        return np.nan, np.nan, 0
    ed, es = 1e3 * np.mean(late, axis=0)
    return float(ed), float(es), len(late)


def clip_summary(recordings: Sequence[RecordingFigures]) -> dict[str, Any]:
    """The figures of all recordings with their 95 % intervals, drawn by patient.

    Returns:
        ``clips``; of those whose every frame was traced ``jitter_percent_edv``, ``ed_late_ms``, ``es_late_ms`` (means
        over the clips), ``beats`` of the expert and ``beats_found`` among them, and ``ef`` against the same monitor on
        the expert's masks; ``ef_table`` against the EF that the data set gives.
    """
    found: dict[str, Any] = {"clips": len(recordings)}
    traced = [(r, r.expert) for r in recordings if r.expert is not None]
    if traced:
        timed = [lateness_ms(r.model.beats, expert.beats) for r, expert in traced]
        names = ("jitter_percent_edv", "ed_late_ms", "es_late_ms")
        rows = np.array(
            [[jitter_percent(r.model.volume, e.volume), *t[:2]] for (r, e), t in zip(traced, timed, strict=True)]
        )
        prepare, figures = mean_of(names)
        sums = by_patient([r.clip.patient for r, _ in traced], prepare(rows))
        found |= {**point(sums, figures), "ci": intervals(sums, figures)}
        found["beats"], found["beats_found"] = sum(len(e.beats) for _, e in traced), sum(t[2] for t in timed)
        pairs = np.array([[r.model.ef_percent, e.ef_percent] for r, e in traced])
        found["ef"] = ef_agreement(pairs[np.isfinite(pairs[:, 1])])
    table = [[r.model.ef_percent, r.clip.ef_percent] for r in recordings if r.clip.ef_percent is not None]
    if table:
        found["ef_table"] = ef_agreement(np.array(table, np.float64))
    return found
