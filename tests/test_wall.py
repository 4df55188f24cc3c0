from __future__ import annotations

import csv
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from echo_rt.cardiac.monitor import Monitor
from echo_rt.frame import Frame
from echo_rt.model import ModelInput, ModelSpec
from echo_rt.outputs import RecordingFiles
from echo_rt.outputs.overlay import draw
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.reading import SEGMENTS, Reading
from echo_rt.segmentation import Segmentation
from support.hearts import volume_at
from support.results import provenance, result_of
from support.shapes import segmentation_of
from support.walls import RADIUS, SPEC, beat_of, drawn, flagged, frozen, measured

IMAGE = np.zeros((240, 240), np.uint8)  # tells nothing: no frame of it is frozen


def beating(
    inwards: np.ndarray, seconds: float = 3.5, fps: float = 25.0, **options
) -> list[tuple[float, Segmentation]]:
    """One beat a second, `inwards` at end-systole."""
    times = np.arange(0, seconds, 1 / fps)
    systole = (120 - volume_at(times, ef=50.0)) / 60
    return [(float(t), drawn(inwards * part, **options)) for t, part in zip(times, systole, strict=True)]


def readings(clip: list[tuple[float, Segmentation]], monitor: Monitor | None = None, spacing_mm=None) -> list[Reading]:
    monitor = monitor or Monitor(SPEC)
    return [monitor.update(s, Frame(IMAGE, t, i, spacing_mm)) for i, (t, s) in enumerate(clip)]


@pytest.fixture(scope="module")
def clip() -> list[tuple[float, Segmentation]]:
    return beating(frozen("mid_septal"))


@pytest.mark.parametrize("segment", SEGMENTS)
def test_a_segment_that_stands_still_is_flagged_in_every_beat_and_no_other(segment: str) -> None:
    found = [r.wall_beat for r in readings(beating(frozen(segment))) if r.beat is not None]
    assert len(found) >= 2
    for beat in found:
        assert flagged(beat) == {segment}


def test_neighbours_and_opposite_walls_may_stand_still_together() -> None:
    for pair in ({"apical_septal", "apical_lateral"}, {"basal_septal", "mid_septal"}, {"mid_septal", "mid_lateral"}):
        beat = beat_of(measured(drawn()), measured(drawn(frozen(*pair))))
        assert flagged(beat) == pair


def test_the_septum_is_on_the_left_unless_the_display_is_mirrored() -> None:
    part = frozen("basal_septal")
    mirrored = [measured(drawn(inwards, mirror=True), mirrored=True) for inwards in (0.0, part)]
    assert flagged(beat_of(*mirrored)) == {"basal_septal"}
    untold = [measured(drawn(inwards, mirror=True)) for inwards in (0.0, part)]
    assert flagged(beat_of(*untold)) == {"basal_lateral"}


def test_the_monitor_takes_the_mirrored_display_as_an_option() -> None:
    clip = beating(frozen("apical_lateral"), mirror=True)
    assert flagged(readings(clip, Monitor(SPEC, mirrored=True))[-1].wall_beat) == {"apical_lateral"}
    assert flagged(readings(clip)[-1].wall_beat) == {"apical_septal"}


def test_displacement_counts_from_the_last_end_diastole_in_the_unit_of_the_picture(clip) -> None:
    found = readings(clip)
    ed, es = (next(r for r in found if r.t_s >= t) for t in (2.0, 2.35))
    assert ed.wall is not None
    assert es.wall is not None
    assert es.wall.scale.length == "px"
    assert np.abs(ed.wall.displacement).max() < 1.0
    # The middle of the lateral wall, 40 sqrt(1 - 1/4) from the axis, comes in by 35 %.
    assert es.wall.displacement[SEGMENTS.index("mid_lateral")] == pytest.approx(0.35 * RADIUS * np.sqrt(0.75), rel=0.08)
    assert es.wall.displacement[SEGMENTS.index("mid_septal")] == pytest.approx(0, abs=1.5)
    scaled = readings(clip, spacing_mm=(0.5, 0.5))[es.index].wall
    assert scaled is not None
    assert scaled.scale.length == "mm"
    np.testing.assert_allclose(scaled.displacement, es.wall.displacement / 2, atol=1e-6)
    np.testing.assert_allclose(scaled.thickness, es.wall.thickness / 2, atol=1e-6)


def test_each_point_of_the_contour_has_its_segment_in_the_order_of_the_contour(clip) -> None:
    reading = readings(clip[:1])[0]
    assert reading.wall is not None
    assert reading.ventricle is not None
    assert len(reading.wall.segment) == len(reading.ventricle.contour)
    assert set(reading.wall.segment.tolist()) == set(range(6))
    assert (np.diff(reading.wall.segment) >= 0).all(), "this contour begins at the septal hinge"
    heights = [reading.ventricle.contour[reading.wall.segment == n, 1].mean() for n in range(3)]
    assert heights == sorted(heights, reverse=True)


def test_the_beat_of_the_wall_is_known_with_the_beat_and_stays_until_the_next_one(clip) -> None:
    found = readings(clip)
    completed = [r.index for r in found if r.beat is not None]
    assert found[completed[0] - 1].wall_beat is None
    assert found[completed[0]].wall_beat is not None
    assert all(r.wall_beat is found[completed[0]].wall_beat for r in found[completed[0] : completed[1]])
    assert found[completed[1]].wall_beat is not found[completed[0]].wall_beat


def test_what_is_said_depends_on_the_frames_before_alone_and_starts_afresh_after_a_reset(clip) -> None:
    monitor = Monitor(SPEC)
    full, part = readings(clip, monitor), readings(clip[:60])
    monitor.reset()
    again = readings(clip, monitor)
    for other in (part, again):
        for one, two in zip(full, other, strict=False):
            assert one.wall is not None
            assert two.wall is not None
            np.testing.assert_array_equal(one.wall.displacement, two.wall.displacement)
            assert (one.wall_beat is None) == (two.wall_beat is None)


def test_frames_that_cannot_be_used_have_no_wall_and_do_no_harm(clip) -> None:
    empty = segmentation_of(np.zeros((240, 240), np.uint8))
    spoilt = [(t, empty if i % 7 == 3 else s) for i, (t, s) in enumerate(clip)]
    found = readings(spoilt)
    assert found[3].wall is None
    assert flagged(found[-1].wall_beat) == {"mid_septal"}
    assert all(r.wall is None and r.wall_beat is None for r in readings([(i / 25, empty) for i in range(50)]))


def test_a_segment_without_a_wall_has_no_thickness_and_the_others_keep_theirs() -> None:
    whole = drawn()
    labels = whole.labels.copy()
    labels[:, :75][labels[:, :75] == 2] = (
        0  # the septal side; a rest of the wall keeps the ventricle open at the base alone
    )
    labels[155 - 40 :, :120][labels[155 - 40 :, :120] == 2] = 0
    before, after = measured(whole), measured(segmentation_of(labels))
    assert np.isnan(after[1, SEGMENTS.index("basal_septal")])
    assert after[1, 3:] == pytest.approx(before[1, 3:], rel=0.02)
    assert np.isfinite(after[0]).all()


@pytest.mark.parametrize(("segment", "mirror"), [("mid_lateral", False), ("basal_septal", True)])
def test_the_phantoms_akinetic_segment_is_found_from_its_own_masks(segment: str, mirror: bool) -> None:
    phantom = Phantom(
        PhantomOptions.of(ef=50, fps=25, seconds=4, seed=4, akinetic=(segment,), mirror=mirror, height=240, width=320)
    )
    clip = [(k / 25, segmentation_of(phantom.mask(k))) for k in range(phantom.frames or 0)]
    monitor = Monitor(ModelSpec("the phantom's own masks", "1", ModelInput(320, 240, 0.0, 1.0)), mirrored=mirror)
    assert flagged(readings(clip, monitor, phantom.spacing_mm)[-1].wall_beat) == {segment}


def test_the_outputs_name_the_segment_that_stands_still(clip, tmp_path) -> None:
    found = readings(clip)
    frames = [(Frame(IMAGE, reading.t_s, reading.index, None), reading) for reading in found]
    with RecordingFiles(tmp_path, "clip", leave_out=("overlay.mp4", "masks.npz")) as files:
        result_of(frames, source=provenance(view=None), files=files)
    said = json.loads((tmp_path / "clip" / "summary.json").read_text())
    assert list(said["wall"]) == list(SEGMENTS)
    assert [name for name, wall in said["wall"].items() if wall["akinetic"]] == ["mid_septal"]
    assert said["wall"]["mid_lateral"]["motion_percent"] == pytest.approx(35, abs=3)
    assert {(wall["unit"], wall["beats"]) for wall in said["wall"].values()} == {
        ("px", sum(r.beat is not None for r in found))
    }
    assert "uncalibrated" in said["wall_note"]
    with (tmp_path / "clip" / "readings.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row, reading in zip(rows, found, strict=True):
        assert reading.wall is not None
        assert float(row["displacement_apical_lateral_px"]) == pytest.approx(
            reading.wall.displacement[3], rel=1e-4, abs=1e-9
        )
    picture = cv2.imread(str(tmp_path / "clip" / "curve.png"))
    assert picture is not None
    assert picture.shape[0] >= 900, "there is room for the wall"
    assert picture.shape[1] == 1200


def test_a_recording_without_an_accepted_beat_says_nothing_of_its_wall(clip) -> None:
    found = readings(clip[:20])
    said = result_of([(Frame(IMAGE, reading.t_s, reading.index, None), reading) for reading in found])
    assert said.wall.segments == ()
    assert "no beat" in str(said.wall.note)


def test_the_overlay_colours_the_still_segment_and_writes_beyond_the_wall_alone(clip) -> None:
    reading = readings(clip)[-1]
    frame = Frame(IMAGE, reading.t_s, reading.index, None)
    assert reading.ventricle is not None
    assert reading.wall is not None
    shown, plain = draw(frame, reading).astype(int), draw(frame, replace(reading, wall_beat=None)).astype(int)
    changed = np.abs(shown - plain).max(axis=2) > 40
    factor = draw(frame, reading).shape[0] / 240

    def at(n: int) -> tuple[int, int]:
        points = reading.ventricle.contour[reading.wall.segment == n]  # type: ignore[union-attr]
        x, y = points[len(points) // 2] * factor
        return round(y), round(x)

    assert changed[at(SEGMENTS.index("mid_septal"))]
    assert not changed[at(SEGMENTS.index("mid_lateral"))]
    inside = (
        cv2.resize(np.isin(reading.segmentation.labels, (1, 2)).astype(np.uint8), (shown.shape[0], shown.shape[0])) > 0
    )
    contour = np.zeros(inside.shape, np.uint8)
    cv2.polylines(contour, [np.round(reading.ventricle.contour * factor).astype(np.int32)], False, 1, 16)
    assert changed[: inside.shape[0], : inside.shape[1]][~inside].any(), "the name"
    assert not (changed[: inside.shape[0], : inside.shape[1]] & inside & (contour == 0)).any()
