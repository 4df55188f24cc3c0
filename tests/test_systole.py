"""The form of a systole, fitted: it is exact on its own kind, and says nothing where it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.cardiac.phases import ejected_s
from echo_rt.cardiac.systole import fit_beginning, fit_systole
from echo_rt.phantom.cycle import Rhythm, systole_s
from echo_rt.phantom.options import PhantomOptions


def beat(ef: float = 55.0, rate: float = 70.0, fps: float = 50.0, seed: int = 1):
    """Times and volumes of a simulated heart around its third beat, and that beat."""
    rhythm = Rhythm(PhantomOptions.of(ef=ef, hr=rate, fps=fps, seed=seed, hr_variability=0.0), edv_ml=120.0)
    cycle = rhythm.between(0, 10)[2]
    times = np.arange(np.floor((cycle.start_s - 0.5) * fps), np.ceil((cycle.end_s + 0.1) * fps)) / fps
    return times, np.array([rhythm.volume_ml(t) for t in times]), cycle


@settings(max_examples=40, deadline=None)
@given(
    st.floats(15, 75),
    st.floats(40, 150),
    st.sampled_from([25, 30, 50, 60, 120]),
    st.floats(-0.05, 0.05),
    st.floats(-0.05, 0.05),
)
def test_it_finds_both_moments_and_volumes_from_where_noise_may_have_put_them(ef, rate, fps, off_ed, off_es) -> None:
    times, volumes, cycle = beat(ef, rate, fps)
    if fps < 14 * rate / 60:
        return  # too few frames for the unknowns
    # In a fast heart the plateaus are shorter, and so is the way that noise puts an extremum off.
    near = min(1.0, 75 / rate)
    systole = fit_systole(
        times, volumes[None], cycle.start_s + near * off_ed, cycle.es_s + near * off_es, cycle.end_s - cycle.start_s
    )
    assert systole is not None
    part = volumes[systole.first : systole.last]
    assert systole.t_ed_s == pytest.approx(cycle.start_s, abs=0.012)
    assert systole.t_es_s == pytest.approx(cycle.es_s, abs=0.012)
    assert systole.at_ed @ part == pytest.approx(cycle.edv_ml, abs=0.015 * cycle.edv_ml)
    assert systole.at_es @ part == pytest.approx(cycle.esv_ml, abs=0.01 * cycle.edv_ml)


def test_any_other_curve_of_the_same_samples_is_read_at_the_same_moments() -> None:
    times, volumes, cycle = beat()
    systole = fit_systole(times, volumes[None], cycle.start_s, cycle.es_s, cycle.end_s - cycle.start_s)
    assert systole is not None
    part = slice(systole.first, systole.last)
    for weights in (systole.at_ed, systole.at_es):
        assert weights.sum() == pytest.approx(1)  # what does not change is read as it is
        assert weights @ (0.3 * volumes[part] + 7) == pytest.approx(0.3 * (weights @ volumes[part]) + 7)


def test_whether_a_frame_at_the_end_of_a_window_takes_part_hangs_on_no_rounding() -> None:
    """At 30 frames a second the window begins three frames before ED."""
    taken = set()
    for start in range(200):
        times = start + np.arange(40) / 30
        systole = fit_systole(
            times, np.interp(np.arange(40), [0, 10, 20, 30], [120, 120, 50, 120])[None], times[10], times[20], 0.8
        )
        assert systole is not None
        taken.add((systole.first, systole.last))
    assert len(taken) == 1


def test_noise_moves_the_moments_less_than_it_moves_the_extremes() -> None:
    times, volumes, cycle = beat(ef=45)
    rng = np.random.default_rng(1)
    fitted, extremes = [], []
    for _ in range(60):
        noisy = volumes + rng.normal(0, 2.5, len(times))
        near = np.abs(times - cycle.start_s) < 0.1
        highest = times[near][noisy[near].argmax()]
        systole = fit_systole(times, noisy[None], highest, cycle.es_s, cycle.end_s - cycle.start_s)
        assert systole is not None
        fitted.append(abs(systole.t_ed_s - cycle.start_s))
        extremes.append(abs(highest - cycle.start_s))
    assert np.mean(fitted) < 0.5 * np.mean(extremes)


def test_other_curves_of_the_same_heart_put_the_moments_right_where_the_volume_errs() -> None:
    times, volumes, cycle = beat(ef=45)
    rng = np.random.default_rng(2)
    alone, together, beside_noise = [], [], []
    for _ in range(60):
        # A wall that comes and goes while the ventricle begins to contract: its volume falls too early.
        noisy = (
            volumes
            - 5.0 * (np.abs(times - cycle.start_s - rng.uniform(0, 0.05)) < 0.05)
            + rng.normal(0, 1.5, len(times))
        )
        length = 8 + volumes / 100 + rng.normal(0, 0.03, len(times))
        for errors, curves in (
            (alone, [noisy]),
            (together, [noisy, length]),
            (beside_noise, [noisy, rng.normal(0, 1, len(times)), np.full(len(times), np.nan)]),
        ):
            systole = fit_systole(times, np.array(curves), cycle.start_s, cycle.es_s, cycle.end_s - cycle.start_s)
            assert systole is not None
            errors.append(abs(systole.t_ed_s - cycle.start_s))
    assert np.mean(together) < 0.75 * np.mean(alone)
    assert np.mean(beside_noise) < 1.3 * np.mean(
        alone
    )  # a curve that says nothing has little say, one that is not known none


def test_a_volume_that_falls_when_the_valve_closes_has_not_begun_to_empty() -> None:
    """As through a network, which takes the closed leaflets for the floor of the cavity."""
    times, volumes, cycle = beat(ef=40)
    knots = [cycle.start_s - 0.025, cycle.start_s + 0.025, cycle.es_s + 0.07, cycle.es_s + 0.12]
    rng, late_s = np.random.default_rng(4), []
    for _ in range(40):
        drawn = volumes + 8.0 * np.interp(times, knots, [1, 0, 0, 1]) + rng.normal(0, 1.2, len(times))
        systole = fit_systole(times, drawn[None], cycle.start_s, cycle.es_s, cycle.end_s - cycle.start_s)
        assert systole is not None
        late_s.append(systole.t_ed_s - cycle.start_s)
    assert np.mean(late_s) == pytest.approx(0, abs=0.02)  # 30 ms too early where the form has no valve


@pytest.mark.parametrize("longer_s", [-0.03, 0.03])
def test_a_systole_longer_or_shorter_than_most_is_found_as_it_is(longer_s: float) -> None:
    times, volumes, cycle = beat(ef=45)
    # The beat's clock runs slower in systole and makes up for it after.
    real_s = np.interp(
        times, [cycle.start_s, cycle.es_s, cycle.end_s], [cycle.start_s, cycle.es_s + longer_s, cycle.end_s]
    )
    real_s = np.where((times < cycle.start_s) | (times > cycle.end_s), times, real_s)
    rng, late_s, length_s = np.random.default_rng(5), [], []
    for _ in range(40):
        noisy = volumes + rng.normal(0, 1.5, len(times))
        systole = fit_systole(real_s, noisy[None], cycle.start_s, cycle.es_s, cycle.end_s - cycle.start_s)
        assert systole is not None
        late_s.append(systole.t_ed_s - cycle.start_s)
        length_s.append(systole.t_es_s - systole.t_ed_s - (cycle.es_s - cycle.start_s))
    # What is expected has a say, since the fall begins slowly: half of the difference, a third of it at ED.
    assert np.mean(late_s) == pytest.approx(0, abs=0.012)
    assert np.mean(length_s) / longer_s > 0.4


@pytest.mark.parametrize(("rate", "ejection_ms"), [(40, 345), (60, 311), (100, 243), (140, 175), (180, 133)])
def test_systole_is_expected_to_last_as_long_as_in_people_at_that_rate(rate: float, ejection_ms: float) -> None:
    """413 ms - 1.7 ms a beat a minute (Weissler 1968), and contraction before it; the simulated hearts the same."""
    beat_s = 60 / rate
    contraction_ms = 50 * min(1.0, beat_s / 0.8)
    assert 1e3 * ejected_s(1.0, beat_s) == pytest.approx(contraction_ms + ejection_ms, abs=1)
    assert 1e3 * np.array(systole_s(beat_s)[:2]) == pytest.approx([contraction_ms, ejection_ms], abs=1)


def test_a_systole_that_is_still_going_on_is_found_by_its_beginning() -> None:
    times, volumes, cycle = beat()
    seen = times <= cycle.start_s + 0.2
    length_s = cycle.es_s - cycle.start_s
    beat_s = cycle.end_s - cycle.start_s
    found_s = fit_beginning(times[seen], volumes[None, seen], cycle.start_s - 0.03, length_s, beat_s)
    assert found_s == pytest.approx(cycle.start_s, abs=0.012)
    assert fit_beginning(times[seen][:5], volumes[None, seen][:, :5], cycle.start_s, length_s, beat_s) is None


@pytest.mark.parametrize("wrong", ["few", "rising", "nothing"])
def test_without_enough_samples_or_without_a_fall_there_is_no_systole(wrong: str) -> None:
    times, volumes, cycle = beat()
    if wrong == "few":
        times, volumes = times[::6], volumes[::6]
    elif wrong == "rising":
        volumes = 100 + 20 * times
    else:
        times, volumes = times[:0], volumes[:0]
    assert fit_systole(times, volumes[None], cycle.start_s, cycle.es_s, cycle.end_s - cycle.start_s) is None
