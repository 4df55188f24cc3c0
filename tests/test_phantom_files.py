"""A written phantom carries its truth: read back, it is the clip that was drawn."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from echo_rt.errors import OutputError, ParameterError
from echo_rt.phantom import open_phantom, write
from echo_rt.sources import open_source
from support.program import echo_rt

URI = "phantom:?ef=48&hr=90&fps=40&seconds=1.5&seed=4&height=240&width=320"


@pytest.fixture(scope="module", params=["avi", "mp4", "dcm"])
def written(request, tmp_path_factory) -> list[Path]:
    return write(open_phantom(URI), tmp_path_factory.mktemp("phantom") / f"clip.{request.param}")


def test_the_clip_and_three_files_of_truth_are_written_and_nothing_else(written: list[Path]) -> None:
    names = {path.name for path in written}
    assert names == {written[0].name, "clip.truth.csv", "clip.beats.csv", "clip.masks.npz"}
    assert {path.name for path in written[0].parent.iterdir()} == names


def test_the_clip_read_back_shows_the_same_pictures_at_the_same_times(written: list[Path]) -> None:
    phantom = open_phantom(URI)
    with open_source(written[0]) as source:
        frames = list(source)
    assert len(frames) == phantom.frames == 60
    for frame in frames[::20]:
        drawn = phantom.frame(frame.index)
        assert frame.t_s == pytest.approx(drawn.t_s, abs=1e-4)
        assert frame.image.shape == drawn.image.shape
        assert np.abs(frame.image.astype(float) - drawn.image).mean() < 4, "a lossy codec, and no more"
    if written[0].suffix == ".dcm":
        assert frames[0].spacing_mm == pytest.approx(phantom.spacing_mm, rel=1e-4)
        assert source.view == "A4C"


def test_the_tables_say_what_the_phantom_says(written: list[Path]) -> None:
    phantom = open_phantom(URI)
    rows = list(csv.DictReader(written[1].read_text().splitlines()))
    assert len(rows) == 60
    for k in (0, 33, 59):
        truth = phantom.truth(k)
        assert float(rows[k]["volume_ml"]) == pytest.approx(truth.volume_ml, abs=1e-3)
        assert float(rows[k]["apex_x_px"]) == pytest.approx(truth.apex[0], abs=1e-3)
        assert float(rows[k]["lateral_hinge_y_px"]) == pytest.approx(truth.hinges[1][1], abs=1e-3)
        assert rows[k]["phase"] == truth.phase
    beats = list(csv.DictReader(written[2].read_text().splitlines()))
    assert [float(beat["ef_percent"]) for beat in beats] == pytest.approx([48.0] * len(beats), abs=0.05)
    with np.load(written[3]) as masks:
        np.testing.assert_array_equal(masks["labels"][33], phantom.mask(33))


@pytest.mark.parametrize("overlay", [0, 1])
def test_the_dicom_is_valid(tmp_path: Path, overlay: int) -> None:
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: apt install dicom3tools)")
    path, *_ = write(open_phantom(f"{URI}&overlay={overlay}"), tmp_path / "clip.dcm", masks=False)
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    assert "Error" not in run.stderr, run.stderr
    assert run.stderr.strip() == "USMultiFrameImage"


def test_a_written_phantom_carries_its_truth_through_the_program(tmp_path: Path) -> None:
    import json

    run = echo_rt("phantom", tmp_path / "clip.dcm", "ef=58", "hr=75", "seconds=4", "seed=11", "variety=0")
    assert run.returncode == 0, run.stderr
    run = echo_rt("file", tmp_path / "clip.dcm", "--json")
    (summary,) = json.loads(run.stdout)
    beats = list(csv.DictReader((tmp_path / "clip.beats.csv").read_text().splitlines()))
    assert summary["view"] == "A4C"
    assert summary["volume_unit"] == "mL"
    # The rate varies from beat to beat, and the first and the last one are not whole.
    assert summary["heart_rate_bpm"] == pytest.approx(
        np.median([float(beat["heart_rate_bpm"]) for beat in beats]), rel=0.1
    )
    for beat in (beat for beat in summary["beats"] if beat["accepted"]):
        assert min(abs(beat["t_ed_s"] - float(true["t_ed_s"])) for true in beats) < 0.1
    assert summary["ef_percent"] == pytest.approx(58, abs=12)


def test_an_endless_phantom_or_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="endless"):
        write(open_phantom("phantom:"), tmp_path / "a.avi")
    with pytest.raises(ParameterError, match=r"ends in .avi, .mp4, .dcm"):
        write(open_phantom(URI), tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="choose another folder"):
        write(open_phantom(URI), tmp_path / "file" / "a.avi")


def test_options_out_of_range_are_one_line_that_names_the_range(tmp_path: Path) -> None:
    run = echo_rt("phantom", tmp_path / "a.avi", "ef=99")
    assert run.returncode == 2
    assert run.stderr.strip() == "echo-rt: phantom: expected ef from 10 to 80, found 99.0"
    assert list(tmp_path.iterdir()) == []


def test_the_self_test_compares_the_whole_way_with_the_truth() -> None:
    import json

    run = echo_rt("doctor", "--self-test", "--json")
    found = json.loads(run.stdout)
    assert len(found["cases"]) == 3
    for case in found["cases"]:
        assert case["beats"] >= 0.7 * (case["true_beats"] - 1)
        assert case["ok"], case
    assert run.returncode == 0


def test_the_self_test_notices_an_engine_that_sees_nothing(tmp_path: Path) -> None:
    from support.toy import toy_model

    run = echo_rt("doctor", "--self-test", "--model", toy_model(tmp_path / "toy.onnx"))
    assert run.returncode == 2
    assert "no beat found" in run.stdout
