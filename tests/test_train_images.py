"""What an epoch of a training is made of: the data set, what is mixed into it, and who reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from echo_rt.errors import DataError
from echo_rt_train.augment import Augment
from echo_rt_train.data import PHASES, VIEWS, DataReport, Sample, SampleError, open_data, organ_samples, read_on_grid
from echo_rt_train.data.grid import on_grid
from echo_rt_train.data.sample import Pair
from echo_rt_train.images import THROUGH_WINDOW, GridImages, Item, Mix, through_window
from support.sectors import sector

GRID = (32, 40)


def even(grey: int, cavity: bool) -> Pair:
    image, mask = np.full((64, 80), grey, np.uint8), np.zeros((64, 80), np.uint8)
    mask[20:40, 20:40] = cavity
    return image, mask


def hearts(*greys: int) -> list[Sample]:
    return [Sample(f"p{grey}", "train", "4CH", "ED", f"p{grey}", partial(even, grey, True)) for grey in greys]


def others(*greys: int) -> list[Sample]:
    return [
        Sample(f"n{grey}", "train", "other", "other", f"n{grey}", partial(even, grey, False), known=())
        for grey in greys
    ]


def images(samples: Sequence[Sample], mixes: Sequence[Mix] = (), augment: Augment | None = None) -> GridImages:
    return GridImages(samples, mixes, GRID, augment or Augment(), 0, DataReport("toy"))


def epoch(of: GridImages, number: int = 0) -> list[Item]:
    of.epoch = number
    return [of[index] for index in range(len(of))]


def greys(items: Sequence[Item]) -> list[int]:
    return [round(float(item.grey.mean())) for item in items]


def test_every_mix_has_its_share_and_the_data_set_is_there_once() -> None:
    real = [10 * n for n in range(1, 9)]
    of = images(hearts(*real), [Mix(hearts(101, 102, 103), 0.5), Mix(hearts(201, 202), 0.25), Mix([], 3.0)])
    items = epoch(of)
    assert greys(items)[:8] == real
    assert Counter(grey // 100 for grey in greys(items)[8:]) == {1: 4, 2: 2}
    assert [bool(item.drawn) for item in items] == [False] * 8 + [True] * 6
    assert of.mean == np.mean(real), "of the data set alone"


def test_what_is_mixed_in_is_drawn_anew_in_every_epoch_and_all_of_it_comes() -> None:
    of = images(hearts(50, 60), [Mix(hearts(*range(100, 110)), 1.0), Mix(hearts(*range(200, 206)), 1.0)])
    drawn = [greys(epoch(of, number))[2:] for number in range(40)]
    assert {grey for of_one in drawn for grey in of_one[:2]} == set(range(100, 110))
    assert {grey for of_one in drawn for grey in of_one[2:]} == set(range(200, 206))
    assert greys(epoch(of, 7))[2:] == drawn[7], "the same epoch is the same again"


def test_other_samples_instead_of_those_there_are_leave_the_mixes_alone() -> None:
    of = images(hearts(50, 60), [Mix(hearts(100), 1.0), Mix(hearts(200), 0.5)])
    of.renew(hearts(71, 72, 73))
    assert greys(epoch(of)) == [71, 72, 73, 100, 100, 200]


def test_an_index_beyond_the_epoch_is_an_error() -> None:
    with pytest.raises(IndexError):
        images(hearts(50), [Mix(hearts(100), 1.0)])[2]


def test_a_picture_of_something_else_is_of_no_view_and_nobody_traced_it() -> None:
    heart, other = epoch(images(hearts(50), [Mix(others(100), 1.0)], Augment(no_heart=0.0)))
    assert (int(heart.view), int(heart.phase), heart.known.tolist()) == (0, 0, [1, 1, 1, 1])
    assert (VIEWS[int(other.view)], PHASES[int(other.phase)]) == ("other", "other")
    assert other.known.tolist() == [1, 0, 0, 0]
    assert other.covered.max() == 0


def test_a_heart_that_can_no_longer_be_measured_is_of_no_view_and_its_parts_are_unknown() -> None:
    items = [item for number in range(12) for item in epoch(images(hearts(50), augment=Augment(no_heart=1.0)), number)]
    assert {VIEWS[int(item.view)] for item in items} == {"other"}
    assert {PHASES[int(item.phase)] for item in items} == {"other"}
    assert {tuple(item.known.tolist()) for item in items} == {(1, 0, 0, 0), (1, 1, 1, 1)}


def test_some_of_what_is_no_heart_is_seen_in_the_sector_of_one_and_hearts_never_are() -> None:
    window = sector(64, 80, tip=(40.0, 4.0))
    mask = np.zeros_like(window)
    mask[20:40, 30:50] = 1
    heart = Sample("h", "train", "4CH", "ED", "h", lambda: (window, mask))
    of = images([heart], [Mix(others(100), 1.0)])
    found = [[item.grey[0, 0].numpy() for item in epoch(of, number)] for number in range(60)]
    corners = np.array([[grey[0, 0] for grey in both] for both in found])
    assert (corners[:, 0] == 0).all(), "black beside its sector"
    assert np.mean(corners[:, 1] == 0) == pytest.approx(THROUGH_WINDOW, abs=0.15)
    np.testing.assert_array_equal(found[0][0], found[59][0])


def test_through_a_window_another_picture_fills_its_sector_as_brightly() -> None:
    window = sector(120, 160, tip=(80.0, 6.0))
    picture = np.zeros((3, 120, 160), np.uint8)
    picture[:, 30:100, 10:90] = np.random.default_rng(0).integers(40, 90, (3, 70, 80))
    seen = through_window(picture, window, np.random.default_rng(1))
    assert (seen.shape, seen.dtype) == (picture.shape, np.uint8)
    near, inside = cv2.dilate((window > 0).astype(np.uint8), np.ones((25, 25))), window > 30
    assert not seen[:, near == 0].any()
    assert (seen[:, inside] > 0).mean() > 0.95
    assert seen[:, inside].mean() == pytest.approx(window[inside].mean(), rel=0.2)
    assert not np.array_equal(seen[0], seen[1]), "each frame is its own"


def test_a_black_picture_or_window_changes_nothing() -> None:
    window, black = sector(64, 80), np.zeros((64, 80), np.uint8)
    for picture, through in ((black, window), (window, black)):
        np.testing.assert_array_equal(through_window(picture[None], through, np.random.default_rng(0))[0], picture)


def unreadable() -> Pair:
    raise SampleError("p9: expected an image, found none")


def test_two_readers_bring_to_the_grid_what_one_does_and_note_what_is_wrong() -> None:
    phantom = {"samples": 3, "clips": 1, "frames": 2, "per_heart": 3}
    good = [*open_data({"format": "phantom", "phantom": phantom}).samples("train"), *organ_samples(1, 2)]
    samples = [good[0], replace(good[1], load=unreadable), *good[2:]]
    reports = DataReport("one"), DataReport("two")
    one, two = (list(read_on_grid(samples, report, GRID, readers)) for readers, report in enumerate(reports, 1))
    assert [sample.name for sample, _ in two] == [sample.name for sample in samples if sample is not samples[1]]
    for (sample, pair), (_, again) in zip(one, two, strict=True):
        for of_one, of_two, alone in zip(pair, again, on_grid(sample, GRID), strict=True):
            np.testing.assert_array_equal(of_one, of_two)
            np.testing.assert_array_equal(of_one, alone)
    assert reports[0].counts == reports[1].counts == {"unreadable file": 1}


def test_where_nothing_of_a_mix_can_be_read_it_is_said() -> None:
    broken = [replace(sample, load=unreadable) for sample in others(1, 2)]
    with pytest.raises(DataError, match=r"expected images that can be used, found none; .*2 x unreadable file"):
        images(hearts(50), [Mix(broken, 1.0)])
