from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.cardiac.acceptance import (
    HEART_RATE_BPM,
    OUT_OF_LINE,
    TOO_FEW_FRAMES,
    TOO_LONG,
    TOO_SHORT,
)
from echo_rt.cardiac.beats import BeatFinder
from echo_rt.cardiac.curve import SAMPLES_KEPT_S, Sample
from echo_rt.cardiac.turning_points import AMPLITUDE_MEMORY_S
from echo_rt.reading import Beat
from support.hearts import volume_at


def run(times: np.ndarray, volumes: np.ndarray, finder: BeatFinder | None = None) -> list[Beat]:
    finder = finder or BeatFinder()
    found = [
        finder.update(t, None if np.isnan(v) else Sample(float(t), float(v), float(v) ** (2 / 3)))
        for t, v in zip(times, volumes, strict=True)
    ]
    return [beat for beat in found if beat is not None]


@settings(max_examples=60, deadline=None)
@given(st.floats(15, 75), st.floats(40, 180), st.sampled_from([15, 25, 30, 50, 60, 120]), st.floats(0, 1))
def test_every_beat_of_a_regular_heart_is_found_once(ef: float, rate: float, fps: int, start: float) -> None:
    if fps < 6 * rate / 60:
        return  # fewer than six frames a beat
    seconds = 10.0
    times = np.arange(0, seconds, 1 / fps)
    beats = run(times, volume_at(times * rate / 60 + start, ef=ef))
    # ED falls on whole phases; one or two beats are not whole at the ends, the last one is certain only after it
    # turned.
    whole = int(np.floor(seconds * rate / 60 + start)) - int(np.ceil(start)) - 1
    assert whole - 1 <= len(beats) <= whole + 1
    assert all(beat.accepted for beat in beats)
    # This heart turns slowly, like no real one: for 3 % of the beat it is as good as at ED or ES, and the earliest
    # moment counts. Where it is fast its systole is 40 ms shorter than a heart's, and without corners that would show
    # it: its ED is up to 26 ms off.
    frame = 1.35 * max(1 / fps, 0.02, 0.03 * 60 / rate)
    for beat in beats:
        ed_phase = (beat.t_ed_s * rate / 60 + start + 0.5) % 1.0 - 0.5
        es_phase = (beat.t_es_s * rate / 60 + start) % 1.0 - 0.35
        assert abs(ed_phase) * 60 / rate <= frame + 1e-6
        assert abs(es_phase) * 60 / rate <= frame + 1e-6
        assert beat.heart_rate_bpm == pytest.approx(rate, rel=2.1 * frame * rate / 60 + 1e-6)
    starts = [beat.t_ed_s for beat in beats]
    assert starts == sorted(set(starts))


@pytest.mark.parametrize("helps", ["length", "atrium"])
def test_ed_is_found_by_the_long_axis_and_by_the_atrium_too(helps: str) -> None:
    rng, times, late_s = np.random.default_rng(3), np.arange(0, 10, 0.02), {}
    true = volume_at(times)
    noisy = true + rng.normal(0, 5, len(times))
    length = 8 + true / 60 + rng.normal(0, 0.02, len(times))
    atrium = 900 - 4 * true + rng.normal(0, 5, len(times))  # large when the ventricle is small
    for known in ("nothing", helps):
        finder = BeatFinder()
        found = [
            finder.update(
                t,
                Sample(
                    float(t),
                    float(v),
                    1.0,
                    length=float(long) if known == "length" else np.nan,
                    atrium=float(size) if known == "atrium" else np.nan,
                ),
            )
            for t, v, long, size in zip(times, noisy, length, atrium, strict=True)
        ]
        late_s[known] = np.mean([abs((beat.t_ed_s + 0.5) % 1 - 0.5) for beat in found if beat is not None])
    assert late_s[helps] < 0.75 * late_s["nothing"]


def test_ejection_fraction_of_a_beat_is_that_of_the_curve() -> None:
    times = np.arange(0, 8, 0.02)
    for ef in (20.0, 45.0, 70.0):
        for beat in run(times, volume_at(times, ef=ef)):
            assert beat.ef_percent == pytest.approx(ef, abs=0.5)


def test_the_finder_is_causal() -> None:
    times = np.arange(0, 6, 0.02)
    volumes = volume_at(times)
    short, full = run(times[:200], volumes[:200]), run(times, volumes)
    assert short == full[: len(short)]
    assert len(full) > len(short)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.sampled_from([25, 30, 50, 60]), st.floats(0, 100))
def test_the_same_frames_make_the_same_beats_however_their_times_are_rounded(
    seed: int, fps: int, start_s: float
) -> None:
    rng = np.random.default_rng(seed)
    once = volume_at(np.arange(fps) / fps) + rng.normal(0, 3, fps)
    found = run(start_s + np.arange(8 * fps) / fps, np.tile(once, 8))
    # From when the running amplitude is that of a whole memory: before it turns are certain earlier or later.
    beats = [beat for beat in found if beat.t_ed_s > start_s + AMPLITUDE_MEMORY_S]
    assert len(beats) >= 4
    for beat in beats:
        assert beat.heart_rate_bpm == pytest.approx(60, abs=0.01)
        assert beat.ef_percent == pytest.approx(beats[0].ef_percent, abs=0.01)


def test_noise_alone_is_no_beat() -> None:
    rng = np.random.default_rng(3)
    times = np.arange(0, 20, 0.02)
    assert run(times, 100 + rng.normal(0, 0.8, len(times))) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9999), st.sampled_from([15, 25, 50, 120]))
def test_whatever_the_curve_a_beat_is_in_order_and_an_accepted_one_is_a_hearts(seed: int, fps: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.2, 1.8, 6 * fps) / fps)
    for beat in run(times, rng.uniform(20, 150, len(times))):
        assert beat.t_ed_s < beat.t_es_s < beat.t_next_ed_s
        assert not beat.accepted or HEART_RATE_BPM[0] <= beat.heart_rate_bpm <= HEART_RATE_BPM[1]


def test_ed_is_near_where_the_fall_begins_however_long_the_ventricle_rested_before() -> None:
    """In a slow heart noise puts the largest volume anywhere in a rest of most of a second."""
    times = np.arange(0, 60, 0.02)
    true = np.interp(times % 1.6, [0, 0.05, 0.4, 0.47, 0.75, 1.6], [120, 120, 50, 50, 120, 120])
    beats = run(times, true + np.random.default_rng(2).normal(0, 3, len(times)))
    assert len(beats) >= 35
    assert max(abs((beat.t_ed_s + 0.8) % 1.6 - 0.8) for beat in beats) < 0.05


def test_a_variable_frame_rate_with_dropped_frames_gives_the_same_beats() -> None:
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.uniform(0.012, 0.03, 600))
    times = times[rng.random(600) > 0.1]
    beats = run(times, volume_at(times))
    assert len(beats) >= int(times[-1]) - 2
    assert all(beat.heart_rate_bpm == pytest.approx(60, rel=0.05) for beat in beats)
    assert all(beat.ef_percent == pytest.approx(60, abs=1) for beat in beats)


def test_a_hole_in_the_recording_does_not_make_one_long_beat_of_two() -> None:
    times = np.arange(0, 8, 0.02)
    volumes = volume_at(times)
    volumes[(times > 3.3) & (times < 4.9)] = np.nan
    beats = run(times, volumes)
    assert all(beat.heart_rate_bpm == pytest.approx(60, rel=0.05) for beat in beats if beat.accepted)
    assert not [beat for beat in beats if beat.t_ed_s < 3.3 and beat.t_next_ed_s > 4.9]


def test_a_beat_with_too_few_good_frames_is_rejected_with_its_reason() -> None:
    times = np.arange(0, 8, 0.02)
    volumes = volume_at(times)
    spoilt = (times > 3.05) & (times < 3.95) & (np.arange(len(times)) % 2 == 0)
    volumes[spoilt] = np.nan
    rejected = [beat for beat in run(times, volumes) if not beat.accepted]
    assert [beat.reason for beat in rejected] == [TOO_FEW_FRAMES]


def test_a_hole_that_can_hide_end_systole_rejects_the_beat_though_most_frames_are_good() -> None:
    times = np.arange(0, 8, 0.02)
    volumes = volume_at(times)
    volumes[(times > 3.22) & (times < 3.48)] = np.nan
    rejected = [beat for beat in run(times, volumes) if not beat.accepted]
    assert [(beat.reason, round(beat.t_ed_s)) for beat in rejected] == [(TOO_FEW_FRAMES, 3)]


def test_where_the_curve_is_flat_systole_begins_and_ends_at_the_corners() -> None:
    """A ventricle of an EF of 17 %: 50 ms of contraction, 0.3 s of ejection, 80 ms of relaxation, filling, and a kick
    before the next ED. It ejects at a constant rate, unlike any heart, and that costs up to 30 ms."""
    rng = np.random.default_rng(2)
    times = np.arange(0, 12, 0.02)
    volumes = np.interp(times % 1.2, [0, 0.05, 0.35, 0.43, 0.65, 1.07, 1.2], [120, 120, 100, 100, 113, 115, 120])
    for noise, late_s in ((0.0, 0.03), (0.6, 0.035)):
        beats = run(times, volumes + rng.normal(0, noise, len(times)))
        assert len(beats) >= 8
        assert all((beat.t_ed_s + 0.6) % 1.2 - 0.6 == pytest.approx(0, abs=late_s) for beat in beats)
        assert all(beat.t_es_s % 1.2 == pytest.approx(0.35, abs=late_s) for beat in beats)
        assert all(beat.ef_percent == pytest.approx(100 / 6, abs=0.3 + noise) for beat in beats)


def test_a_weak_beat_is_a_beat_of_its_own() -> None:
    times = np.arange(0, 12, 0.02)
    # Around 7 s one ejects 40 % of what the others do, from a ventricle that has filled to 45 %.
    heights = np.interp(times % 1.0, [0, 0.35, 1.0], [1, 0, 1])
    weak = (times >= 6.35) & (times < 7.35)
    heights[weak] = np.interp(times[weak], [6.35, 7.0, 7.35], [0, 0.45, 0.05])
    beats = run(times, 60 + 60 * heights)
    assert [round(beat.t_ed_s) for beat in beats] == list(range(1, 11))
    assert all(beat.accepted for beat in beats)
    assert beats[6].ef_percent < 35 < beats[5].ef_percent


@pytest.mark.parametrize("seventh", [0.33, 3.0])
def test_a_beat_out_of_line_with_the_others_is_rejected_with_its_reason(seventh: float) -> None:
    times = np.arange(0, 12, 0.02)
    ejected = np.where((times >= 7) & (times < 8), 20 * seventh, 20.0)
    volumes = 100 - ejected * (1 - np.interp(times % 1.0, [0, 0.35, 1.0], [1, 0, 1]))
    beats = run(times, volumes)
    assert [(beat.reason, round(beat.t_ed_s)) for beat in beats if not beat.accepted] == [(OUT_OF_LINE, 7)]
    assert len(beats) == 10


def test_where_all_beats_change_for_good_the_new_ones_count_after_a_few() -> None:
    times = np.arange(0, 20, 0.02)
    ejected = np.where(times < 10, 15.0, 45.0)
    volumes = 100 - ejected * (1 - np.interp(times % 1.0, [0, 0.35, 1.0], [1, 0, 1]))
    beats = run(times, volumes)
    assert OUT_OF_LINE in {beat.reason for beat in beats}
    assert all(beat.accepted for beat in beats[-5:])


def test_two_turns_faster_than_life_are_rejected_with_their_reason() -> None:
    times = np.arange(0, 6, 0.01)
    assert {beat.reason for beat in run(times, volume_at(times / 0.26))} == {TOO_SHORT}


def test_the_first_beat_of_a_recording_that_begins_late_in_diastole_is_found() -> None:
    times = np.arange(0, 5, 0.02)
    assert run(times, volume_at(times + 0.85))[0].t_ed_s == pytest.approx(0.15, abs=0.025)


def test_a_recording_that_begins_in_systole_has_no_beat_from_its_first_frame() -> None:
    times = np.arange(0, 5, 0.02)
    assert run(times, volume_at(times + 0.1))[0].t_ed_s == pytest.approx(0.9, abs=0.025)


def test_a_beat_slower_than_life_is_rejected_with_its_reason() -> None:
    times = np.arange(0, 12, 0.02)
    phase = times / 2.1
    assert {beat.reason for beat in run(times, volume_at(phase))} == {TOO_LONG}


def test_a_flat_stretch_and_an_atrial_kick_are_no_beats_of_their_own() -> None:
    times = np.arange(0, 10, 0.02)
    phase = times % 1.0
    kick = np.interp(phase, [0, 0.33, 0.5, 0.8, 0.9, 1.0], [1, 0, 0.75, 0.72, 0.95, 1])
    assert len(run(times, 60 + 60 * kick)) == pytest.approx(8, abs=1)


CINE = [
    49.8, 47.5, 41.8, 40.6, 41.7, 41.9, 45.2, 35.1, 66.0, 79.9, 83.6, 83.6, 87, 88, 86,
    83, 86, 84, 107, 117, 109, 103, 99, 92, 82, 72, 63, 58, 58, 53,
]  # fmt: skip
"""Volumes of pydicom's cine, 30 frames a second, as a network saw them: it begins at end-systole, with a ripple."""


def test_a_ripple_before_the_first_beat_is_no_beat() -> None:
    beats = run(np.arange(300) / 30, np.array(CINE * 10, float))
    assert len(beats) == 9
    assert all(beat.accepted for beat in beats)
    assert all(beat.heart_rate_bpm == pytest.approx(60, abs=2) for beat in beats)


def test_reset_forgets_everything() -> None:
    times = np.arange(0, 4, 0.02)
    used, fresh = BeatFinder(), BeatFinder()
    run(times, volume_at(times), used)
    used.reset()
    assert run(times, volume_at(times), used) == run(times, volume_at(times), fresh)


def queues(held: object) -> Iterator[deque]:
    """Every queue of an object, and of the objects of this project that it has."""
    for value in vars(held).values():
        if isinstance(value, deque):
            yield value
        elif hasattr(value, "__dict__"):
            yield from queues(value)


def test_memory_is_bounded() -> None:
    finder = BeatFinder()
    times = np.arange(0, 60, 0.01)
    run(times, volume_at(times), finder)
    assert len(list(queues(finder))) == 4, "samples, falls, and the amplitude's two"
    assert all(len(queue) <= SAMPLES_KEPT_S / 0.01 + 2 for queue in queues(finder))
    # A feed that shows no beat either.
    run(60 + times, np.full(len(times), 100.0), finder)
    assert all(len(queue) <= SAMPLES_KEPT_S / 0.01 + 2 for queue in queues(finder))


def test_a_beat_tells_its_rate_and_whether_it_counts_and_prints_in_one_line() -> None:
    beat = run(np.arange(0, 4, 0.02), volume_at(np.arange(0, 4, 0.02)))[0]
    assert beat.heart_rate_bpm == 60 / (beat.t_next_ed_s - beat.t_ed_s)
    assert beat.accepted
    assert not replace(beat, reason=TOO_SHORT).accepted
    assert len(repr(beat)) < 300
