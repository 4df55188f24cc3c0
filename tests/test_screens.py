"""Where the ultrasound is found on a screen, and where nothing is cut."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.phantom import Phantom, PhantomOptions, random_options
from echo_rt.sources import open_source
from echo_rt.sources.screen.look import look
from echo_rt.sources.screen.sectors import Sector
from support.screens import FPS, SIZE, Place, frames, heart, inside, screen, sector_in

PLACE: Place = (180, 50, 320, 240)
SECONDS = 66
"""Frames of a usual recording: two seconds and a half, and a little more."""


def found(images: list[np.ndarray], fps: float = FPS) -> tuple[Sector, ...]:
    seen = look(frames(images, fps))
    assert seen is not None
    assert seen.shape == SIZE
    return seen.sectors


def encloses(sector: Sector, place: Place, least: float = 0.97, most: float = 1.4) -> bool:
    """Whether the sector holds the ultrasound at that place, and little else."""
    lit, within = sector_in(place), inside(sector.outline)
    return bool((within & lit).sum() >= least * lit.sum() and within.sum() <= most * lit.sum())


def popup(number: int) -> np.ndarray:
    """A window opens in the middle of the stretch and stays."""
    image = screen(number, [PLACE])
    if number > 30:
        image[250:350, 420:630] = 240
    return image


def moved_cursor(number: int) -> np.ndarray:
    image = screen(number, [PLACE])
    cv2.circle(image, (60 + 8 * number, 200), 8, 255, -1)
    return image


def with_ecg(number: int) -> np.ndarray:
    """A sweeping trace through the lower part of the picture, and a clock."""
    image, now = screen(number, [PLACE]), 9 * number
    trace = [(x, 320 - (60 if x % 90 < 6 else 0)) for x in range(70, 70 + now, 3)]
    cv2.polylines(image, [np.array(trace, np.int32).reshape(-1, 2)], False, 230, 2)
    cv2.putText(image, f"12:00:{number // FPS:02d}", (560, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 230, 1)
    return image


def noisy(number: int) -> np.ndarray:
    noise = np.random.default_rng(number).normal(0, 6, SIZE)
    return np.clip(screen(number, [PLACE]) + noise, 0, 255).astype(np.uint8)


def compressed(number: int) -> np.ndarray:
    coded = cv2.imencode(".jpg", screen(number, [PLACE]), [cv2.IMWRITE_JPEG_QUALITY, 25])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))


def barred(number: int) -> np.ndarray:
    """4:3 in the middle of 16:9, with grey bars."""
    image = screen(number, [PLACE], behind=0)
    image[:, :80] = image[:, -80:] = 128
    return image


@pytest.mark.parametrize(
    "drawn",
    [
        lambda n: screen(n, [PLACE]),
        lambda n: screen(n, [PLACE], behind=0, panel=0),
        lambda n: screen(n, [PLACE], behind=245, panel=210),
        lambda n: screen(n // 4, [PLACE]),
        popup, moved_cursor, with_ecg, noisy, compressed, barred,
    ],
    ids="dark black light slow popup cursor ecg noisy compressed barred".split(),
)  # fmt: skip
def test_the_sector_is_found_whatever_stands_around_it(drawn) -> None:
    (sector,) = found([drawn(n) for n in range(SECONDS)])
    assert encloses(sector, PLACE)
    assert not sector.fills


@pytest.mark.parametrize("fps", [5, 12, 60])
def test_the_frame_rate_makes_no_difference(fps: int) -> None:
    images = [screen(round(n * FPS / fps), [PLACE]) for n in range(round(2.7 * fps))]
    (sector,) = found(images, fps)
    assert encloses(sector, PLACE)


def test_a_sector_that_comes_later_is_found_and_a_still_screen_has_none() -> None:
    still = [screen(0, [])] * 90
    assert found(still) == ()
    assert found([screen(0, [PLACE])] * 90) == (), "a picture that is frozen"
    (sector,) = found(still + [screen(n, [PLACE]) for n in range(SECONDS)])
    assert encloses(sector, PLACE)


@pytest.mark.parametrize("gap", [-6, 0, 30])
def test_two_sectors_beside_each_other_are_told_apart(gap: int) -> None:
    places = [(66, 80, 264, 198), (66 + 264 + gap, 80, 264, 198)]
    sectors = found([screen(n, places, behind=0) for n in range(SECONDS)])
    assert len(sectors) == 2
    for place in places:
        assert sum(encloses(sector, place, 0.93, 1.6) for sector in sectors) == 1


def test_of_four_sectors_each_is_found_and_the_largest_comes_first() -> None:
    places = [(70, 10, 200, 150), (330, 5, 220, 165), (70, 190, 200, 150), (330, 190, 200, 150)]
    sectors = found([screen(n, places) for n in range(SECONDS)])
    assert len(sectors) == 4
    assert encloses(sectors[0], places[1])
    assert [sector.area for sector in sectors] == sorted((sector.area for sector in sectors), reverse=True)


def test_the_near_field_that_stands_still_and_the_dim_corners_belong_to_the_sector() -> None:
    images = [screen(n, [PLACE]) for n in range(SECONDS)]
    lit = sector_in(PLACE)
    rows = np.flatnonzero(lit.any(axis=1))
    near = lit.copy()
    near[rows[0] + 50 :] = False
    far = lit.copy()
    far[:, 250:430] = False
    for image in images:
        image[near] = images[0][near]
        image[far] = 23
    (sector,) = found(images)
    assert encloses(sector, PLACE)


def test_a_picture_in_which_little_more_than_the_heart_moves_is_found_as_a_whole() -> None:
    left, top, width, height = PLACE
    still = np.ones(SIZE, np.uint8)
    cv2.ellipse(still, (left + width // 2, top + height // 2), (width // 6, height // 5), 0, 0, 360, 0, -1)
    images = [np.where(still > 0, screen(0, [PLACE]), screen(n, [PLACE])) for n in range(SECONDS)]
    (sector,) = found(images)
    assert encloses(sector, PLACE, 0.95)
    seen = look(frames([image[top : top + height, left : left + width] for image in images]))
    assert seen is not None
    (sector,) = seen.sectors
    assert sector.fills


def test_a_sector_upside_down_is_found() -> None:
    flipped = [np.ascontiguousarray(screen(n, [PLACE])[::-1]) for n in range(SECONDS)]
    (sector,) = found(flipped)
    lit, within = sector_in(PLACE)[::-1], inside(sector.outline)
    assert (within & lit).sum() >= 0.97 * lit.sum()
    assert within.sum() <= 1.4 * lit.sum()


@pytest.mark.parametrize("seed", range(6))
def test_a_clean_cine_is_left_as_it_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bare = random_options(rng).changed(fps=25, seconds=1.5, height=120, width=160, overlay=seed % 2 == 0)
    for options in (bare, bare.changed(height=112, width=112, margin=0.0)):
        seen = look(Phantom(options))
        assert seen is not None
        assert all(sector.fills for sector in seen.sectors)
        assert len(seen.sectors) == 1


def test_a_real_cine_is_left_as_it_is(cine: Path) -> None:
    with open_source(cine) as source:
        seen = look(source)
    assert seen is not None
    (sector,) = seen.sectors
    assert sector.fills
    x, y, width, height = sector.box
    assert (x, y) <= (60, 25), "the dim corners of the sector are seen"
    assert x + width >= 285
    assert y + height <= 220, "and not the buttons below"


def test_a_cine_between_bars_is_no_screen_and_one_in_a_corner_is() -> None:
    wide = [np.pad(image, ((0, 0), (12, 12))) for image in heart()]
    seen = look(frames(wide))
    assert seen is not None
    assert seen.sectors[0].fills
    corner = [np.pad(image, ((0, 150), (0, 200))) for image in heart()]
    seen = look(frames(corner))
    assert seen is not None
    assert not seen.sectors[0].fills


def test_a_look_holds_what_stands_still_and_some_whole_frames() -> None:
    images = [screen(n, [PLACE]) for n in range(SECONDS)]
    seen = look(frames(images))
    assert seen is not None
    # A frame each 0.08 s counts, which at 25 a second is every second one.
    assert seen.still.count == 1 + 16
    taken = np.sort(images[: 2 * 17 : 2], axis=0)
    assert np.array_equal(seen.still.highest, taken[-2])
    assert np.array_equal(seen.still.lowest, taken[1])
    assert len(seen.examples) >= 5
    assert all(frame.image.shape == SIZE for frame in seen.examples)


def test_a_recording_without_frames_has_no_look_and_one_of_two_may_have_a_sector() -> None:
    assert look([]) is None
    assert found([screen(0, [PLACE])]) == ()
    assert len(found([screen(0, [PLACE]), screen(3, [PLACE])], fps=10)) == 1


def test_a_screen_of_the_phantom_knows_where_its_picture_is() -> None:
    options = PhantomOptions.parse("phantom:?screen=640x360&layout=9&seed=3&seconds=1.5&fps=25&height=150&width=200")
    seen = look(Phantom(options))
    assert seen is not None
    phantom = Phantom(options)
    assert phantom.screen is not None
    placed = phantom.screen.placed
    x, y, width, height = seen.sectors[0].box
    reach = placed.px_per_mm * placed.depth_mm
    half = reach * np.sin(np.radians(placed.half_angle_deg))
    assert x == pytest.approx(placed.apex[0] - half, abs=0.06 * reach)
    assert x + width == pytest.approx(placed.apex[0] + half, abs=0.06 * reach)
    assert y + height == pytest.approx(placed.apex[1] + reach, abs=0.08 * reach)
