"""The words above the curves of curve.png."""

from __future__ import annotations

from echo_rt.reading import AREA_EXTREMES
from echo_rt.result import RecordingResult

APART, BETWEEN = "   ·   ", "  ·  "


def headline(result: RecordingResult) -> str:
    """EF, what it stands on, and the heart rate."""
    ef = result.ef
    if ef.percent is None:
        return f"no EF: {ef.reason or 'no frames'}"
    if result.extremes is not None:
        measure = "area" if ef.method == AREA_EXTREMES else "volume"
        why = "" if result.beats else ": no whole beat in it"
        return f"EF {ef.percent:.0f} % from the clip's largest and smallest {measure}{why}"
    interval = f" ({ef.low:.0f} to {ef.high:.0f})" if ef.low is not None and ef.high is not None else ""
    rate = "" if result.heart_rate_bpm is None else f"{APART}{result.heart_rate_bpm:.0f} bpm"
    if result.figures.irregular:
        rate += f", irregular: beats vary in length by {result.figures.rr_variation_percent:.0f} %"
    stale = f"{APART}{ef.reason}" if ef.stale else ""
    return f"EF {ef.percent:.0f} %{interval}, last {ef.beats} beat{'s' * (ef.beats != 1)}, {ef.method}{rate}{stale}"


def figure_lines(result: RecordingResult) -> list[str]:
    """The foremost measures: those that have a figure, then those that have none with the reason; a line each."""
    foremost = [figure for figure in result.figures.in_view(result.provenance.view) if figure.measure.foremost]
    known = [figure for figure in foremost if figure.value is not None]
    lines = []
    if known:
        beats = max(figure.beats for figure in known)
        how = "mean" if result.figures.irregular else "median"
        of = f"{how} of {beats} beats: " if beats > 1 else ""
        lines.append(of + BETWEEN.join(f"{figure.measure.label} {figure.text}" for figure in known))
    reasons: dict[str, list[str]] = {}
    for figure in foremost:
        if figure.value is None:
            reasons.setdefault(figure.reason or "not known", []).append(figure.measure.label)
    if reasons and result.ef.percent is not None:
        if not known and len(reasons) == 1:
            return [f"no further measures: {next(iter(reasons))}"]
        told = (f"{'; '.join(labels)}: {reason}" for reason, labels in reasons.items())
        lines.append("not measured: " + BETWEEN.join(told))
    return lines
