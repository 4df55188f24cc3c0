"""Where the outputs meet the system's limits, and the edges of what they are given; test_outputs.py has their daily
work."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from echo_rt.errors import OutputError
from echo_rt.frame import Frame
from echo_rt.outputs import RecordingFiles
from echo_rt.outputs.curve import CurveOutput
from echo_rt.outputs.curve_figure import bad_runs
from echo_rt.outputs.masks import MaskOutput
from echo_rt.outputs.overlay import draw, enlargement
from echo_rt.outputs.palette import AMBER, ENDOCARDIUM
from echo_rt.outputs.table import TableOutput
from echo_rt.outputs.video import OverlayOutput
from echo_rt.reading import Quality, Reading, Reason
from echo_rt.result import ClipFigures
from support.results import result_of
from support.synthetic import clip


@pytest.fixture(scope="module")
def frames() -> list[tuple[Frame, Reading]]:
    return list(clip(60))


def run(program: str, *arguments: str) -> str:
    """In a process of its own, so that limits and peaks are of nothing else."""
    command = [sys.executable, "-c", program, str(Path(__file__).parent), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


FULL = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from support.results import result_of
from support.synthetic import clip
from echo_rt.errors import OutputError
from echo_rt.outputs.curve import CurveOutput
from echo_rt.outputs.masks import MaskOutput
from echo_rt.outputs.table import TableOutput
from echo_rt.outputs.video import OverlayOutput
frames = list(clip(120))
def fill_the_disk():
    # From here on no file can grow beyond 4 kB: what a full disk does, at another number.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    kinds = {"table": TableOutput, "masks": MaskOutput, "overlay": OverlayOutput, "curve": CurveOutput}
    with kinds[sys.argv[2]](sys.argv[3]) as output:
        if sys.argv[4] == "at the start":
            fill_the_disk()
        for frame, reading in frames:
            output.write(frame, reading)
        fill_the_disk()
        output.finish(result_of(frames))
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file size there")
@pytest.mark.parametrize("when", ["at the start", "at the end"])
@pytest.mark.parametrize("kind", ["table", "masks", "overlay", "curve"])
def test_a_disk_that_fills_up_under_any_file_is_one_line_that_says_what_to_do(
    kind: str, when: str, tmp_path: Path
) -> None:
    said = run(FULL, kind, str(tmp_path / f"{kind}.mp4"), when)
    assert said.count("\n") == 1, said
    assert kind in said
    assert "free some space" in said


LONG = """
import resource, sys
sys.path[:0] = [sys.argv[1]]
from support.synthetic import clip, later
from echo_rt.outputs import RecordingFiles
from echo_rt.cardiac.recording import RecordingHistory
few = list(clip(30, image=(240, 320)))
history = RecordingHistory()
with RecordingFiles(sys.argv[2], "clip") as files:
    for number, (frame, reading) in enumerate(later(few, 900)):
        history.update(frame, reading)
        files.write(frame, reading)
        if number == 200:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) / 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts memory in Linux's units")
def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    # The labels of 700 frames are 54 MB, their pictures 870 MB.
    assert float(run(LONG, str(tmp_path))) < 12


def test_the_import_is_lean() -> None:
    program = "import sys, echo_rt.outputs; print(sorted({'av', 'matplotlib', 'cv2', 'PIL'} & set(sys.modules)))"
    assert run(program).strip() == "[]"


def test_a_pyav_without_x264_is_said_before_any_work_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", {"h264_other", "vp9"})
    with pytest.raises(OutputError, match="h264_other") as caught, RecordingFiles(tmp_path, "clip"):
        pass
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_grey_speckle_stays_grey_in_the_film(frames: list[tuple[Frame, Reading]], tmp_path: Path) -> None:
    frame, reading = next(iter(clip(1, colour=False)))
    with OverlayOutput(tmp_path / "overlay.mp4") as output:
        output.write(frame, reading)
        output.finish(result_of())
    with av.open(str(tmp_path / "overlay.mp4")) as film:
        (shown,) = film.decode(video=0)
    luma, chroma = np.split(shown.to_ndarray(format="yuv420p"), [shown.height])
    assert luma[:40, :40].max() > 40, "there is speckle"
    for plane in np.split(chroma.reshape(-1), 2):
        half = plane.reshape(shown.height // 2, shown.width // 2)
        # The image's corner, far from any drawing, and the panel's empty margin: on that flat grey the encoder keeps
        # the last bit.
        for grey in (half[:20, :40], half[:, 322:326]):
            assert (grey.min(), grey.max()) == (128, 128), "neither green nor red"


def test_frames_closer_than_the_films_clock_still_follow_each_other(tmp_path: Path) -> None:
    times = np.array([0.0, 1e-6, 2e-6, 0.5])
    with OverlayOutput(tmp_path / "overlay.mp4") as output:
        for frame, reading in clip(4, times=times):
            output.write(frame, reading)
        output.finish(result_of())
    with av.open(str(tmp_path / "overlay.mp4")) as film:
        found = [shown.time for shown in film.decode(video=0)]
    assert len(found) == 4
    assert found == sorted(set(found))
    assert found[-1] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("image", [(101, 133), (112, 112), (480, 640), (600, 90), (60, 900)])
@pytest.mark.parametrize("colour", [True, False])
def test_any_image_gives_a_picture_of_even_sides_in_which_it_stands_whole(image: tuple[int, int], colour: bool) -> None:
    frame, reading = next(iter(clip(1, image=image, colour=colour)))
    before = frame.image.copy()
    picture = draw(frame, reading)
    factor = enlargement(image)
    assert picture.dtype == np.uint8
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    assert picture.shape[0] >= round(image[0] * factor)
    assert picture.shape[1] >= round(image[1] * factor) + 200, "the panel stands beside the image, not on it"
    assert min(image[1] * factor, 640) == 640 or image[0] * factor == pytest.approx(960)
    np.testing.assert_array_equal(frame.image, before)


def test_the_contour_is_drawn_at_fractions_of_a_pixel(frames: list[tuple[Frame, Reading]]) -> None:
    frame, reading = frames[3]
    # A straight line on black, without the wall's tint: along a curve the errors of whole pixels would cancel out.
    frame = replace(frame, image=np.zeros_like(frame.image))
    reading = replace(
        reading, segmentation=replace(reading.segmentation, labels=np.zeros_like(reading.segmentation.labels))
    )
    lv = reading.ventricle
    assert lv is not None

    def column(x: float) -> float:
        upright = replace(reading, ventricle=replace(lv, contour=np.array([[x, 20.0], [x, 70.0]])))
        ink = draw(frame, upright)[160:200, 80:160].astype(float).sum(axis=(0, 2))
        ink -= ink.min()
        return 80 + float((ink * np.arange(80)).sum() / ink.sum())

    assert enlargement(frame.image.shape[:2]) == 4
    for x in (30.0, 30.05, 30.125, 30.2, 30.375):
        assert column(x) == pytest.approx(4 * (x + 0.5) - 0.5, abs=0.1), "pixel centres stay pixel centres"


def test_a_frame_that_is_not_used_has_its_contour_in_the_colour_of_warnings(
    frames: list[tuple[Frame, Reading]],
) -> None:
    frame, reading = frames[3]
    refused = replace(reading, quality=Quality(False, Reason.FORESHORTENED, 0.7))

    def there(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
        image = picture[:, : round(frame.image.shape[1] * 4)].astype(int)
        return int((np.abs(image - colour).max(axis=2) < 12).sum())

    assert there(draw(frame, reading), ENDOCARDIUM) > 200 > there(draw(frame, reading), AMBER)
    assert there(draw(frame, refused), AMBER) > 200 > there(draw(frame, refused), ENDOCARDIUM)


def test_runs_of_bad_frames_reach_half_way_to_their_good_neighbours() -> None:
    t_s = np.array([0.0, 1.0, 2.0, 4.0, 5.0, 6.0])
    ok = np.array([False, True, False, False, True, False])
    assert bad_runs(t_s, ok) == [(0.0, 0.5), (1.5, 3.0), (5.5, 0.5)]
    assert bad_runs(t_s, ~np.zeros(6, bool)) == []
    assert bad_runs(t_s[:1], ok[:1]) == []


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_recording_without_a_single_good_frame_still_gets_whole_files(count: int, tmp_path: Path) -> None:
    nothing = {"ventricle": None, "quality": Quality(False, Reason.NO_VENTRICLE, 0.0)}
    frames = [(frame, replace(reading, **nothing)) for frame, reading in clip(count, bad=range(5))]
    with RecordingFiles(tmp_path, "clip") as files:
        result_of(frames, ClipFigures(reason="too few good frames"), files=files)
    found = json.loads((tmp_path / "clip" / "summary.json").read_text())
    what = f"; {count} of {count} frames: no ventricle" if count else ""
    assert (found["frames"], found["ef_percent"], found["ef_reason"]) == (count, None, f"too few good frames{what}")
    with np.load(tmp_path / "clip" / "masks.npz") as masks:
        assert len(masks["labels"]) == len(masks["t_s"]) == count
    assert cv2.imread(str(tmp_path / "clip" / "curve.png")).shape == (700, 1200, 3)


@pytest.mark.parametrize("output", [TableOutput, MaskOutput, OverlayOutput, CurveOutput])
def test_an_output_can_be_finished_or_discarded_twice(
    output: type, frames: list[tuple[Frame, Reading]], tmp_path: Path
) -> None:
    whole = output(tmp_path / "whole.mp4")
    whole.write(*frames[0])
    whole.finish(result_of([frames[0]]))
    size = whole.path.stat().st_size
    whole.finish(result_of([frames[0]]))
    whole.discard()
    assert whole.path.stat().st_size == size > 0
    half = output(tmp_path / "half.mp4")
    half.write(*frames[0])
    half.discard()
    half.discard()
