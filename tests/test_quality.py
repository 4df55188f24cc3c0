"""What makes a frame unfit: the picture's own evidence, and the rules on it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from echo_rt import native
from echo_rt.cardiac.picture import Picture
from echo_rt.cardiac.quality import Evidence, assess
from echo_rt.errors import ModelError
from echo_rt.model import DEFAULT_QUALITY, ModelInput, ModelSpec, Tuning
from echo_rt.reading import Quality, Reason
from support.sectors import sector
from support.shapes import half_ellipsoid

GOOD = Evidence(
    changed_share=0.6, colour_share=0.0, cavity_fraction=0.1, wall_contact=0.9, mitral_plane=True, confidence=0.95,
    edge_share=0.0, length_share=0.97, length_to_width=1.7, view="A4C",
)  # fmt: skip

BREACHES = {
    Reason.FROZEN: {"changed_share": 0.01},
    Reason.COLOUR_DOPPLER: {"colour_share": 0.1},
    Reason.NO_VENTRICLE: {"cavity_fraction": 0.001},
    Reason.NOT_APICAL: {"view": "other"},
    Reason.LOW_CONFIDENCE: {"confidence": 0.5},
    Reason.CUT_OFF: {"edge_share": 0.3},
    Reason.FORESHORTENED: {"length_share": 0.7},
}
"""In the order in which a reader would look."""

GREY = np.arange(200)


def coloured(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)


def cavity(x: float, y: float = 330.0, length: float = 180.0, radius: float = 55.0) -> NDArray[np.float64]:
    """An endocardial contour (N, 2) whose mitral plane has its middle at x, y."""
    return half_ellipsoid(length, radius) + np.array([x, y])


# -- the sector's edge --


def test_a_ventricle_in_the_middle_of_the_sector_is_not_cut_off_and_one_that_runs_along_its_side_is() -> None:
    picture = Picture.of(sector())
    shares = [picture.edge_share(cavity(x)) for x in (320, 440, 520, 600)]
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert shares[2] > DEFAULT_QUALITY["max_edge_share"]


def test_a_ventricle_that_runs_out_of_the_image_is_cut_off() -> None:
    image = sector()[:, 280:]
    assert Picture.of(image).edge_share(cavity(320 - 280, radius=40).clip(0, None)) > DEFAULT_QUALITY["max_edge_share"]
    assert Picture.of(image).edge_share(cavity(400 - 280)) == 0


@pytest.mark.parametrize(("below", "share"), [(40, 0.0), (20, 0.0), (2, 1.0), (0, 1.0)])
def test_a_ventricle_whose_mitral_plane_is_the_picture_s_end_is_cut_off(below: int, share: float) -> None:
    assert Picture.of(sector()[: 330 + below]).edge_share(cavity(320)) == share


def test_what_the_network_draws_outside_of_the_sector_is_cut_off() -> None:
    assert Picture.of(sector(half_angle_deg=15)).edge_share(cavity(550)) == 1


@settings(max_examples=30, deadline=None)
@given(st.floats(200, 560), st.integers(0, 150), st.integers(0, 150), st.booleans())
def test_black_margins_around_a_tight_sector_change_nothing(x: float, left: int, top: int, colour: bool) -> None:
    tight = sector()
    padded = cv2.copyMakeBorder(tight, top, 40, left, 40, cv2.BORDER_CONSTANT, value=0)
    shown = (coloured(tight), coloured(padded)) if colour else (tight, padded)
    shares = [
        Picture.of(image).edge_share(cavity(x) + np.array(shift))
        for image, shift in zip(shown, ((0, 0), (left, top)), strict=True)
    ]
    assert shares[1] == pytest.approx(shares[0], abs=0.05)


def test_a_wall_lost_in_shadow_is_not_the_edge_of_the_sector() -> None:
    image = sector()
    x = np.indices(image.shape)[1]
    shadowed = np.where((x > 380) & (x < 470) & (np.indices(image.shape)[0] > 120), 0, image).astype(np.uint8)
    assert Picture.of(shadowed).edge_share(cavity(325)) == 0


def test_letters_and_an_ecg_do_not_widen_the_sector() -> None:
    image = sector(half_angle_deg=30)
    plain = Picture.of(image).edge_share(cavity(430))
    for line, y in enumerate(range(30, 400, 30)):
        cv2.putText(image, f"Gen {line} dB", (560, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 200, 1)
    cv2.polylines(image, [np.stack([GREY * 3, 460 + (GREY % 30 == 0) * -30], axis=1).astype(np.int32)], False, 200, 1)
    assert plain > 0.2
    assert Picture.of(image).edge_share(cavity(430)) == pytest.approx(plain, abs=0.02)


def test_a_black_image_has_no_edge() -> None:
    assert Picture.of(np.zeros((112, 112), np.uint8)).edge_share(cavity(56, 80, 50, 20)) == 0


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=3, max_size=12),
    st.tuples(st.floats(-20, 120), st.floats(-20, 120)),
)
def test_the_depth_of_a_point_in_a_hull_is_its_distance_to_the_nearest_side(corners, point) -> None:
    hull = cv2.convexHull(np.array(corners, np.int32))
    assume(cv2.contourArea(hull) > 0)
    found = native.depth(hull[:, 0, :].astype(float), np.array([point]))[0]
    expected = cv2.pointPolygonTest(hull, point, True)
    if expected >= 0:
        assert found == pytest.approx(expected, abs=1e-3)
    else:
        assert found < 1e-3


# -- colour --


def with_flow(
    image: NDArray[np.uint8], bgr: tuple[int, int, int] = (20, 30, 220), radius: int = 40
) -> NDArray[np.uint8]:
    shown = coloured(image)
    cv2.circle(shown, (320, 250), radius, bgr, -1)
    return shown


def test_grey_has_no_colour_whichever_way_it_is_stored() -> None:
    assert Picture.of(sector()).colour_share == 0
    assert Picture.of(coloured(sector())).colour_share == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 179), st.integers(180, 255), st.integers(110, 255))
def test_flow_is_seen_in_every_hue(hue: int, saturation: int, brightness: int) -> None:
    bgr = cv2.cvtColor(np.array([[[hue, saturation, brightness]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
    share = Picture.of(with_flow(sector(), tuple(map(int, bgr)))).colour_share
    assert share > DEFAULT_QUALITY["max_colour_share"]


def test_annotations_an_ecg_and_a_colour_bar_are_not_flow() -> None:
    image = coloured(sector())
    cv2.putText(image, "LV 4.6 cm", (250, 200), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 255, 255), 1)
    for line, y in enumerate(range(60, 300, 16)):
        cv2.putText(image, f"MV E/A {line}.{line} m/s", (70, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 255, 255), 1)
    for radius in range(20, 80, 12):
        cv2.circle(image, (320, 250), radius, (0, 255, 0), 2)
    cv2.circle(image, (345, 14), 5, (200, 200, 0), -1)
    image[60:180, 610:630] = (0, 0, 255)
    image[180:300, 610:630] = (255, 0, 0)
    ecg = np.stack([GREY * 3, 440 + (GREY % 30 == 0) * -40], axis=1).astype(np.int32)
    cv2.polylines(image, [ecg], False, (80, 230, 90), 2)
    assert Picture.of(image).colour_share < DEFAULT_QUALITY["max_colour_share"] / 2


def test_a_tinted_map_is_not_flow() -> None:
    grey = sector()[..., None].astype(float)
    for tint in ((0.6, 0.85, 1.0), (1.0, 0.85, 0.6)):
        assert Picture.of((grey * tint).astype(np.uint8)).colour_share == 0


# -- repeated pictures --


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 1000), st.booleans())
def test_a_repeated_picture_has_not_changed_and_new_speckle_has(seed: int, colour: bool) -> None:
    one, other = sector(seed=seed), sector(seed=seed + 1)
    if colour:
        one, other = coloured(one), coloured(other)
    assert Picture.of(one).changed_share(Picture.of(one.copy())) == 0
    assert Picture.of(other).changed_share(Picture.of(one)) > 0.5


def test_a_running_ecg_does_not_make_a_still_picture_move() -> None:
    before, after = coloured(sector()), coloured(sector())
    for image, now in ((before, 300), (after, 308)):
        cv2.line(image, (0, 460), (now, 460), (80, 230, 90), 1)
        cv2.putText(image, f"00:0{now}", (20, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (200, 200, 200), 1)
    assert Picture.of(after).changed_share(Picture.of(before)) < DEFAULT_QUALITY["min_changed_share"]


def test_what_a_video_encoder_adds_to_a_repeated_picture_is_not_motion() -> None:
    image = sector()
    encoded = [
        np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, q])[1], cv2.IMREAD_GRAYSCALE))
        for q in (97, 96)
    ]
    assert (encoded[0] != encoded[1]).mean() > 0.1
    assert Picture.of(encoded[1]).changed_share(Picture.of(encoded[0])) < DEFAULT_QUALITY["min_changed_share"]


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (112, 112), (1080, 1920)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_images_of_any_size_make_a_picture(size: tuple[int, int], channels: tuple[int, ...]) -> None:
    image = np.full((*size, *channels), 100, np.uint8)
    picture = Picture.of(image)
    assert (picture.colour_share, picture.changed_share(Picture.of(image))) == (0, 0)
    assert 0 <= picture.edge_share(cavity(5, 5, 4, 2)) <= 1


# -- the rules --


@given(st.sets(st.sampled_from(sorted(BREACHES))))
def test_the_reason_is_the_first_rule_that_is_broken_in_the_order_of_a_reader(broken: set[str]) -> None:
    evidence = GOOD
    for reason in broken:
        evidence = replace(evidence, **BREACHES[reason])
    expected = next((reason for reason in BREACHES if reason in broken), None)
    assert assess(evidence, DEFAULT_QUALITY) == Quality(expected is None, expected, evidence.confidence)


def test_a_cavity_without_the_parts_of_an_apical_view_is_another_view_when_clear_and_unsure_when_weak() -> None:
    for breach in ({"mitral_plane": False}, {"wall_contact": 0.2}):
        assert assess(replace(GOOD, **breach), DEFAULT_QUALITY).reason == Reason.NOT_APICAL
        assert assess(replace(GOOD, confidence=0.5, **breach), DEFAULT_QUALITY).reason == Reason.LOW_CONFIDENCE


def test_a_cavity_wider_than_long_is_foreshortened() -> None:
    assert assess(replace(GOOD, length_to_width=0.9), DEFAULT_QUALITY).reason == Reason.FORESHORTENED


def test_a_model_without_a_newer_threshold_goes_by_the_default_and_an_unknown_one_is_refused() -> None:
    old = ModelSpec("old", "1", ModelInput(128, 128, 40.0, 50.0), tuning=Tuning(quality={"min_confidence": 0.6}))
    assert ModelSpec.from_json(old.to_json()).tuning.quality == {**DEFAULT_QUALITY, "min_confidence": 0.6}
    with pytest.raises(ModelError, match="thresholds min_luck are unknown; a newer echo-rt is needed"):
        ModelSpec.from_json(replace(old, tuning=Tuning(quality={"min_luck": 1.0})).to_json())
    with pytest.raises(ModelError, match=r"expected a finite number as quality\.min_confidence, found 'high'"):
        ModelSpec.from_json(replace(old, tuning=Tuning(quality={"min_confidence": "high"})).to_json())


# -- the long axis of the last beats --
