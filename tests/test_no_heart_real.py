"""Real recordings and pictures without an apical view come to no number; real apical views do.

The shipped network has learned from these pictures. `echo-rt tune` judges the sources by one that has not: its figures
are in the card of the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import echo_rt
from echo_rt.engine import Engine
from echo_rt_train.data import DataReport, Sample, list_negatives, open_data
from echo_rt_train.evaluate.first_frame import as_first_frame
from echo_rt_train.evaluate.negatives import measure_negatives
from support.clips import write_video


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with echo_rt.open_engine("lv-edge") as engine:
        yield engine


@pytest.fixture(scope="module")
def hearts(camus: Path) -> list[Sample]:
    """Of the validation patients."""
    return list(open_data({"root": camus}).samples("val"))


def test_no_real_recording_without_a_heart_comes_to_an_ejection_fraction(engine: Engine, negatives: Path) -> None:
    recordings = [one for one in list_negatives(negatives) if one.is_recording]
    assert len(recordings) >= 38
    answers = measure_negatives(engine, recordings, DataReport("negatives", strict=True))
    assert [answer.negative.path.name for answer in answers if answer.mistaken] == []


def test_hardly_a_real_picture_without_an_apical_view_is_called_usable(engine: Engine, negatives: Path) -> None:
    pictures = [one for one in list_negatives(negatives) if not one.is_recording][::4]
    answers = measure_negatives(engine, pictures, DataReport("negatives", strict=True))
    assert np.mean([answer.mistaken for answer in answers]) <= 0.02


def test_real_apical_views_are_usable(engine: Engine, hearts: list[Sample]) -> None:
    for view in ("4CH", "2CH"):
        shown = [sample.read()[0] for sample in hearts if sample.view == view]
        assert np.mean([as_first_frame(engine, image)[1] for image in shown]) >= 0.985


def test_no_real_apical_view_upside_down_is_usable_as_it_stands(engine: Engine, hearts: list[Sample]) -> None:
    shown = [sample.read()[0][::-1].copy() for sample in hearts[::2]]
    assert not any(as_first_frame(engine, image)[1] for image in shown)


def test_a_real_recording_upside_down_is_turned_and_comes_to_the_same_figures(
    engine: Engine, cine: Path, tmp_path: Path
) -> None:
    with echo_rt.open_source(cine) as source:
        frames = [frame.image for frame in source]
    found = []
    for name, step in (("upright", 1), ("turned", -1)):
        clip = write_video(
            tmp_path / f"{name}.avi",
            np.stack([image[::step] for image in frames]),
            fps=30,
            codec="ffv1",
            pix_fmt="bgr0" if frames[0].ndim == 3 else "gray",
        )
        found.append(echo_rt.process(clip, engine).to_dict())
    upright, turned = found
    assert (upright["orientation"], turned["orientation"]) == ("as recorded", "turned upside down")
    assert turned["ef_percent"] == pytest.approx(upright["ef_percent"], abs=0.2)
    assert [beat["accepted"] for beat in turned["beats"]] == [beat["accepted"] for beat in upright["beats"]]
