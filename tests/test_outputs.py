from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from echo_rt.errors import OutputError, ParameterError
from echo_rt.outputs import RecordingFiles, as_json
from echo_rt.outputs.folder import CURVE, MASKS, OVERLAY
from echo_rt.outputs.masks import joined_crc32
from echo_rt.outputs.overlay import draw, enlargement
from echo_rt.result import ClipFigures
from support.results import result_of
from support.synthetic import clip

FILES = {"summary.json", "readings.csv", "masks.npz", "overlay.mp4", "curve.png"}


def save(
    out: Path,
    frames: list,
    name: str = "clip",
    clip: ClipFigures | None = None,
    leave_out: Collection[str] = (),
) -> Path:
    with RecordingFiles(out, name, leave_out=leave_out) as files:
        result_of(frames, clip, files=files)
    return out / name


@pytest.fixture(scope="module")
def frames() -> list:
    return list(clip(75, rejected=frozenset({1}), bad=range(10, 16)))


@pytest.fixture(scope="module")
def folder(frames: list, tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("out"), frames)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "readings.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_recording_leaves_its_five_files_and_nothing_else(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["clip"]


def test_the_table_has_a_row_a_frame_with_what_was_measured(folder: Path, frames: list) -> None:
    table = rows(folder)
    assert len(table) == len(frames)
    for row, (frame, reading) in zip(table, frames, strict=True):
        assert int(row["frame"]) == frame.index
        assert float(row["t_s"]) == pytest.approx(frame.t_s, abs=1e-6)
        assert row["quality"] == (reading.quality.reason or "ok")
        if reading.ventricle is None:
            assert row["volume_ml"] == ""
        else:
            assert float(row["volume_ml"]) == pytest.approx(reading.ventricle.volume, rel=1e-5)
            assert float(row["apex_x_px"]) == pytest.approx(reading.ventricle.apex[0], rel=1e-5)
    assert {row["beat"] for row in table} == {"", "accepted", "too few good frames"}


def test_the_columns_of_times_come_last(folder: Path) -> None:
    names = list(rows(folder)[0])
    timed = [name.startswith("time_") for name in names]
    assert any(timed)
    assert timed == sorted(timed)


def test_units_stand_in_the_names_of_the_columns(tmp_path: Path) -> None:
    names = list(rows(save(tmp_path, list(clip(5, spacing_mm=None)), leave_out=(OVERLAY, CURVE)))[0])
    assert "volume_px3" in names
    assert "volume_ml" not in names


def test_the_masks_load_with_numpy_and_are_those_of_the_readings(folder: Path, frames: list) -> None:
    with np.load(folder / "masks.npz") as masks:
        assert masks["labels"].dtype == np.uint8
        assert masks["labels"].shape == (75, 120, 160)
        for k in (0, 11, 40, 74):
            np.testing.assert_array_equal(masks["labels"][k], frames[k][1].segmentation.mask())
        np.testing.assert_allclose(masks["t_s"], [frame.t_s for frame, _ in frames])
        assert masks["frame"].tolist() == list(range(75))


def test_the_overlay_plays_in_a_browser_at_the_times_of_the_frames(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, 30))
    path = save(tmp_path, list(clip(30, times=times))) / "overlay.mp4"
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        found = [float(frame.time) for frame in video.decode(video=0)]
    np.testing.assert_allclose(np.diff(found), np.diff(times), atol=2e-4)
    head = path.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat"), "a browser starts to play before it has all of it"


def test_the_overlay_shows_the_contour_where_it_is_and_hides_no_anatomy(frames: list) -> None:
    frame, reading = frames[5]
    picture = draw(frame, reading)
    assert picture.dtype == np.uint8
    assert picture.shape[1] > picture.shape[0] >= 2 * frame.image.shape[0], "small images are enlarged"
    scale = picture.shape[0] / frame.image.shape[0]
    plain = draw(frame, replace(reading, ventricle=None))
    assert reading.ventricle is not None
    x, y = (reading.ventricle.contour[20] + 0.5) * scale - 0.5
    around = (slice(int(y) - 3, int(y) + 4), slice(int(x) - 3, int(x) + 4))
    assert np.abs(picture[around].astype(int) - plain[around]).max() > 60
    far = (slice(0, 20), slice(0, 20))
    np.testing.assert_array_equal(picture[far], plain[far])


def test_the_curve_is_a_picture_for_a_paper(folder: Path) -> None:
    picture = cv2.imread(str(folder / "curve.png"))
    assert picture is not None
    assert picture.shape[1] >= 1000
    assert 0.005 < (picture < 128).any(axis=2).mean() < 0.3, "neither empty nor crowded"


def test_the_summary_has_the_keys_of_the_design_and_no_nan(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    expected = """recording model engine frames fps spacing_mm view ef_percent ef_low ef_high ef_method fac_percent
        edv esv volume_unit heart_rate_bpm beats rejected latency_ms version""".split()
    assert set(expected) <= set(summary)
    assert summary["frames"] == 75
    assert summary["fps"] == pytest.approx(30, abs=0.01)
    assert summary["heart_rate_bpm"] == pytest.approx(75, abs=0.1)
    assert summary["rejected"] == {"too few good frames": 1}
    assert sum(summary["rejected_frames"].values()) == 6
    accepted = [beat["ef_percent"] for beat in summary["beats"] if beat["accepted"]]
    assert summary["ef_percent"] == pytest.approx(np.median(accepted), abs=0.06)
    latency = summary["latency_ms"]
    assert latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"]
    assert "NaN" not in as_json(summary)


def test_two_runs_write_the_same_bytes_but_for_the_times(frames: list, folder: Path, tmp_path: Path) -> None:
    again = save(
        tmp_path,
        [(frame, replace(reading, time_ms={"network": 1.0})) for frame, reading in frames],
        leave_out=(OVERLAY,),
    )
    one, two = (
        [{k: v for k, v in row.items() if not k.startswith("time_")} for row in rows(f)] for f in (folder, again)
    )
    assert one == two
    assert (folder / "masks.npz").read_bytes() == (again / "masks.npz").read_bytes()


def test_a_failure_midway_leaves_nothing(frames: list, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="source died"), RecordingFiles(tmp_path, "clip") as outputs:
        for frame, reading in frames[:20]:
            outputs.write(frame, reading)
        raise RuntimeError("source died")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_rerun_leaves_the_earlier_result_as_it_was(frames: list, tmp_path: Path) -> None:
    folder = save(tmp_path, frames[:10])
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(RuntimeError), RecordingFiles(tmp_path, "clip") as outputs:
        outputs.write(*frames[0])
        raise RuntimeError
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_rerun_replaces_its_own_files_and_keeps_the_users(frames: list, tmp_path: Path) -> None:
    folder = save(tmp_path, frames[:10])
    (folder / "notes.txt").write_text("mine")
    save(tmp_path, frames[:20], leave_out=(OVERLAY,))
    assert {path.name for path in folder.iterdir()} == (FILES - {"overlay.mp4"}) | {"notes.txt"}
    assert len(rows(folder)) == 20


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from support.results import result_of
from support.synthetic import clip
from echo_rt.outputs import RecordingFiles
with RecordingFiles(sys.argv[1], "clip") as outputs:
    for number, (frame, reading) in enumerate(clip(100000)):
        outputs.write(frame, reading)
        if number == 30:
            print("writing", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system cannot kill a process outright")
def test_a_kill_leaves_nothing_and_the_next_run_cleans_up(frames: list, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "writing"
        process.kill()
    assert not (tmp_path / "clip").exists()
    save(tmp_path, frames[:10])
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


def test_two_runs_do_not_write_the_same_results_at_once(frames: list, tmp_path: Path) -> None:
    with RecordingFiles(tmp_path, "clip") as outputs:
        outputs.write(*frames[0])
        with pytest.raises(OutputError, match="another echo-rt"), RecordingFiles(tmp_path, "clip"):
            pass


def test_a_full_disk_is_one_line_and_leaves_nothing(frames: list, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="free some space") as caught:
        save(tmp_path, frames[:5])
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_under_the_table_is_said_so() -> None:
    from echo_rt.outputs.table import TableOutput

    with pytest.raises(OutputError, match="free some space"), TableOutput("/dev/full") as output:
        for frame, reading in clip(500):
            output.write(frame, reading)


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_name_that_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="without slashes"), RecordingFiles(tmp_path, name):
        pass


def test_frames_of_another_size_in_between_are_refused(frames: list, tmp_path: Path) -> None:
    (other,) = clip(1, image=(60, 80))
    with (
        pytest.raises(OutputError, match="one size"),
        RecordingFiles(tmp_path, "clip", leave_out=(OVERLAY,)) as outputs,
    ):
        outputs.write(*frames[0])
        outputs.write(*other)


def test_a_clip_of_hundreds_of_beats_is_drawn_without_clutter_and_in_reasonable_work(tmp_path: Path) -> None:
    many = list(clip(600, fps=5, heart_rate_bpm=60))
    start = time.process_time()
    picture = cv2.imread(str(save(tmp_path, many, leave_out=(OVERLAY, MASKS)) / "curve.png"))
    assert picture is not None
    assert (picture < 128).any(axis=2).mean() < 0.35
    assert time.process_time() - start < 60


def test_the_overlay_dims_a_stale_figure_and_says_since_when() -> None:
    *_, (frame, reading) = clip(60)
    figure = replace(reading.ef, percent=55.0, low=50.0, high=60.0, beats=3)
    old = replace(figure, stale=True, reason="stale: no good beat for 6 s")
    fresh, stale = (draw(frame, replace(reading, ef=ef)) for ef in (figure, old))
    changed = np.argwhere((fresh != stale).any(axis=2))
    panel = frame.image.shape[1] * enlargement(frame.image.shape[:2])
    assert changed[:, 1].min() >= panel
    assert fresh[tuple(changed.T)].min(axis=1).max() > stale[tuple(changed.T)].min(axis=1).max() + 60


def test_the_table_says_in_which_frames_the_figure_was_stale(tmp_path: Path) -> None:
    frames = [(f, replace(r, ef=replace(r.ef, stale=n >= 55)) if n >= 55 else r) for n, (f, r) in enumerate(clip(60))]
    table = rows(save(tmp_path, frames, leave_out=(OVERLAY,)))
    assert [row["ef_stale"] for row in table] == ["0"] * 55 + ["1"] * 5


@pytest.mark.parametrize("length", [0, 1, 7, 1000, 99_999])
def test_the_checksum_of_two_texts_is_that_of_both_as_one(length: int) -> None:
    rng = np.random.default_rng(length)
    one, other = rng.bytes(123), rng.bytes(length)
    assert joined_crc32(zlib.crc32(one), zlib.crc32(other), length) == zlib.crc32(one + other)


def test_the_masks_are_a_zip_that_others_read_too(folder: Path) -> None:
    with zipfile.ZipFile(folder / "masks.npz") as archive:
        assert archive.testzip() is None, "checksums and lengths are right"
        assert archive.namelist() == ["labels.npy", "t_s.npy", "frame.npy"]
        assert archive.getinfo("labels.npy").file_size == 75 * 120 * 160 + 128
        assert archive.getinfo("labels.npy").compress_size < 75 * 120 * 160 / 20
