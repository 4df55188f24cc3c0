"""What the phantom's pictures must show for its truth to be visible in them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.phantom.anatomy import SIDE, disk_volume_ml

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
        phantom = Phantom(PhantomOptions(ef=60, seed=seed, **CLEAR))
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
    ventricle = Phantom(PhantomOptions(ef=60, seed=5, akinetic=akinetic))._ventricle
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
    both = Phantom(PhantomOptions(ef=60, seed=5, akinetic=("mid_lateral", "apical_lateral")))._ventricle
    still, moved = both.reference, both.at(both.reference_ml * 0.4)
    u = np.sin(np.linspace(0, np.pi / 2, SIDE))
    between = 2 * SIDE - 2 - int(np.argmin(abs(u - 2 / 3)))
    assert abs(moved.endo[between, 0] - still.endo[between, 0]) < 0.1 * still.endo[between, 0]


def test_a_textbook_image_has_more_contrast_at_the_lateral_wall_than_a_clinical_one() -> None:
    def contrast(variety: float) -> float:
        found = []
        for seed in range(8):
            phantom = Phantom(PhantomOptions(seed=seed, variety=variety, overlay=False))
            profile = across_the_border(phantom, 3, np.array([-3.0, 3.0]))[SIDE + 6 : -6]
            found.append(float(np.mean(profile[:, 1] - profile[:, 0])))
        return float(np.mean(found))

    assert contrast(0.0) > contrast(1.0) + 5


def test_the_drawn_volume_is_that_of_the_curve_whatever_the_shape() -> None:
    for seed in range(20):
        ventricle = Phantom(PhantomOptions(seed=seed, variety=1.0))._ventricle
        for share in (1.05, 1.0, 0.7, 0.4, 0.25):
            state = ventricle.at(ventricle.reference_ml * share)
            assert state.volume_ml == pytest.approx(ventricle.reference_ml * share, rel=1e-9)
            assert disk_volume_ml(state.endo) == pytest.approx(state.volume_ml, rel=1e-9)
            # The apex is the point of the contour farthest from the annulus, as whoever measures the length takes it to
            # be.
            away = np.linalg.norm(state.endo - (0, state.base), axis=1)
            assert away.max() == pytest.approx(state.length, rel=1e-3)
