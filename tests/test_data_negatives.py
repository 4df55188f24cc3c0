"""Pictures and recordings that are no apical view: whole sources on one side, and a line for what is wrong."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from hydra import compose, initialize_config_module

from echo_rt.errors import DataError
from echo_rt_train.data import DataSet, list_negatives, open_data, read_all
from echo_rt_train.data.negatives import COLUMNS, RecordingFile, holds_negatives
from echo_rt_train.loop import read_images
from support.clips import write_video

SOURCES = [f"source-{letter}" for letter in "abcdefgh"]


def write_negatives(root: Path) -> Path:
    """Two folders: three colour pictures of each source, and a recording of every second one."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[tuple[str, ...]]] = {"stills": [], "clips": []}
    for folder in rows:
        (root / folder).mkdir(parents=True)
    for number, source in enumerate(SOURCES):
        for take in range(3):
            name = f"{source}_{take}.png"
            cv2.imwrite(str(root / "stills" / name), rng.integers(20, 255, (60, 80, 3), np.uint8))
            rows["stills"].append((name, source, "lung", f"{source}-{take}"))
        if number % 2 == 0:
            write_video(root / "clips" / f"{source}.avi", rng.integers(0, 255, (6, 48, 64), np.uint8), codec="ffv1")
            rows["clips"].append((f"{source}.avi", source, "muscle", source))
    for folder, found in rows.items():
        write_index(root / folder, found)
    return root


def write_index(folder: Path, rows: list[tuple[str, ...]], columns: tuple[str, ...] = COLUMNS) -> None:
    with (folder / "index.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_negatives(tmp_path / "negatives")


def sources(data: DataSet) -> dict[str, set[str]]:
    """The sources of pictures and recordings, by split."""
    everything = (*data._samples, *data._clips)
    return {split: {item.patient for item in everything if item.split == split} for split in ("train", "val")}


def test_the_folder_is_known_by_what_its_index_says_is_seen(folder: Path) -> None:
    data = open_data({"root": folder, "val_fraction": 0})
    assert data.format == "negatives"
    samples, clips = data.samples("train"), data.clips("train")
    assert (len(samples), len(clips)) == (24, 4)
    assert not data.report.problems
    for item in (*samples, *clips):
        assert (item.view, item.known) == ("other", ())
    assert {sample.phase for sample in samples} == {"other"}
    assert open_data({"root": folder / "stills", "val_fraction": 0}).format == "negatives"


def test_a_picture_is_read_as_grey_with_a_mask_that_is_empty(folder: Path) -> None:
    data = open_data({"root": folder, "val_fraction": 0})
    sample, (image, mask) = next(iter(read_all(data.samples("train"), data.report)))
    colours = cv2.imread(sample.name)
    np.testing.assert_array_equal(image, cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY))
    assert mask.shape == image.shape
    assert not mask.any()


def test_a_recording_is_read_in_stretches_and_nobody_traced_it(folder: Path) -> None:
    clip = open_data({"root": folder, "val_fraction": 0}).clips("train")[0]
    whole, part = clip.read(), clip.read(2, 3)
    assert whole.frames.shape == (6, 48, 64)
    np.testing.assert_array_equal(part.frames, whole.frames[2:5])
    assert whole.masks is None
    assert not whole.traced.any()


@pytest.mark.parametrize("val_fraction", [0.2, 0.5, 0.8])
def test_a_source_is_never_in_two_splits(folder: Path, val_fraction: float) -> None:
    found = sources(open_data({"root": folder, "val_fraction": val_fraction}))
    assert found["train"] | found["val"] == set(SOURCES)
    assert not found["train"] & found["val"]
    assert found["train"]
    assert found["val"]


def test_every_source_is_held_out_once_as_a_whole(folder: Path) -> None:
    judged: list[str] = []
    for part in range(1, 5):
        found = sources(open_data({"root": folder, "val_fraction": 0, "hold_out": f"{part}/4"}))
        assert found["train"] | found["val"] == set(SOURCES)
        assert not found["train"] & found["val"]
        judged += found["val"]
    assert sorted(judged) == SOURCES


def test_the_list_says_what_every_file_shows(folder: Path) -> None:
    listed = list_negatives(folder)
    assert len(listed) == 28
    assert {(one.organ_or_view, one.is_recording) for one in listed} == {("lung", False), ("muscle", True)}
    assert {one.source for one in listed} == set(SOURCES)
    assert all(one.path.is_file() for one in listed)


def test_a_missing_file_is_left_out_and_named_in_one_line(folder: Path) -> None:
    lost = folder / "stills" / "source-b_1.png"
    lost.unlink()
    data = open_data({"root": folder, "val_fraction": 0})
    assert len(data.samples("train")) == 23
    assert data.report.counts == {"missing file": 1}
    (line,) = data.report.examples["missing file"]
    assert line == f"{folder}: expected {lost}, found no such file"
    with pytest.raises(DataError, match=r"source-b_1.png, found no such file; mend it") as error:
        open_data({"root": folder, "strict": True})
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_picture_is_noted_when_it_is_read(folder: Path) -> None:
    (folder / "stills" / "source-a_0.png").write_bytes(b"no picture")
    data = open_data({"root": folder, "val_fraction": 0})
    assert len(list(read_all(data.samples("train"), data.report))) == 23
    assert data.report.counts == {"unreadable file": 1}


def test_a_column_that_is_not_there_is_named_in_one_line(folder: Path) -> None:
    write_index(folder / "stills", [("a.png", "lung", "p")], ("file", "organ_or_view", "patient_or_clip"))
    with pytest.raises(DataError, match=r"stills/index.csv: expected the columns file, .*; source not found") as error:
        open_data({"root": folder})
    assert "\n" not in str(error.value)


def test_a_folder_without_an_index_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"expected an index.csv with the columns file, source, .*, found none"
    ) as error:
        open_data({"root": tmp_path, "format": "negatives"})
    assert "\n" not in str(error.value)


def test_a_data_set_with_negatives_in_a_folder_of_its_own_stays_what_it_is(data: Path) -> None:
    write_negatives(data / "negatives")
    assert not holds_negatives(data)
    assert open_data({"root": data}).format == "png"


def mixed(data: Path, negatives: Path, *more: str) -> set[int]:
    """The grey levels of what a training mixes into its data set in some epochs."""
    settings = (f"data.root={data}", f"negatives.root={negatives}", "negatives.share=4", "model.grid=32", "batch=4")
    with initialize_config_module("echo_rt_train.conf", version_base=None):
        config = compose("train", overrides=[*settings, "model.widths=[4,8,16]", "validate_every=0", *more])
    config.augment = {}
    images, _ = read_images(config, open_data(config.data))
    found = set()
    for images.epoch in range(6):
        found |= {round(float(item.grey.max())) for item in map(images.__getitem__, range(len(images))) if item.drawn}
    return found


def test_a_training_mixes_in_all_sources_but_those_that_its_cross_validation_holds_out(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("echo_rt_train.images.THROUGH_WINDOW", 0.0)
    (tmp_path / "even").mkdir()
    for number, source in enumerate(SOURCES):
        cv2.imwrite(str(tmp_path / "even" / f"{source}.png"), np.full((40, 40), 20 * (number + 1), np.uint8))
    write_index(tmp_path / "even", [(f"{source}.png", source, "lung", source) for source in SOURCES])
    everything = {20 * (number + 1) for number in range(8)}
    assert mixed(data, tmp_path / "even") == everything
    first, second = (mixed(data, tmp_path / "even", f"data.hold_out={part}/2") for part in (1, 2))
    assert first | second == everything
    assert not first & second


def test_the_real_folder_is_read_without_a_line_in_the_report(negatives: Path) -> None:
    data = open_data({"root": negatives, "val_fraction": 0})
    samples, clips = data.samples("train"), data.clips("train")
    assert (len(samples), len(clips)) == (1056, 38)
    some = samples[::20]
    for _, (image, mask) in read_all(some, data.report):
        assert (image.dtype, image.ndim) == (np.uint8, 2)
        assert not mask.any()
    for clip in clips:
        assert isinstance(clip.load, RecordingFile)
        assert clip.read(0, 2).frames.ndim == 3
    assert data.report.lines() == [f"{negatives}: nothing left out"]
    held_out = [sources(open_data({"root": negatives, "val_fraction": 0, "hold_out": f"{k}/4"})) for k in (1, 2)]
    assert not held_out[0]["val"] & held_out[1]["val"]
    assert all(not found["train"] & found["val"] for found in held_out)
