"""`echo-rt evaluate --negatives`: what gets a figure though it shows no apical view."""

from __future__ import annotations

import csv
import json
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

import echo_rt
from echo_rt.errors import DataError, ParameterError
from echo_rt_train.data import DataReport, list_negatives
from echo_rt_train.data.video import grey
from echo_rt_train.evaluate.negatives import measure_negatives, negatives_summary
from support.clips import write_video
from support.commands import evaluate as command
from support.readers import GREY, Reader, drawn_samples, write_index_of
from support.shapes import labels_of

FRAMES, FPS = 120, 30


class Believer(Reader):
    """Reads drawn hearts off a frame, grey or BGR, whatever the recording is said to show."""

    def segment(self, image: np.ndarray, state: object = None):
        return super().segment(grey(image), state)


def heart(radius: float) -> np.ndarray:
    return labels_of((120, 120), 60, radius, 7, (60.0, 75.0))


def beating() -> np.ndarray:
    """Pictures (N, 120, 120) of a ventricle at 60 bpm with an EF of 50 %."""
    volume = 1 - 0.5 * np.sin(np.pi * np.arange(FRAMES) / FPS) ** 2
    images = GREY[np.stack([heart(20 * np.sqrt(share)) for share in volume])]
    return images + np.random.default_rng(1).integers(0, 8, images.shape, np.uint8)


def write_negatives(folder: Path) -> Path:
    """Two pictures and a recording that a believer takes for hearts, and one of each that nobody does."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 30, (FRAMES, 120, 120), np.uint8)
    kinds = {"a.png": "lung", "b.png": "lung", "c.png": "screen", "d.avi": "lung", "e.avi": "muscle"}
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), GREY[heart(20)])
    cv2.imwrite(str(folder / "c.png"), noise[0])
    for name, images in (("d.avi", beating()), ("e.avi", noise)):
        write_video(folder / name, images, fps=FPS, codec="ffv1", pix_fmt="gray")
    write_table(folder, kinds)
    return folder


def write_table(folder: Path, kinds: dict[str, str]) -> None:
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "source", "organ_or_view", "patient_or_clip"])
        writer.writerows([name, "drawn", kind, name] for name, kind in kinds.items())


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    return write_negatives(tmp_path / "negatives")


@pytest.fixture
def believer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command opens a believer, whatever model is named."""

    @contextmanager
    def open_model(*arguments):
        yield Believer()

    monkeypatch.setattr("echo_rt_train.evaluate.command.open_model", open_model)


def test_pictures_called_usable_and_recordings_with_an_ef_are_counted_by_what_they_show(drawn: Path) -> None:
    found = negatives_summary(measure_negatives(Believer(), list_negatives(drawn), DataReport("drawn")))
    assert found["pictures"]["all"] == {"shown": 3, "mistaken": 2, "share": pytest.approx(2 / 3)}
    assert found["pictures"]["by_organ_or_view"] == {
        "lung": {"shown": 2, "mistaken": 2, "share": 1.0},
        "screen": {"shown": 1, "mistaken": 0, "share": 0.0},
    }
    assert [one["file"] for one in found["pictures"]["files"]] == ["a.png", "b.png"]
    assert found["recordings"]["by_organ_or_view"]["lung"]["mistaken"] == 1
    assert found["recordings"]["by_organ_or_view"]["muscle"]["mistaken"] == 0
    (one,) = found["recordings"]["files"]
    assert (one["file"], one["organ_or_view"], one["method"]) == ("d.avi", "lung", "disks")
    assert one["ef_percent"] == pytest.approx(50, abs=3)
    assert one["beats"] >= 2


def test_a_file_that_cannot_be_read_is_noted_and_left_out(drawn: Path) -> None:
    (drawn / "a.png").unlink()
    (drawn / "c.png").write_bytes(b"no picture")
    (drawn / "e.avi").write_bytes(b"no video")
    report = DataReport("drawn")
    assert len(measure_negatives(Believer(), list_negatives(drawn), report)) == 2
    assert report.counts == {"missing file": 1, "unreadable file": 1, "unreadable video": 1}


def test_a_folder_of_which_nothing_can_be_read_is_an_error(tmp_path: Path) -> None:
    write_table(tmp_path, {"gone.png": "lung"})
    with pytest.raises(DataError, match="expected pictures or recordings, found none that can be read"):
        measure_negatives(Believer(), list_negatives(tmp_path), DataReport("drawn"))


@pytest.mark.usefixtures("believer")
def test_the_command_needs_no_data_set_for_negatives(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(["any", "--negatives", str(drawn), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"model", "negatives"}
    assert found["negatives"]["pictures"]["all"]["mistaken"] == 2
    (drawn / "a.png").unlink()
    command(["any", "--negatives", str(drawn)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert "lung 1 of 1 100.0 %".split() in lines
    assert "all 1 of 2 50.0 %".split() in lines
    (told,) = [line for line in lines if line[0] == "d.avi:"]
    assert told[1] == "EF"
    assert " ".join(told[3:6]) == "% by disks,"
    assert ["1", "x", "missing", "file"] in lines


@pytest.mark.usefixtures("believer")
def test_negatives_stand_beside_the_figures_of_a_data_set(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    write_index_of(drawn_samples(data), data)
    command(["any", "--data", str(data), "--negatives", str(drawn), "--out", str(out), "--worst", "0", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["views"]["4CH"]["images"] == 8
    assert found["negatives"]["recordings"]["all"]["shown"] == 2
    assert found == json.loads((out / "evaluation.json").read_text())


@pytest.mark.parametrize("option", [["--shifts"], ["--clips", "2"], ["--hold-out", "1/4"], ["--out", "somewhere"]])
def test_what_needs_a_data_set_is_refused_beside_negatives_alone(drawn: Path, option: list[str]) -> None:
    with pytest.raises(ParameterError, match=f"{option[0]}: expected a data set, found --negatives alone; give --data"):
        command(["any", "--negatives", str(drawn), *option])


def test_a_folder_without_an_index_is_refused_before_the_model_is_opened(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected an index\.csv with the columns"):
        command(["no-such-model", "--negatives", str(tmp_path)])
    with pytest.raises(ParameterError, match=r"expected a folder with index\.csv, found none; name another"):
        command(["no-such-model", "--negatives", str(tmp_path / "gone")])


def test_the_shipped_model_refuses_most_real_pictures_of_something_else(negatives: Path) -> None:
    some = [negative for negative in list_negatives(negatives) if not negative.is_recording][::20]
    with echo_rt.open_engine() as engine:
        found = negatives_summary(measure_negatives(engine, some, DataReport(str(negatives))))["pictures"]
    assert found["all"]["shown"] > 40
    assert found["all"]["share"] < 0.2
    assert len(found["by_organ_or_view"]) > 5
