from __future__ import annotations

from dataclasses import replace
from unittest import mock

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.cardiac import geometry
from echo_rt.cardiac.geometry import disks_volume, endocardium, find_ventricle, measure, outline
from echo_rt.chambers import Disks
from support.shapes import half_ellipsoid, labels_of, segmentation_of, ventricle


def measured(segmentation, spacing_mm=None):
    border = outline(segmentation)
    assert border is not None
    found = find_ventricle(segmentation, border, spacing_mm)
    assert found is not None
    return found


def test_the_disks_of_a_half_ellipsoid_add_up_to_its_volume() -> None:
    lv = measure(half_ellipsoid(90.0, 25.0), (1.0, 1.0))
    assert lv is not None
    assert lv.length == pytest.approx(90, abs=0.05)
    assert lv.volume == pytest.approx(
        2 / 3 * np.pi * 25**2 * 90 / 1000, rel=2e-3
    )  # 20 disks: half a part in a thousand
    assert lv.area == pytest.approx(np.pi * 90 * 25 / 2, rel=1e-3)


def test_area_length_is_exact_for_a_half_ellipsoid() -> None:
    lv = measure(half_ellipsoid(90.0, 25.0), (1.0, 1.0))
    assert lv is not None
    assert lv.volume_area_length == pytest.approx(2 / 3 * np.pi * 25**2 * 90 / 1000, rel=2e-3)


def test_two_views_of_an_elliptic_ventricle_give_its_biplane_volume() -> None:
    one, other = (measure(half_ellipsoid(90.0, radius), (1.0, 1.0)) for radius in (25.0, 20.0))
    assert one is not None
    assert other is not None
    assert disks_volume(one.disks, other.disks) == pytest.approx(2 / 3 * np.pi * 25 * 20 * 90, rel=2e-3)


def test_of_two_views_the_longer_axis_counts_unless_their_scales_cannot_be_compared() -> None:
    longer, shorter = Disks((40.0,) * 20, 90.0), Disks((30.0,) * 20, 80.0)
    for one, other in ((longer, shorter), (shorter, longer)):
        assert disks_volume(one, other) == pytest.approx(np.pi / 4 * 40 * 30 * 90)
        assert disks_volume(one, other, same_scale=False) == pytest.approx(np.pi / 4 * 40 * 30 * one.length)


def test_the_contour_of_drawn_labels_is_found_to_a_fraction_of_a_pixel() -> None:
    lv = measured(ventricle())
    assert lv.area == pytest.approx(np.pi * 120 * 40 / 2, rel=0.01)
    assert lv.volume == pytest.approx(2 / 3 * np.pi * 40**2 * 120, rel=0.015)
    np.testing.assert_allclose(lv.apex, [120, 30], atol=1.0)
    np.testing.assert_allclose(sorted(lv.hinges.tolist()), [[80, 150], [160, 150]], atol=3.0)


@settings(max_examples=40, deadline=None)
@given(st.floats(-40, 40), st.floats(-15, 15), st.floats(-15, 15), st.booleans(), st.booleans())
def test_volume_does_not_depend_on_where_the_ventricle_lies(angle, dx, dy, mirror, atrium) -> None:
    base = measured(ventricle()).volume
    moved = measured(
        ventricle(centre=(120 + dx, 140 + dy), angle_deg=angle, mirror=mirror, atrium=atrium, size=(280, 260))
    )
    assert moved.volume == pytest.approx(base, rel=0.02)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(1.0, 2.0),
    st.floats(0.3, 0.95),
    st.floats(-180, 180),
    st.floats(-20, 20),
    st.floats(-20, 20),
    st.booleans(),
)
def test_ejection_fraction_does_not_depend_on_scale_place_or_rotation(scale, factor, angle, dx, dy, mirror) -> None:
    def volume(f: float) -> float:
        # About the middle of the ventricle, so that no turn takes it out of the image.
        turned = np.deg2rad(angle)
        centre = 300 + dx - 60 * scale * np.sin(turned), 300 + dy + 60 * scale * np.cos(turned)
        labels = labels_of((600, 600), 120 * scale, 40 * scale * np.sqrt(f), 14 * scale, centre, angle, mirror=mirror)
        return measured(segmentation_of(labels)).volume

    assert 100 * (1 - volume(factor) / volume(1.0)) == pytest.approx(100 * (1 - factor), abs=1.2)


@given(st.floats(0.05, 3))
def test_volume_grows_with_the_cube_of_the_spacing(spacing: float) -> None:
    contour = half_ellipsoid(90.0, 25.0)
    pixels, mm = measure(contour, None), measure(contour, (spacing, spacing))
    assert pixels is not None
    assert mm is not None
    assert (pixels.scale.calibrated, mm.scale.calibrated) == (False, True)
    assert (pixels.scale.volume, mm.scale.volume) == ("px3", "mL")
    assert mm.volume == pytest.approx(pixels.volume * spacing**3 / 1000, rel=1e-9)
    assert mm.area == pytest.approx(pixels.area * spacing**2, rel=1e-9)


def test_pixels_that_are_not_square_are_measured_in_mm_along_each_axis() -> None:
    stretched = half_ellipsoid(90.0, 25.0) / (0.5, 0.25)
    lv = measure(stretched, (0.25, 0.5))
    assert lv is not None
    assert lv.volume == pytest.approx(2 / 3 * np.pi * 25**2 * 90 / 1000, rel=2e-3)


def test_a_hole_and_an_island_do_not_change_the_ventricle() -> None:
    clean = ventricle()
    labels = clean.labels.copy()
    labels[90:100, 115:125] = 2
    labels[10:20, 10:20] = 1
    assert measured(segmentation_of(labels)).volume == pytest.approx(measured(clean).volume, rel=1e-6)


def test_the_mitral_plane_is_found_by_what_lies_behind_it_not_by_rows() -> None:
    # A ventricle on its side: in image rows the hinge points would be the lowest points of the wall.
    lv = measured(ventricle(angle_deg=90, centre=(60.0, 120.0)))
    np.testing.assert_allclose(lv.apex, [180, 120], atol=1.5)
    np.testing.assert_allclose(sorted(lv.hinges[:, 1]), [80, 160], atol=3)


def test_a_cavity_closed_all_round_has_no_mitral_plane() -> None:
    labels = np.zeros((240, 240), np.uint8)
    yy, xx = np.mgrid[:240, :240]
    radius = np.hypot(yy - 120, xx - 120)
    labels[radius < 60], labels[radius < 45] = 2, 1
    border = outline(segmentation_of(labels))
    assert border is not None
    assert endocardium(border) is None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.2), st.floats(0.3, 6))
def test_what_lies_far_from_the_cavity_has_no_say_in_its_border(seed: int, doubt: float, blur: float) -> None:
    # Uncertain everywhere, and blurred by as much as a network's border: what is cut off could be seen in the last
    # digit.
    rng = np.random.default_rng(seed)
    plain = ventricle(angle_deg=rng.uniform(0, 360), centre=tuple(rng.uniform(60, 180, 2)))
    cavity = cv2.GaussianBlur(plain.probability[1], (0, 0), blur) * (1 - doubt) + doubt * rng.uniform(
        0, 1, plain.labels.shape
    )
    seen = replace(
        plain,
        probability=np.concatenate([plain.probability[:1], cavity[None].astype(np.float32), plain.probability[2:]]),
    )
    cut = outline(seen)
    with mock.patch.object(geometry, "MARGIN", 1000):
        whole = outline(seen)
    assert cut is not None
    assert whole is not None
    for name in ("points", "wall", "atrium", "area"):
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), atol=1e-5)


def test_no_cavity_has_no_outline() -> None:
    assert outline(segmentation_of(np.zeros((64, 64), np.uint8))) is None
    speck = np.zeros((64, 64), np.uint8)
    speck[30:33, 30:33] = 1
    assert outline(segmentation_of(speck)) is None


def test_a_cavity_at_the_edge_of_the_image_is_measured() -> None:
    labels = ventricle().labels[35:, :]
    assert measured(segmentation_of(np.ascontiguousarray(labels))).volume > 0
