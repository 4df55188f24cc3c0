"""What a recording comes to at its end: one frozen value, made once, that every output renders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import echo_rt
from echo_rt.chambers import Scale
from echo_rt.fields import beat_fields, rounded, significant
from echo_rt.measures import Rolling
from echo_rt.provenance import AS_RECORDED, ORIENTATIONS, TURNED, Provenance
from echo_rt.reading import CLIP_EXTREMES, Beat, EjectionFraction
from echo_rt.wall import Wall

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from echo_rt.curves import Curves

__all__ = ["AS_RECORDED", "ORIENTATIONS", "TURNED", "Provenance"]


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """The frames of a recording.

    Attributes:
        total: how many there were.
        rejected: how many could not be used, by reason.
        fps: mean rate; None for fewer than two frames.
        spacing_mm: (row, column) of the first frame; None if uncalibrated.
        latency_ms: p50, p95, p99 and max of the time from a frame's arrival to its reading; None without frames.
    """

    total: int
    rejected: Mapping[str, int]
    fps: float | None
    spacing_mm: tuple[float, float] | None
    latency_ms: Mapping[str, float | None]

    @property
    def scale(self) -> Scale:
        """In what lengths, areas and volumes are given."""
        return Scale.of(self.spacing_mm)


@dataclass(frozen=True, slots=True)
class ClipExtremes:
    """The largest and the smallest volume, or area, of a whole recording.

    Attributes:
        t_ed_s, t_es_s: when they were.
        edv, esv, eda, esa, ef_percent, fac_percent: as in `Beat`, at these two moments.
        method: one of `CLIP_METHODS`: whether volume or area decided on the moments. With ``area-extremes`` both
            figures are the same.
    """

    t_ed_s: float
    t_es_s: float
    edv: float
    esv: float
    eda: float
    esa: float
    ef_percent: float
    fac_percent: float
    method: str = CLIP_EXTREMES


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """What a recording gives without a whole beat: its extremes, or the reason why there are none."""

    extremes: ClipExtremes | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class BiplaneBeat:
    """A beat of the A4C and one of the A2C recording, of like heart rate, taken as one; volumes as in `Biplane`."""

    a4c: Beat
    a2c: Beat
    edv: float | None
    esv: float | None
    ef_percent: float


@dataclass(frozen=True, slots=True)
class Biplane:
    """What two views of one heart come to.

    Attributes:
        ef: median over the pairs, its method ``biplane``; without a figure it has the reason.
        edv, esv: medians over the pairs, in mL; None where one of the recordings has no scale.
        beats: the pairs, in the order of the A4C recording.
        volume_note: why there are no volumes; None where there are.
        doubts: what may be wrong with the pair, a line each.
    """

    ef: EjectionFraction
    edv: float | None
    esv: float | None
    beats: tuple[BiplaneBeat, ...]
    volume_note: str | None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TwoViews:
    """The biplane figures, and the results of the two recordings that they are made of."""

    biplane: Biplane
    a4c: RecordingResult
    a2c: RecordingResult


@dataclass(frozen=True, slots=True, repr=False)
class RecordingResult:
    """All that is known at a recording's end. With an A2C recording it is that of the A4C one, with the biplane EF, EDV
    and ESV in place of its own.

    Attributes:
        ef: the last rolling figure, else that of the clip's extremes; without a percentage it has the reason.
        figures: heart rate, fractional area change and the further measures, of the same beats.
        edv, esv: medians of the same beats, in `volume_unit`; None without.
        beats: all, accepted and rejected, in the order of time.
        rolling: the rolling EF wherever it changed, with the time in seconds.
        extremes: the clip's largest and smallest volume, where the EF is made of them.
        two_views: with an A2C recording.
        curves: of this recording, what `plot` draws of each frame; None in a result of one's own.
    """

    provenance: Provenance
    frames: FrameCounts
    ef: EjectionFraction
    figures: Rolling = field(default_factory=Rolling)
    edv: float | None = None
    esv: float | None = None
    beats: tuple[Beat, ...] = ()
    rolling: tuple[tuple[float, EjectionFraction], ...] = ()
    extremes: ClipExtremes | None = None
    wall: Wall = field(default_factory=Wall)
    two_views: TwoViews | None = None
    curves: Curves | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"RecordingResult({self.provenance.recording!r}, {self.told})"

    @property
    def told(self) -> str:
        """What it comes to, in a few words."""
        return f"{self.ef.told}, {len(self.beats)} beats, {self.frames.total} frames"

    @property
    def fac_percent(self) -> float | None:
        """Fractional area change, of the same beats or of the clip's extremes; None without."""
        return self.figures.fac_percent

    @property
    def heart_rate_bpm(self) -> float | None:
        """Of the same beats; None without."""
        return self.figures.heart_rate_bpm

    @property
    def volume_unit(self) -> str | None:
        """``mL`` or ``px3``; None where two views have no common scale."""
        if self.two_views is not None:
            return Scale.MM.volume if self.two_views.biplane.volume_note is None else None
        return self.frames.scale.volume

    @property
    def _scale_source(self) -> str | None:
        """Where the scale is from: ``ruler``, ``header``, or None without one."""
        if self.frames.spacing_mm is None:
            return None
        return "header" if self.provenance.ruler is None else "ruler"

    @property
    def accepted_beats(self) -> int:
        """How many beats count; with two views, how many pairs."""
        return len(self.two_views.biplane.beats) if self.two_views else sum(beat.accepted for beat in self.beats)

    @property
    def rejected_beats(self) -> dict[str, int]:
        """How many beats do not count, by reason, the most frequent first."""
        return ranked(Counter(beat.reason or "rejected" for beat in self.beats if not beat.accepted))

    @property
    def single_plane(self) -> RecordingResult:
        """That of this recording alone, without a second view."""
        return self if self.two_views is None else self.two_views.a4c

    def with_second_view(self, a2c: RecordingResult, found: Biplane, figures: Rolling) -> RecordingResult:
        """This A4C recording's result with the biplane figures found with `a2c` in place of its own."""
        # The calibration was fitted to single-plane EF.
        provenance = replace(self.provenance, ef_calibration=None)
        return replace(
            self,
            provenance=provenance,
            ef=found.ef,
            figures=figures,
            edv=found.edv,
            esv=found.esv,
            two_views=TwoViews(found, self, a2c),
        )

    def plot(self) -> Figure:
        """The figure of ``curve.png``, see `echo_rt.plot`."""
        return echo_rt.plot(self)

    def to_dataframe(self) -> DataFrame:
        """A row for each beat, see `echo_rt.to_dataframe`."""
        return echo_rt.to_dataframe(self)

    def _repr_html_(self) -> str:
        return echo_rt.as_html(self)

    def to_dict(self) -> dict[str, Any]:
        """What ``summary.json`` holds: no NaN, figures rounded to what they are worth."""
        source, frames, line = self.provenance, self.frames, self.provenance.ef_calibration
        found = {
            "recording": source.recording,
            "recording_id": source.recording_id,
            "model": source.model,
            "engine": source.engine,
            "frames": frames.total,
            "fps": rounded(frames.fps, 3),
            "scale": self._scale_source,
            "scale_error_percent": None if source.ruler is None else rounded(source.ruler.error_percent, 2),
            "spacing_mm": None if frames.spacing_mm is None else [significant(mm) for mm in frames.spacing_mm],
            "view": source.view,
            "orientation": source.orientation,
            "roi": None if source.roi is None else source.roi.to_dict(),
            "ef_percent": rounded(self.ef.percent, 1),
            "ef_low": rounded(self.ef.low, 1),
            "ef_high": rounded(self.ef.high, 1),
            "ef_method": self.ef.method or None,
            "ef_reason": self.ef.reason,
            "ef_calibration": None if line is None else {"slope": line[0], "offset": line[1]},
            "fac_percent": rounded(self.fac_percent, 1),
            "edv": significant(self.edv),
            "esv": significant(self.esv),
            "volume_unit": self.volume_unit,
            "heart_rate_bpm": rounded(self.heart_rate_bpm, 1),
            "ecg_heart_rate_bpm": rounded(source.ecg_heart_rate_bpm, 1),
            "rr_variation_percent": rounded(self.figures.rr_variation_percent, 1),
            "rhythm": None if self.figures.rr_variation_percent is None else self.figures.rhythm,
            "body_surface_m2": rounded(self.figures.body.surface_m2, 2),
            "measures": {figure.name: figure.to_dict() for figure in self.figures.measures},
            "wall": {segment.segment: segment.to_dict() for segment in self.wall.segments} or None,
            "wall_note": self.wall.note,
            "beats": [beat_fields(beat) for beat in self.beats],
            "rejected": self.rejected_beats,
            "rejected_frames": dict(frames.rejected),
            "latency_ms": {name: rounded(ms, 3) for name, ms in frames.latency_ms.items()},
            "version": source.version,
            "spacing_note": source.spacing_note,
            "notes": list(source.notes),
        }
        if (views := self.two_views) is not None:
            figures = {name: found[name] for name in ("ef_percent", "ef_low", "ef_high", "edv", "esv")}
            pairs = [_pair(beat) for beat in views.biplane.beats]
            told = {"volume_note": views.biplane.volume_note, "doubts": list(views.biplane.doubts)}
            found["biplane"] = {**figures, "beats": pairs, **told}
            found |= {"a4c": views.a4c.to_dict(), "a2c": views.a2c.to_dict()}
        return found


def ranked(counts: Counter[str]) -> dict[str, int]:
    """The counts, the most frequent first, those as frequent by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _pair(pair: BiplaneBeat) -> dict[str, float | None]:
    return {
        "t_ed_a4c_s": rounded(pair.a4c.t_ed_s, 4),
        "t_ed_a2c_s": rounded(pair.a2c.t_ed_s, 4),
        "heart_rate_a4c_bpm": rounded(pair.a4c.heart_rate_bpm, 1),
        "heart_rate_a2c_bpm": rounded(pair.a2c.heart_rate_bpm, 1),
        "edv": significant(pair.edv),
        "esv": significant(pair.esv),
        "ef_percent": rounded(pair.ef_percent, 1),
    }
