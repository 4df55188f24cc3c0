"""summary.json: what one recording comes to."""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from dataclasses import asdict
from statistics import median
from typing import Any

import numpy as np

from echo_rt.frame import Frame
from echo_rt.outputs.wall import wall_summary
from echo_rt.reading import Beat, Biplane, ClipExtremes, EjectionFraction, Reading, WallBeat

NO_FRAMES = "no frames"


class Summary:
    """Collects what the summary needs: all beats, and eight bytes a frame for the latencies."""

    def __init__(self) -> None:
        self._frames = 0
        self._first_s = self._last_s = 0.0
        self._spacing_mm: tuple[float, float] | None = None
        self._ef = EjectionFraction(None, None, None, 0, "", NO_FRAMES)
        self._ef_reason: str | None = NO_FRAMES
        self._fac_percent: float | None = None
        self._heart_rate_bpm: float | None = None
        self._beats: list[Beat] = []
        self._wall_beats: list[WallBeat] = []
        self._rejected_frames: Counter[str] = Counter()
        self._views: Counter[str] = Counter()
        self._latency_ms = array("d")

    def write(self, frame: Frame, reading: Reading) -> None:
        """Take the next frame and what is known after it."""
        if not self._frames:
            self._first_s, self._spacing_mm = reading.t_s, frame.spacing_mm
        self._frames += 1
        self._last_s = reading.t_s
        if reading.ef.percent is not None or self._ef.percent is None:
            # A recording has the last figure that it came to, also where it goes on for long without a heart.
            self._ef, self._fac_percent, self._heart_rate_bpm = reading.ef, reading.fac_percent, reading.heart_rate_bpm
        self._ef_reason = reading.ef.reason
        if reading.beat is not None:
            self._beats.append(reading.beat)
            if reading.beat.accepted and reading.wall_beat is not None:
                self._wall_beats.append(reading.wall_beat)
        if reading.quality.ok and reading.segmentation.view is not None:
            self._views[reading.segmentation.view] += 1
        if not reading.quality.ok:
            self._rejected_frames[reading.quality.reason or "not ok"] += 1
        self._latency_ms.append(latency_ms(reading.time_ms))

    def close(self) -> None:
        """Nothing is held."""

    @property
    def beats(self) -> list[Beat]:
        """Those so far, accepted and rejected."""
        return self._beats

    @property
    def calibrated(self) -> bool:
        """Whether the scale of the recording is known."""
        return self._spacing_mm is not None

    def result(
        self,
        *,
        recording: str,
        model: str,
        engine: str,
        view: str | None,
        version: str,
        ef_calibration: tuple[float, float] | None = None,
        extremes: ClipExtremes | str | None = None,
        whole_clip: bool = False,
    ) -> dict[str, Any]:
        """The summary, ready for JSON: no NaN, numbers rounded to what they are worth.

        Args:
            recording, model, engine, version: as they shall stand there.
            view: as the recording says; where it says nothing, what the model saw in most good frames stands there.
            ef_calibration: slope and offset that every EF by volumes went through, None for none.
            extremes: what `Monitor.clip_figures` says; it counts where no beat gave an EF.
            whole_clip: let it count in any case.
        """
        ef, fac_percent, rate, edv, esv = self._ef, self._fac_percent, self._heart_rate_bpm, None, None
        reason = self._ef_reason
        if whole_clip:
            ef = EjectionFraction(None, None, None, 0, ef.method)
        if ef.percent is not None:
            # The rolling figure stands on the last `beats` accepted ones; these volumes are theirs.
            used = [beat for beat in self._beats if beat.accepted][-ef.beats :]
            if used:
                edv, esv = median(beat.edv for beat in used), median(beat.esv for beat in used)
        elif isinstance(extremes, ClipExtremes):
            ef = EjectionFraction(extremes.ef_percent, None, None, 0, extremes.method)
            fac_percent, edv, esv, reason = extremes.fac_percent, extremes.edv, extremes.esv, None
        else:
            reason = self._with_frames(extremes or reason or "")
        span_s = self._last_s - self._first_s
        view = view or next((name for name, _ in self._views.most_common(1)), None)
        wall, wall_note = wall_summary(self._wall_beats, view)
        return {
            "recording": recording,
            "model": model,
            "engine": engine,
            "frames": self._frames,
            "fps": _rounded((self._frames - 1) / span_s, 3) if span_s > 0 else None,
            "spacing_mm": None if self._spacing_mm is None else [_significant(mm) for mm in self._spacing_mm],
            "view": view,
            "ef_percent": _rounded(ef.percent, 1),
            "ef_low": _rounded(ef.low, 1),
            "ef_high": _rounded(ef.high, 1),
            "ef_method": ef.method or None,
            "ef_reason": reason,
            "ef_calibration": None
            if ef_calibration is None
            else {"slope": ef_calibration[0], "offset": ef_calibration[1]},
            "fac_percent": _rounded(fac_percent, 1),
            "edv": _significant(edv),
            "esv": _significant(esv),
            "volume_unit": "px3" if self._spacing_mm is None else "mL",
            "heart_rate_bpm": _rounded(rate, 1),
            "wall": wall,
            "wall_note": wall_note,
            "beats": [_beat(beat) for beat in self._beats],
            "rejected": _ranked(Counter(beat.reason or "rejected" for beat in self._beats if not beat.accepted)),
            "rejected_frames": _ranked(self._rejected_frames),
            "latency_ms": self._latency(),
            "version": version,
        }

    def _with_frames(self, reason: str) -> str:
        """Why there is no EF, and what most frames were, where most could not be used."""
        if 2 * sum(self._rejected_frames.values()) <= self._frames:
            return reason
        (most, count), *_ = self._rejected_frames.most_common(1)
        return f"{reason}; {count} of {self._frames} frames: {most}"

    def _latency(self) -> dict[str, float | None]:
        if not self._latency_ms:
            return {"p50": None, "p95": None, "p99": None, "max": None}
        found = np.percentile(np.frombuffer(self._latency_ms), (50, 95, 99, 100))
        return {name: _rounded(float(ms), 3) for name, ms in zip(("p50", "p95", "p99", "max"), found, strict=True)}


def biplane_summary(a4c: dict[str, Any], a2c: dict[str, Any], found: Biplane) -> dict[str, Any]:
    """The summary of two views of one heart: that of the A4C recording with biplane EF, EDV and ESV in place of its
    own.

    Args:
        a4c, a2c: what `Summary.result` gives for each.
        found: from the beats of both.

    Returns:
        With ``ef_method: biplane``; ``biplane``: figures, ``beats`` (of each pair the two ED, heart rates, EDV, ESV and
        EF) and ``volume_note``; and the two summaries as ``a4c`` and ``a2c``.
    """
    figures = {
        "ef_percent": _rounded(found.ef.percent, 1),
        "ef_low": _rounded(found.ef.low, 1),
        "ef_high": _rounded(found.ef.high, 1),
        "edv": _significant(found.edv),
        "esv": _significant(found.esv),
    }
    beats = [
        {
            **{f"t_ed_{view}_s": _rounded(beat.t_ed_s, 4) for view, beat in (("a4c", pair.a4c), ("a2c", pair.a2c))},
            **{
                f"heart_rate_{view}_bpm": _rounded(beat.heart_rate_bpm, 1)
                for view, beat in (("a4c", pair.a4c), ("a2c", pair.a2c))
            },
            "edv": _significant(pair.edv),
            "esv": _significant(pair.esv),
            "ef_percent": _rounded(pair.ef_percent, 1),
        }
        for pair in found.beats
    ]
    return {
        **a4c,
        **figures,
        "ef_method": found.ef.method,
        "ef_reason": found.ef.reason,
        # The line was fitted to single-plane EF.
        "ef_calibration": None,
        "volume_unit": "mL" if found.volume_note is None else None,
        "biplane": {**figures, "beats": beats, "volume_note": found.volume_note},
        "a4c": a4c,
        "a2c": a2c,
    }


def latency_ms(time_ms: dict[str, float]) -> float:
    """From the frame's arrival to the reading: the total where one was taken, else the sum of the stages."""
    return time_ms["total"] if "total" in time_ms else sum(time_ms.values())


def as_json(summary: Any) -> str:
    """The text of summary.json, of one summary or a list of them."""
    return json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _beat(beat: Beat) -> dict[str, Any]:
    found = asdict(beat)
    # What a second view needs, and no reader of this file.
    del found["disks_ed"], found["disks_es"]
    reason = found.pop("reason")
    found |= {"heart_rate_bpm": beat.heart_rate_bpm, "accepted": beat.accepted, "reason": reason}
    for name, number in found.items():
        if name.endswith("_s"):
            found[name] = _rounded(number, 4)
        elif name in ("edv", "esv", "eda", "esa"):
            found[name] = _significant(number)
        elif name.endswith(("_percent", "_bpm")):
            found[name] = _rounded(number, 1)
    return found


def _rounded(number: float | None, digits: int) -> float | None:
    return None if number is None or not math.isfinite(number) else round(float(number), digits)


def _significant(number: float | None) -> float | None:
    """Six digits: volumes are some 100 mL or some 10 000 000 px³."""
    return None if number is None or not math.isfinite(number) else float(f"{number:.6g}")


def _ranked(counts: Counter[str]) -> dict[str, int]:
    """The most frequent reason first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
