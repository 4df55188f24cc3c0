"""A phantom is the same whenever it is drawn, and its truth is what it draws."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.errors import ParameterError
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.sources import open_source
from support.phantoms import SMALL, at, disks_ml, ed_and_es, heart, on_axis


def test_the_seed_alone_decides_what_is_drawn() -> None:
    first, again, other = (heart(seed=seed).frame(9).image for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.2


@pytest.mark.parametrize("options", [{}, {"persistence": 0.0, "overlay": False}, {"persistence": 0.6, "rhythm": "af"}])
def test_a_frame_on_demand_equals_the_frame_in_its_turn(options: dict) -> None:
    in_turn = list(islice(heart(seed=4, **options), 6))
    phantom = heart(seed=4, **options)
    for k in (5, 0, 3, 4, 1):
        frame = phantom.frame(k)
        np.testing.assert_array_equal(frame.image, in_turn[k].image)
        assert (frame.index, frame.t_s, frame.spacing_mm) == (k, in_turn[k].t_s, in_turn[k].spacing_mm)


def test_the_coverage_of_a_pixel_is_whole_and_its_largest_share_is_its_label_but_at_a_border() -> None:
    phantom = heart(seed=4)
    shares, labels = phantom.coverage(3), phantom.mask(3)
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-6)
    whole = shares.max(axis=0) == 1
    assert 0.9 < whole.mean() < 1
    np.testing.assert_array_equal(shares.argmax(axis=0)[whole], labels[whole])
    assert shares[1].sum() == pytest.approx((labels == 1).sum(), rel=0.01)


def test_the_uri_gives_the_same_recording_as_the_options_and_it_ends_on_time() -> None:
    with open_source(
        "phantom:?seed=3&height=240&width=320&seconds=0.2&fps=30&akinetic=mid_septal,apical_septal&mirror=1"
    ) as source:
        frames = list(source)
    options = PhantomOptions.of(
        seed=3, seconds=0.2, fps=30, akinetic=("mid_septal", "apical_septal"), mirror=True, **SMALL
    )
    np.testing.assert_array_equal(frames[-1].image, Phantom(options).frame(5).image)
    assert [frame.index for frame in frames] == list(range(6))


def test_an_endless_feed_goes_on() -> None:
    feed = heart(seconds=0, seed=2)
    assert feed.frames is None
    assert [frame.index for frame in islice(feed, 30)] == list(range(30))
    # An hour later the heart still beats.
    volumes = [feed.truth(180_000 + k).volume_ml for k in range(50)]
    assert min(volumes) < 0.6 * max(volumes)
    assert feed.frame(180_000).image.shape == (240, 320, 3)
    with pytest.raises(ParameterError, match="until_s"):
        feed.beats()


def test_there_is_no_frame_outside_the_recording() -> None:
    for k in (-1, 200):
        with pytest.raises(ParameterError, match="expected a frame from 0 to 199"):
            heart().frame(k)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(10, 80),
    st.sampled_from([(), ("mid_lateral",), ("basal_septal", "apical_septal")]),
)
def test_the_true_volume_is_the_disk_volume_of_the_drawn_contour(
    seed: int, ef: float, akinetic: tuple[str, ...]
) -> None:
    phantom = heart(seed=seed, ef=ef, akinetic=akinetic)
    spacing = phantom.spacing_mm
    assert spacing is not None
    for k in (*ed_and_es(phantom), 77):
        contour, truth = phantom.contour(k) * spacing[0], phantom.truth(k)
        assert truth.volume_ml == pytest.approx(disks_ml(contour), rel=1e-3)
        assert truth.length_mm == pytest.approx(on_axis(contour, contour)[:, 1].max(), rel=0.01)
        np.testing.assert_allclose(truth.hinges, phantom.contour(k)[[0, -1]])
        cavity_mm2 = np.sum(phantom.mask(k) == 1) * spacing[0] * spacing[1]
        assert cavity_mm2 == pytest.approx(truth.area_mm2, rel=0.03)


@settings(max_examples=40, deadline=None)
@given(st.floats(10, 80), st.floats(30, 220), st.integers(0, 2**32 - 1), st.floats(0, 0.3))
def test_the_true_ef_of_a_sinus_beat_is_the_one_asked_for(
    ef: float, hr: float, seed: int, hr_variability: float
) -> None:
    phantom = heart(ef=ef, hr=hr, seed=seed, hr_variability=hr_variability, seconds=8)
    assert phantom.beats()
    for beat in phantom.beats():
        assert beat.ef_percent == pytest.approx(ef, abs=0.1)
        assert not beat.ectopic


@pytest.mark.parametrize(("hr", "ef"), [(40, 60), (75, 30), (180, 70)])
def test_ed_is_the_largest_volume_of_a_beat_and_es_the_smallest(hr: float, ef: float) -> None:
    phantom = heart(hr=hr, ef=ef, fps=120)
    for beat in phantom.beats():
        inside = range(at(phantom, beat.t_ed_s) + 1, at(phantom, beat.t_next_ed_s))
        volumes = [phantom.truth(k).volume_ml for k in inside]
        assert max(volumes) <= beat.edv_ml + 1e-6
        assert min(volumes) >= beat.esv_ml - 1e-6
        assert abs(inside[int(np.argmin(volumes))] - 120 * beat.t_es_s) <= 1


def test_the_volume_hardly_changes_while_the_valves_are_shut() -> None:
    phantom = heart(fps=120, hr=60, ef=60)
    beat = phantom.beats()[0]
    truths = [phantom.truth(k) for k in range(at(phantom, beat.t_ed_s) + 1, at(phantom, beat.t_next_ed_s))]
    stroke = beat.edv_ml - beat.esv_ml
    for phase, share in (("isovolumic contraction", 0.02), ("isovolumic relaxation", 0.02), ("diastasis", 0.1)):
        volumes = [truth.volume_ml for truth in truths if truth.phase == phase]
        assert len(volumes) > 3
        assert np.ptp(volumes) < share * stroke
    assert np.ptp([truth.volume_ml for truth in truths if truth.phase == "ejection"]) > 0.8 * stroke
