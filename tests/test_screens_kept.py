"""What is kept of a screen: the ultrasound, and nothing of who lies under the probe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pydicom
import pytest

from echo_rt import process
from echo_rt.cardiac.monitor import Monitor
from echo_rt.following import follow
from echo_rt.frame import Frame
from echo_rt.framing import frame_recording, live_cut
from echo_rt.outputs.kept import as_kept
from echo_rt.outputs.recorder import Recorder
from echo_rt.provenance import ASKED, FOUND
from echo_rt.sources import find_recordings, open_source
from echo_rt.sources.screen.region import Crop, Keep, Region
from support.clips import write_video
from support.live_parts import StandInEngine
from support.screens import SIZE, Cine, frames, inside, screen, sector_in

PLACE = (180, 50, 320, 240)
NAME = slice(0, 20), slice(76, 170)
"""Where `screen` writes the name."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of a screen."""
    images = np.stack([screen(n, [PLACE], behind=0) for n in range(40)])
    return write_video(tmp_path_factory.mktemp("film") / "screen.mp4", images, options={"crf": "20"})


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]


def test_the_overlay_holds_the_ultrasound_alone_or_all_of_the_screen(film: Path, tmp_path: Path) -> None:
    engine = StandInEngine()
    for keep_screen in (False, True):
        result = process(film, engine, out=tmp_path / str(keep_screen), keep_screen=keep_screen)
        roi = result.provenance.roi
        assert roi is not None
        assert roi.found == FOUND
        shown = pictures(tmp_path / str(keep_screen) / "screen.mp4" / "overlay.mp4")[20]
        labels = np.load(tmp_path / str(keep_screen) / "screen.mp4" / "masks.npz")["labels"]
        assert labels.shape[1:] == (roi.height, roi.width), "masks and figures are those of the region either way"
        if keep_screen:
            assert shown[: SIZE[0], : SIZE[1]][NAME].max() > 150
            assert np.abs(shown[: SIZE[0], : SIZE[1]].mean(axis=2) - screen(20, [PLACE], behind=0)).mean() < 4
        else:
            factor = 640 / roi.width
            assert shown.shape[0] < SIZE[0] * factor
            # The corners of the region are those of no sector.
            assert shown[: round(40 * factor), : round(60 * factor)].max() < 16


def test_a_picture_that_the_ultrasound_fills_is_kept_without_its_texts(tmp_path: Path) -> None:
    left, top, width, height = PLACE
    images = []
    for n in range(40):
        image = screen(n, [PLACE], behind=0)[top : top + height, left : left + width].copy()
        cv2.putText(image, "NAME", (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
        images.append(image)
    clip = write_video(tmp_path / "clip.mp4", np.stack(images), options={"crf": "20"})
    process(clip, StandInEngine(), out=tmp_path / "out")
    shown = pictures(tmp_path / "out" / "clip.mp4" / "overlay.mp4")[20]
    enlarged = 640 / width
    assert shown[: round(20 * enlarged), : round(50 * enlarged)].max() < 16
    assert (
        shown[round(100 * enlarged) : round(140 * enlarged), round(150 * enlarged) : round(170 * enlarged)].max() > 30
    )
    process(clip, StandInEngine(), out=tmp_path / "all", keep_screen=True)
    assert pictures(tmp_path / "all" / "clip.mp4" / "overlay.mp4")[20][:50, :100].max() > 150


def test_a_reading_on_the_whole_screen_is_shifted_by_where_its_image_was() -> None:
    engine = StandInEngine()
    image = screen(0, [PLACE])
    frame = Crop(Region((100, 30, 200, 150)), keep=True)(Frame(image, 0.0, 0))
    ((_, reading),) = follow([frame], engine, Monitor(engine.spec))
    shown, shifted = as_kept(frame, reading)
    assert shown.image is image
    assert shifted.segmentation.map.image == SIZE
    there = reading.segmentation.map.to_image(np.array([[3.0, 5.0]]))
    assert shifted.segmentation.map.to_image(np.array([[3.0, 5.0]])) == pytest.approx(there + np.array([100, 30]))
    assert as_kept(Frame(image, 0.0, 0), reading)[1] is reading


def record(folder: Path, shown: list[Frame], about: str) -> list:
    engine = StandInEngine()
    recorder = Recorder(folder, {"model": "m", "roi": about})
    followed = list(follow(shown, engine, Monitor(engine.spec)))
    for frame, reading in followed:
        recorder.write(frame, reading, "given:", 1)
    recorder.close()
    return followed


@pytest.mark.parametrize("roi", ["auto", "170,40,350,260"])
@pytest.mark.parametrize("keep", Keep)
def test_a_live_recording_replays_to_the_same_frames_whatever_it_keeps(keep: Keep, roi: str, tmp_path: Path) -> None:
    source = Cine(frames([screen(n, [PLACE]) for n in range(40)]))
    cut = live_cut(roi, keep, lambda: source)()
    assert cut is not None
    followed = record(tmp_path, [cut(frame) for frame in source.shown], roi)
    (take,) = find_recordings([tmp_path])
    about = json.loads((Path(take) / "recording.json").read_text())
    assert ("cut" in about) == (keep is Keep.SCREEN)
    kept = pictures(Path(take) / "frames.mkv")[20]
    assert (kept.shape[:2] == SIZE) == (keep is Keep.SCREEN)
    again = open_source(take)
    framing = frame_recording(again, StandInEngine(), keep=keep)
    assert framing.roi is None or framing.roi.found == (FOUND if roi == "auto" else ASKED)
    with again:
        replayed = list(framing(again))
    assert len(replayed) == len(followed) == 40
    for (frame, _), other in zip(followed, replayed, strict=True):
        assert np.array_equal(frame.image, other.image)
        assert (frame.t_s, frame.index) == (other.t_s, other.index)


def test_a_live_feed_is_black_beside_the_sector_also_where_that_fills_the_picture() -> None:
    left, top, width, height = PLACE
    shown = frames([screen(n, [PLACE])[top : top + height, left : left + width].copy() for n in range(40)])
    for frame in shown:
        cv2.putText(frame.image, "NAME", (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1)
    for recording in (None, lambda: Cine(shown)):
        cut = live_cut("auto", Keep.ULTRASOUND, recording)()
        assert cut is not None
        seen = [cut(frame) for frame in shown]
        last = seen[-1]
        assert last is not None
        assert last.image.shape == (height, width)
        assert last.kept is None
        assert not last.image[:20, :50].any()
        assert np.array_equal(last.image[100:180, 150:170], shown[-1].image[100:180, 150:170])
        assert (seen[0] is None) == (recording is None), "a recording is looked at before it plays"


def test_a_still_recording_is_played_as_it_is() -> None:
    assert live_cut("auto", Keep.ULTRASOUND, lambda: Cine(frames([screen(0, [PLACE])] * 30)))() is None
    assert live_cut("none", Keep.ULTRASOUND, lambda: Cine([]))() is None


NAMES = {
    "PatientName": "Quillfeather^Zebediah", "PatientID": "PID-90210-QX", "PatientBirthDate": "19310217",
    "OtherPatientIDs": "OTHER-77-ZZ", "AccessionNumber": "ACC4455QX", "StudyID": "STQX9",
    "ReferringPhysicianName": "Ostrander^Wilhelmina", "InstitutionName": "Saint Brannock Infirmary",
    "OperatorsName": "Throckmorton^Isolde", "StudyDescription": "Zebediah follow-up", "StationName": "ROOMQX77",
    "PatientAddress": "9 Larkspur Mews", "PatientComments": "Quillfeather is frail", "DeviceSerialNumber": "SERQX123",
}  # fmt: skip


@pytest.mark.parametrize("broken", [False, True])
def test_names_and_numbers_of_a_dicom_file_appear_in_no_output(broken: bool, tmp_path: Path) -> None:
    from echo_rt.phantom import Phantom, PhantomOptions, write

    options = PhantomOptions.of(ef=50, fps=25, seconds=1.6, height=120, width=160, seed=3)
    path = tmp_path / "in" / "clip.dcm"
    path.parent.mkdir()
    write(Phantom(options), path, masks=False)
    data = pydicom.dcmread(path)
    for keyword, value in NAMES.items():
        setattr(data, keyword, value)
    if broken:
        data.NumberOfFrames = 3000
    uids = [str(data[keyword].value) for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")]
    data.save_as(path)
    command = [sys.executable, "-m", "echo_rt", "file", str(path), "--out", str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    said = (run.stdout + run.stderr).encode()
    written = [file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert broken or len(written) == 5
    secrets = [part for value in NAMES.values() for part in value.split("^")] + uids
    for secret in secrets:
        assert not [True for content in (said, *written) if secret.lower().encode() in content.lower()], secret


def test_inside_the_outline_nothing_of_the_ultrasound_is_lost() -> None:
    cine = Cine(frames([screen(n, [PLACE]) for n in range(40)]))
    cut = live_cut("auto", Keep.SCREEN, lambda: cine)()
    assert cut is not None
    frame = cut(cine.shown[0])
    assert frame is not None
    assert frame.kept is not None
    assert frame.kept.outline is not None
    assert (sector_in(PLACE) & ~inside(frame.kept.outline)).sum() < 0.03 * sector_in(PLACE).sum()
    assert not inside(frame.kept.outline)[NAME].any()


def test_a_region_that_is_misspelt_is_one_line_and_status_2(film: Path) -> None:
    command = [sys.executable, "-m", "echo_rt", "file", str(film), str(film), "--roi", "1,2,3"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.count("--roi: expected auto, none or x,y,width,height") == 1
    assert len(run.stderr.strip().splitlines()) == 1


def test_the_table_says_what_was_followed_and_the_summary_where_it_is(film: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "echo_rt", "file", str(film), "--out", str(tmp_path), "--no-overlay"]
    run = subprocess.run(command, capture_output=True, text=True)
    roi = json.loads((tmp_path / "screen" / "summary.json").read_text())["roi"]
    assert roi["found"] == FOUND
    words = f"followed the ultrasound at {roi['x']},{roi['y']} of {roi['width']}x{roi['height']}, {FOUND}"
    assert words in run.stdout
    left, top, width, height = PLACE
    assert roi["x"] + roi["width"] / 2 == pytest.approx(left + width / 2, abs=12)
    assert roi["y"] + roi["height"] / 2 == pytest.approx(top + height / 2, abs=12)
