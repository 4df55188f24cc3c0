"""The program as a user starts it: in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.clips import write_video
from support.program import echo_rt
from support.toy import toy_model

FILES = {"summary.json", "readings.csv", "masks.npz", "overlay.mp4", "curve.png"}


def noise(path: Path, frames: int = 20) -> Path:
    rng = np.random.default_rng(0)
    return write_video(
        path, rng.integers(0, 256, (frames, 120, 160, 3), dtype=np.uint8), codec="mjpeg", pix_fmt="yuvj420p"
    )


@pytest.fixture(scope="module")
def result(cine: Path, tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    out = tmp_path_factory.mktemp("out")
    return echo_rt("file", cine, "--out", out), out / cine.stem


def test_the_main_job_on_a_real_recording(result, cine: Path) -> None:
    run, folder = result
    assert run.returncode == 0, run.stderr
    assert {path.name for path in folder.iterdir()} == FILES
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["frames"] == 30
    assert summary["fps"] == pytest.approx(30, rel=0.01)
    assert summary["ef_method"] == "clip-extremes", "one second from end-systole holds no whole beat"
    assert 40 < summary["ef_percent"] < 80
    # The header's region is stale; its size of a pixel is that of the ruler, before the image was resized.
    assert (summary["scale"], summary["volume_unit"]) == ("ruler", "mL")
    assert summary["spacing_mm"] == pytest.approx([1.021, 1.021], abs=0.005)
    shown = re.search(r"^examples_ybr_color +30 +(\d+) ", run.stdout, re.MULTILINE)
    assert shown is not None
    assert float(shown[1]) == pytest.approx(summary["ef_percent"], abs=0.551), "each rounds once"
    assert "largest and the smallest volume" in run.stdout
    assert "scale by the ruler on the screen: 1.02 mm a pixel" in run.stdout
    masks = np.load(folder / "masks.npz")["labels"]
    assert masks.shape == (30, 240, 320)
    assert set(np.unique(masks)) == {0, 1, 2, 3}
    assert cv2.imread(str(folder / "curve.png")) is not None


def test_the_python_api_gives_the_same_readings(result, cine: Path) -> None:
    import echo_rt

    rows = (result[1] / "readings.csv").read_text().splitlines()
    heading = rows[0].split(",")
    volumes = [row.split(",")[heading.index("volume_ml")] for row in rows[1:]]
    found = [f"{reading.ventricle.volume:.6g}" for reading in echo_rt.stream(cine)]
    assert found == volumes


def test_running_twice_gives_the_same_bytes_but_for_the_times(result, cine: Path, tmp_path: Path) -> None:
    assert echo_rt("file", cine, "--out", tmp_path, "--no-overlay").returncode == 0
    one, two = ((folder / "readings.csv").read_text().splitlines() for folder in (result[1], tmp_path / cine.stem))
    timed = [i for i, name in enumerate(one[0].split(",")) if name.startswith("time_")]
    assert timed

    def untimed(rows: list[str]) -> list[list[str]]:
        return [[cell for i, cell in enumerate(row.split(",")) if i not in timed] for row in rows]

    assert untimed(one) == untimed(two)
    assert {p.name for p in (tmp_path / cine.stem).iterdir()} == FILES - {"overlay.mp4"}


def test_json_on_standard_output_is_the_summaries_and_nothing_else(cine: Path) -> None:
    run = echo_rt("file", cine, "--json")
    (summary,) = json.loads(run.stdout)
    assert summary["ef_percent"] == pytest.approx(summary["ef_percent"])
    assert summary["recording"] == str(cine)


def write_text(path: Path) -> Path:
    path.write_text("this is a text\n" * 100)
    return path


def write_empty(path: Path) -> Path:
    path.touch()
    return path


def write_truncated(path: Path) -> Path:
    noise(path, 60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def still_dicom(path: Path) -> Path:
    from pydicom import examples

    dataset = examples.rgb_color
    dataset.save_as(path)
    return path


def dicom_without_pixels(path: Path) -> Path:
    from pydicom import examples

    dataset = examples.ybr_color
    del dataset.PixelData
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    ("name", "make", "found"),
    [
        ("missing.dcm", lambda path: path, "found nothing at that path"),
        ("empty.avi", write_empty, "empty"),
        ("text.avi", write_text, "expected a video"),
        ("cut.avi", write_truncated, "truncated"),
        ("still.dcm", still_dicom, "at least 2 frames, found 1"),
        ("nopixels.dcm", dicom_without_pixels, "pixel data"),
    ],
)
def test_bad_input_gets_one_line_status_2_and_no_half_written_file(tmp_path: Path, name: str, make, found: str) -> None:
    run = echo_rt("file", make(tmp_path / name), "--out", tmp_path / "out")
    assert run.returncode == 2
    lines = run.stderr.strip().splitlines()
    assert len(lines) == 1, run.stderr
    assert lines[0].startswith("echo-rt: ")
    assert name in lines[0]
    assert "expected" in lines[0]
    assert found in lines[0]
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_a_recording_without_a_heart_has_a_reason_and_no_number(tmp_path: Path) -> None:
    run = echo_rt("file", noise(tmp_path / "noise.avi"), "--out", tmp_path / "out")
    assert run.returncode == 2
    assert "no ventricle" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    summary = json.loads((tmp_path / "out" / "noise" / "summary.json").read_text())
    assert summary["ef_percent"] is None
    assert summary["ef_reason"]
    assert summary["rejected_frames"] == {"no ventricle": 20}


def test_a_model_that_is_not_ours_is_refused_before_any_recording(tmp_path: Path, cine: Path) -> None:
    run = echo_rt("file", cine, "--model", toy_model(tmp_path / "foreign.onnx", None), "--out", tmp_path / "out")
    assert run.returncode == 2
    assert "without an echo-rt spec" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_in_a_batch_the_good_ones_are_finished_and_the_bad_ones_listed(tmp_path: Path, cine: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.dcm").write_bytes(cine.read_bytes())
    write_text(folder / "bad.avi")
    (folder / "more").mkdir()
    (folder / "more" / "good.dcm").write_bytes(cine.read_bytes())
    run = echo_rt("file", folder, "--out", tmp_path / "out", "--no-overlay")
    assert run.returncode == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good", "good-2"}, "two of one name, both kept"
    assert "bad.avi" in run.stderr
    assert "1 of 3 recordings" in run.stderr
    assert run.stdout.count("results in") == 1


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, cine: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    run = echo_rt("file", cine, "--out", tmp_path / "out")
    assert run.returncode == 2
    assert len(run.stderr.strip().splitlines()) == 1
    assert (tmp_path / "out").read_text() == "a file where the folder should be"


def test_models_and_doctor_and_version() -> None:
    listed = json.loads(echo_rt("models", "--json").stdout)
    assert {"name", "path", "licence", "figures", "files"} <= set(listed[0])
    assert listed[0]["name"] in echo_rt("models").stdout
    run = echo_rt("doctor")
    assert run.returncode == 0, run.stdout
    assert "device cpu" in run.stdout
    assert echo_rt("--version").stdout.startswith("echo-rt 0.")
    findings = {finding["name"]: finding for finding in json.loads(echo_rt("doctor", "--json").stdout)}
    assert findings["DICOM"]["ok"]


@pytest.mark.parametrize("arguments", ["--nope", "file", "file x.dcm --device abacus", "file x --ef-method guess"])
def test_wrong_options_end_with_status_2_and_without_a_traceback(arguments: str) -> None:
    run = echo_rt(*arguments.split())
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert run.stderr.strip()


def test_a_missing_system_library_is_named_with_the_package_that_brings_it(cine: Path, tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(
        "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')"
    )
    run = echo_rt("file", cine, PYTHONPATH=str(tmp_path))
    assert run.returncode == 2
    assert run.stderr.strip().splitlines() == [
        "echo-rt: OpenCV needs the system library libGL.so.1, which is not there: "
        "apt install libgl1 (Fedora: dnf install mesa-libGL); "
        "`echo-rt models` and `echo-rt doctor` work without it"
    ]
    assert echo_rt("models", PYTHONPATH=str(tmp_path)).returncode == 0
    doctor = echo_rt("doctor", PYTHONPATH=str(tmp_path))
    assert doctor.returncode == 2
    assert "apt install libgl1" in doctor.stdout


def test_without_the_native_kernels_the_reference_does_the_same(cine: Path) -> None:
    code = "import sys; sys.modules['echo_rt._native'] = None\nfrom echo_rt.commands.app import main; main()"
    plain = subprocess.run(
        [sys.executable, "-c", code, "file", str(cine), "--json"], capture_output=True, text=True, check=True
    )
    native = echo_rt("file", cine, "--json")
    assert json.loads(plain.stdout)[0]["ef_percent"] == pytest.approx(
        json.loads(native.stdout)[0]["ef_percent"], abs=0.2
    )


def test_a_command_whose_part_is_not_installed_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "hydra.py").write_text("raise ModuleNotFoundError(\"No module named 'hydra'\", name='hydra')")
    run = echo_rt("train", "data.root=x", PYTHONPATH=str(tmp_path))
    assert run.returncode == 2
    assert "pip install 'echo-rt[train]'" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
