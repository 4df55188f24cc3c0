"""The parts of the beat finder, each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_rt.cardiac.acceptance import (
    MAX_HOLE,
    OUT_OF_LINE,
    TOO_FEW_FRAMES,
    TOO_LONG,
    TOO_SHORT,
    rejection,
)
from echo_rt.cardiac.curve import Sample, quadratic_fit
from echo_rt.cardiac.running_extremes import RunningExtremes
from echo_rt.cardiac.turning_points import Cycle, TurningPoint


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(-9, 9)), min_size=1, max_size=40), st.floats(0.1, 5))
def test_running_extremes_are_those_of_the_last_seconds(steps: list[tuple[float, float]], span_s: float) -> None:
    running, seen, t_s = RunningExtremes(span_s), [], 0.0
    for step_s, number in steps:
        t_s += step_s
        seen.append((t_s, number))
        running.push(t_s, number)
        recent = [n for at_s, n in seen if at_s >= t_s - span_s]
        assert (running.highest, running.lowest) == (max(recent), min(recent))
    running.clear()
    assert (running.highest, running.lowest) == (0, 0)


def test_a_beat_is_judged_by_its_length_its_frames_its_holes_and_its_fall() -> None:
    def judged(
        beat_s: float = 1.0, good: int = 50, hole_s: float = 0.0, fall: float = 60.0, fit: float | None = 0.95
    ) -> str | None:
        ed, es, next_ed = (Sample(t_s, v, 1.0) for t_s, v in ((2.0, 120.0), (2.35, 120.0 - fall), (3.0, 120.0)))
        cycle = Cycle(
            TurningPoint(ed, True, 100, 100),
            TurningPoint(es, True, 117, 117),
            TurningPoint(next_ed, True, 150, 100 + good),
            amplitude=60.0,
        )
        sampled_s = [t for t in np.arange(0, 5, 0.02) if not 2.3 < t < 2.3 + hole_s]
        return rejection(cycle, beat_s, fit, sampled_s, [58.0, 62.0])

    assert judged() is None
    assert judged(fit=None) is None
    assert judged(fit=0.58) == "no systole in the curve"
    assert (judged(beat_s=0.2), judged(beat_s=2.1)) == (TOO_SHORT, TOO_LONG)
    assert judged(good=34) == judged(hole_s=MAX_HOLE + 0.03) == TOO_FEW_FRAMES
    assert judged(good=36) is judged(hole_s=MAX_HOLE - 0.03) is None
    assert (judged(fall=0.3 * 60), judged(fall=2.3 * 60)) == (OUT_OF_LINE, OUT_OF_LINE)


@given(st.floats(-5, 5), st.floats(-50, 50), st.floats(-300, 300), st.floats(0, 100))
def test_the_smoother_keeps_a_parabola_as_it_is(a: float, b: float, c: float, t: float) -> None:
    offsets = np.array([-0.045, -0.02, 0.0, 0.013, 0.04])
    samples = [Sample(t + u, 100 + a + b * u + c * u * u, 1.0) for u in offsets]
    assert quadratic_fit(samples, t).volume == pytest.approx(100 + a, abs=1e-6)
