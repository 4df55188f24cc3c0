"""Simulated hearts as training data: endless, and the same from the same seed."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from echo_rt.errors import DataError
from echo_rt.phantom import Phantom
from echo_rt_train.data import DataReport, DataSet, open_data, read_all
from echo_rt_train.data.phantoms import heart
from echo_rt_train.data.sample import Pair, SampleError

SMALL = {"samples": 6, "clips": 2, "frames": 8, "per_heart": 3}


def phantoms(**changes: int) -> DataSet:
    return open_data({"format": "phantom", "phantom": {**SMALL, **changes}})


def test_a_sample_is_the_same_in_any_order_and_in_another_process() -> None:
    samples = phantoms().samples("train")
    forwards = [sample.read() for sample in samples]
    for index in (4, 0, 5):
        image, mask = pickle.loads(pickle.dumps(phantoms().samples("train")[index])).read()
        np.testing.assert_array_equal(image, forwards[index][0])
        np.testing.assert_array_equal(mask, forwards[index][1])
    assert image.shape == mask.shape
    assert set(np.unique(mask)) == {0, 1, 2, 3}


def unreadable() -> Pair:
    raise SampleError("p9: expected an image, found none")


def test_several_processes_read_what_one_does_and_note_what_is_wrong() -> None:
    good = list(phantoms().samples("train"))
    samples = [good[0], replace(good[1], load=unreadable), *good[2:]]
    reports = DataReport("one"), DataReport("two")
    one, two = (list(read_all(samples, report, processes)) for processes, report in enumerate(reports, 1))
    assert [sample.name for sample, _ in two] == [sample.name for sample in samples if sample is not samples[1]]
    for (_, (image, mask)), (_, (again, its_mask)) in zip(one, two, strict=True):
        np.testing.assert_array_equal(image, again)
        np.testing.assert_array_equal(mask, its_mask)
    assert reports[0].counts == reports[1].counts == {"unreadable file": 1}
    with pytest.raises(DataError, match="p9: expected an image, found none"):
        list(read_all(samples, DataReport("strict", strict=True), 2))


def test_ed_is_larger_than_es_of_the_same_heart() -> None:
    samples = phantoms(samples=12).samples("train")
    assert [s.phase for s in samples[:3]] == ["ED", "ES", "other"]
    for ed, es, other in zip(samples[::3], samples[1::3], samples[2::3], strict=True):
        assert ed.patient == es.patient == other.patient
        large, small, between = ((s.read()[1] == 1).sum() for s in (ed, es, other))
        assert large > small
        # The heart moves through the image plane with the breath; another beat may be a little larger or smaller.
        assert 0.8 * small <= between <= 1.2 * large


def test_every_epoch_has_hearts_of_its_own_and_validation_always_the_same() -> None:
    data = phantoms()
    first, second = ({s.patient for s in data.samples("train", epoch)} for epoch in (0, 1))
    assert not first & second
    assert not np.array_equal(data.samples("train", 0)[0].read()[0], data.samples("train", 1)[0].read()[0])
    assert [s.patient for s in data.samples("val", 0)] == [s.patient for s in data.samples("val", 7)]
    assert not {s.patient for s in data.samples("val")} & first
    other = heart(1, "val", 0).options.recording.seed
    assert other != heart(1, "train", 0).options.recording.seed != heart(2, "train", 0).options.recording.seed


def test_clips_carry_a_mask_in_every_frame_and_can_be_read_in_parts() -> None:
    clip = phantoms().clips("train")[0]
    whole = clip.read()
    assert whole.frames.shape == whole.masks.shape
    assert len(whole.frames) == 8
    assert whole.traced.all()
    np.testing.assert_allclose(np.diff(whole.t_s), 1 / clip.fps)
    part = clip.read(3, 2)
    np.testing.assert_array_equal(part.frames, whole.frames[3:5])
    np.testing.assert_array_equal(part.masks, whole.masks[3:5])
    np.testing.assert_array_equal(part.t_s, whole.t_s[3:5])
    assert len(clip.read(6).frames) == 2
    with pytest.raises(DataError, match="expected frames from 8, found 8 frames in all"):
        clip.read(8)


def test_a_phantom_has_one_view() -> None:
    with pytest.raises(DataError, match="the view 4CH"):
        open_data({"format": "phantom", "views": ["2CH"]}).samples("train")


def test_training_sees_failing_hearts_and_clear_pictures_more_often_and_still_segments_less_often() -> None:
    train, val = ([heart(1, split, number).options for number in range(150)] for split in ("train", "val"))
    assert sum(o.heart.ef < 30 for o in train) > 2 * sum(o.heart.ef < 30 for o in val)
    assert min(o.look.variety for o in train) < 0.5
    assert {o.look.variety for o in val} == {1.0}
    assert 20 < sum(bool(o.heart.akinetic) for o in train) < 0.8 * sum(bool(o.heart.akinetic) for o in val)
    small, large = (
        np.median([o.heart.edv_ml for o in train if low <= o.heart.ef < high]) for low, high in ((55, 77), (0, 40))
    )
    assert large > 1.15 * small, "a failing ventricle is large, in training too"
    assert all(Phantom(o).mask(0).any() for o in train[:8])
