"""What the phantom's pictures must show for its truth to be visible in them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.phantom.cavity import SIDE, disk_volume_ml
from support.phantoms import ed_and_es, heart

CLEAR = {
    "variety": 0.0,
    "overlay": False,
    "dropout": 0.0,
    "noise": 0.0,
    "contrast": 1.0,
    "shadow": 0.0,
    "persistence": 0.0,
}


def across_the_border(phantom: Phantom, k: int, distance_mm: np.ndarray) -> np.ndarray:
    """(points of the contour, distances) grey levels along the normals of the endocardium, positive distances lying in
    the wall."""
    image = cv2.GaussianBlur(phantom.frame(k).image, (0, 0), 0.8).astype(np.float32)
    contour = phantom.contour(k)
    tangent = np.gradient(contour, axis=0)
    normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) / np.linalg.norm(tangent, axis=1, keepdims=True)
    away = contour - contour.mean(axis=0)
    normal *= np.sign(np.sum(normal * away))
    at = contour[:, None] + normal[:, None] * (distance_mm / phantom.spacing_mm[0])[None, :, None]
    return cv2.remap(image, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR)


@pytest.mark.parametrize("phase", ["t_ed_s", "t_es_s"])
def test_the_chamber_ends_in_the_picture_where_the_true_contour_lies(phase: str) -> None:
    distance = np.arange(-5, 5.01, 0.25)
    profiles = []
    for seed in range(30, 42):
        phantom = Phantom(PhantomOptions.of(ef=60, seed=seed, **CLEAR))
        k = round(getattr(phantom.beats(3)[0], phase) * 50)
        # Beside the annulus and at the tip other structures are nearer than 5 mm.
        profiles.append(across_the_border(phantom, k, distance)[6 : SIDE - 6])
    profile = np.median(np.concatenate(profiles), axis=0)
    blood, muscle = profile[:8].mean(), profile[-8:].mean()
    assert muscle > blood + 40
    half = np.interp((blood + muscle) / 2, np.maximum.accumulate(profile), distance)
    assert abs(half) < 0.6


def sharpest_bend(akinetic: tuple[str, ...]) -> float:
    """Degrees between neighbouring edges of endo- and epicardium at end-systole."""
    ventricle = Phantom(PhantomOptions.of(ef=60, seed=5, akinetic=akinetic)).scene.ventricle
    state = ventricle.at(ventricle.reference_ml * 0.4)
    bends = []
    for border in (state.endo, state.epi):
        edges = np.diff(border[2:-2], axis=0)
        turns = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
        bends.append(np.abs((np.diff(turns) + 180) % 360 - 180).max())
    return float(max(bends))


@pytest.mark.parametrize(
    "akinetic", [("apical_lateral",), ("mid_lateral", "apical_lateral"), ("basal_septal", "mid_septal")]
)
def test_akinesia_leaves_no_step_in_the_wall(akinetic: tuple[str, ...]) -> None:
    # A step in the wall's thickness is a corner of 60 degrees and more; a healthy apex bends by about 20 from point to
    # point.
    assert sharpest_bend(akinetic) < sharpest_bend(()) + 15


def test_neighbouring_akinetic_segments_hold_the_wall_between_them_too() -> None:
    both = Phantom(PhantomOptions.of(ef=60, seed=5, akinetic=("mid_lateral", "apical_lateral"))).scene.ventricle
    still, moved = both.reference, both.at(both.reference_ml * 0.4)
    u = np.sin(np.linspace(0, np.pi / 2, SIDE))
    between = 2 * SIDE - 2 - int(np.argmin(abs(u - 2 / 3)))
    assert abs(moved.endo[between, 0] - still.endo[between, 0]) < 0.1 * still.endo[between, 0]


def test_a_textbook_image_has_more_contrast_at_the_lateral_wall_than_a_clinical_one() -> None:
    def contrast(variety: float) -> float:
        found = []
        for seed in range(8):
            phantom = Phantom(PhantomOptions.of(seed=seed, variety=variety, overlay=False))
            profile = across_the_border(phantom, 3, np.array([-3.0, 3.0]))[SIDE + 6 : -6]
            found.append(float(np.mean(profile[:, 1] - profile[:, 0])))
        return float(np.mean(found))

    assert contrast(0.0) > contrast(1.0) + 5


def test_the_drawn_volume_is_that_of_the_curve_whatever_the_shape() -> None:
    for seed in range(20):
        ventricle = Phantom(PhantomOptions.of(seed=seed, variety=1.0)).scene.ventricle
        for share in (1.05, 1.0, 0.7, 0.4, 0.25):
            state = ventricle.at(ventricle.reference_ml * share)
            assert state.volume_ml == pytest.approx(ventricle.reference_ml * share, rel=1e-9)
            assert disk_volume_ml(state.endo) == pytest.approx(state.volume_ml, rel=1e-9)
            # The apex is the point of the contour farthest from the annulus, as whoever measures the length takes it to
            # be.
            away = np.linalg.norm(state.endo - (0, state.base), axis=1)
            assert away.max() == pytest.approx(state.length, rel=1e-3)


def test_the_mirrored_phantom_is_the_mirror_image() -> None:
    plain, mirror = (heart(seed=8, mirror=m, overlay=False, tilt_deg=5) for m in (False, True))
    for k in ed_and_es(plain):
        assert np.mean(plain.mask(k)[:, ::-1] != mirror.mask(k)) < 1e-4
        truths = plain.truth(k), mirror.truth(k)
        assert truths[0].volume_ml == truths[1].volume_ml
        np.testing.assert_allclose(truths[1].apex, (319, 0) + truths[0].apex * (-1, 1))
        np.testing.assert_allclose(truths[1].hinges, (319, 0) + truths[0].hinges * (-1, 1))
    difference = np.abs(plain.frame(3).image[:, ::-1].astype(int) - mirror.frame(3).image)
    assert np.mean(difference) < 1


@pytest.mark.parametrize(("height", "width"), [(240, 320), (480, 640), (600, 800)])
def test_the_overlay_leaves_the_middle_of_the_sector_alone(height: int, width: int) -> None:
    for seed in range(4):
        with_art, without = (
            heart(seed=seed, overlay=o, height=height, width=width, persistence=0) for o in (True, False)
        )
        image, grey = with_art.frame(60).image, without.frame(60).image
        drawn = np.any(image != grey[..., None], axis=2)
        assert drawn.mean() > 0.005
        sector = with_art.scene.sector
        y, x = np.indices(grey.shape)
        dx, dy = (x - sector.origin_px[0]) * sector.spacing_mm, (y - sector.origin_px[1]) * sector.spacing_mm
        radius, angle = np.hypot(dx, dy), np.arctan2(dx, dy)
        middle = (
            (np.abs(angle) < 0.6 * sector.half) & (radius > 0.1 * sector.depth_mm) & (radius < 0.85 * sector.depth_mm)
        )
        assert not drawn[middle].any()
        # Grey outside the sector is graphics alone.
        assert not grey[(radius > sector.depth_mm + 1)].any()


def test_what_one_option_asks_for_leaves_the_rest_of_the_picture_as_it_was() -> None:
    plain, asked = heart(seed=5).scene.look, heart(seed=5, noise=0.9, gain_db=6).scene.look
    assert asked.noise.floor_db > plain.noise.floor_db
    assert asked.beam == plain.beam
    assert asked.window == plain.window
    assert asked.display.persistence == plain.display.persistence


def test_gain_brightens_and_noise_fills_the_cavity() -> None:
    def grey(label: int, **options) -> float:
        phantom = heart(seed=5, overlay=False, **options)
        return float(np.mean(phantom.frame(5).image[phantom.mask(5) == label]))

    assert grey(2, gain_db=8) > grey(2, gain_db=0) + 15
    assert grey(1, noise=1) > grey(1, noise=0) + 5
    assert grey(2, dropout=1) < grey(2, dropout=0) - 3
