"""Longer recordings, made by repeating pydicom's cine, which ends about where it begins: one beat a second."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import echo_rt
from support.clips import write_video
from support.toy import toy_model


@pytest.fixture(scope="module")
def images(cine: Path) -> np.ndarray:
    with echo_rt.open_source(cine) as source:
        return np.stack([frame.image for frame in source])


@pytest.fixture(scope="module")
def ten_beats(images: np.ndarray, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "ten_beats.avi"
    return write_video(
        path, np.concatenate([images] * 10), fps=30, codec="mjpeg", pix_fmt="yuvj420p", options={"qscale": "2"}
    )


def test_a_longer_clip_gives_beats_rate_and_rolling_ejection_fraction(ten_beats: Path) -> None:
    readings = list(echo_rt.stream(ten_beats))
    beats = [reading.beat for reading in readings if reading.beat is not None]
    last = readings[-1]
    assert len(beats) == pytest.approx(9, abs=1)
    assert all(beat.accepted for beat in beats)
    assert last.heart_rate_bpm == pytest.approx(60, abs=1)
    assert all(beat.heart_rate_bpm == pytest.approx(60, abs=0.1) for beat in beats)
    assert last.ef.beats == 5
    assert last.ef.percent is not None
    assert last.ef.low is not None
    assert last.ef.high is not None
    assert last.ef.low <= last.ef.percent <= last.ef.high
    # Every beat is the same pictures, so that all their figures agree.
    assert np.ptp([beat.ef_percent for beat in beats]) < 0.1
    first = next(reading for reading in readings if reading.ef.percent is not None)
    assert first.t_s < 3.0, "known before the third beat is over"


def test_other_frame_rates_of_the_same_pictures_give_the_same_fraction_and_their_own_rate(
    images: np.ndarray, tmp_path: Path
) -> None:
    fractions = []
    for fps in (24, 60):
        clip = write_video(
            tmp_path / f"{fps}.avi", np.concatenate([images] * 8), fps=fps, codec="mjpeg", pix_fmt="yuvj420p"
        )
        last = list(echo_rt.stream(clip))[-1]
        assert last.heart_rate_bpm == pytest.approx(60 * fps / 30, rel=0.03)
        fractions.append(last.ef.percent)
    assert fractions[0] == pytest.approx(fractions[1], abs=4)


def test_a_mirrored_clip_gives_about_the_same_fraction(images: np.ndarray, ten_beats: Path, tmp_path: Path) -> None:
    mirrored = np.ascontiguousarray(np.concatenate([images] * 6)[:, :, ::-1])
    clip = write_video(
        tmp_path / "mirrored.avi", mirrored, fps=30, codec="mjpeg", pix_fmt="yuvj420p", options={"qscale": "2"}
    )
    plain, other = list(echo_rt.stream(ten_beats))[-1].ef.percent, list(echo_rt.stream(clip))[-1].ef.percent
    assert plain is not None
    # Of the data set's patients it is one point in the mean; this is another scanner, and one clip.
    assert other == pytest.approx(plain, abs=2)


MEASURE = """
import json, re, sys
from echo_rt import open_engine, process
with open_engine(sys.argv[1]) as engine:
    result = process(sys.argv[2], engine, out=sys.argv[3])
# Not getrusage: its peak is inherited from the process that started this one.
peak_kib = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(json.dumps([result.frames.total, peak_kib / 1024]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux's /proc")
def test_memory_does_not_grow_with_the_length_of_the_recording(images: np.ndarray, tmp_path: Path) -> None:
    model = toy_model(tmp_path / "toy.onnx")
    small = np.ascontiguousarray(images[:, ::2, ::2])
    peaks = []
    for loops in (2, 60):
        clip = write_video(
            tmp_path / f"{loops}.avi", np.concatenate([small] * loops), fps=30, codec="mjpeg", pix_fmt="yuvj420p"
        )
        command = [sys.executable, "-c", MEASURE, str(model), str(clip), str(tmp_path / "out")]
        frames, peak_mib = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert frames == 30 * loops
        peaks.append(peak_mib)
    # 1740 frames more: 33 MiB of labels alone, and 33 MiB for each image kept. What remains is a few numbers a frame.
    assert peaks[1] - peaks[0] < 15
