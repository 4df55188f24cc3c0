"""EchoNet-Dynamic: tables and clips in its format, with tracings of ellipses whose area is known."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest

from echo_rt.errors import DataError
from echo_rt_train.data import open_data, read_all, read_clips
from echo_rt_train.data.echonet import cavity_outline
from support.clips import cut, write_video

SIDE = 112
Tracing = list[tuple[float, float, float, float]]


def trace(
    a: float,
    b: float,
    centre: tuple[float, float] = (55.3, 60.2),
    angle_deg: float = 0.0,
    chords: int = 20,
    flip: bool = False,
) -> Tracing:
    """An ellipse of half axes a (along the long axis) and b, traced as the data set has it: the axis, then chords from
    the apex."""
    turn = np.deg2rad(angle_deg)
    along, across = np.array([np.sin(turn), np.cos(turn)]), np.array([np.cos(turn), -np.sin(turn)])
    at = -1 + 2 * (np.arange(chords) + 0.5) / chords
    middle = np.array(centre) + a * at[:, None] * along
    half = b * np.sqrt(1 - at**2)[:, None] * across
    ends = [np.array(centre) - a * along, np.array(centre) + a * along]
    axis = np.concatenate(ends[::-1] if flip else ends)
    return [tuple(axis), *(tuple(row) for row in np.hstack([middle - half, middle + half]))]


def write_set(
    root: Path, tracings: dict[str, dict[int, Tracing]], splits: dict[str, str] | None = None, frames: int = 12
) -> Path:
    (root / "Videos").mkdir(parents=True)
    with (root / "FileList.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split"])
        for name in tracings:
            writer.writerow([name, 55.2, 40.1, 90.3, SIDE, SIDE, 50, frames, (splits or {}).get(name, "TRAIN")])
    with (root / "VolumeTracings.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["FileName", "X1", "Y1", "X2", "Y2", "Frame"])
        for name, traced in tracings.items():
            writer.writerows([f"{name}.avi", *row, frame] for frame, rows in traced.items() for row in rows)
    for name in tracings:
        # Each frame has a grey level of its own, so that a test can tell which one it was given.
        levels = np.arange(frames, dtype=np.uint8)[:, None, None] * 20
        write_video(
            root / "Videos" / f"{name}.avi", np.broadcast_to(levels, (frames, SIDE, SIDE)), 50, "mjpeg", "yuvj420p"
        )
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    # ES is traced first and stands first in the table: the area, not the order, says which is ED.
    tracings = {name: {3: trace(26, 11), 9: trace(32, 18)} for name in ("0XA", "0XB", "0XC")}
    return write_set(tmp_path / "e", tracings, {"0XB": "VAL", "0XC": "TEST"})


@pytest.mark.parametrize("angle", [0, 13.7, -31])
@pytest.mark.parametrize("flip", [False, True])
def test_the_tracing_of_an_ellipse_has_its_area(tmp_path: Path, angle: float, flip: bool) -> None:
    shape = {"centre": (55.3, 57.8), "angle_deg": angle, "flip": flip}
    root = write_set(tmp_path / "e", {"0XA": {2: trace(40, 22, **shape), 5: trace(30, 17, **shape)}})
    ed, es = sorted(open_data({"root": root}).samples("train"), key=lambda s: s.phase)
    assert ed.read()[1].sum() == pytest.approx(np.pi * 40 * 22, rel=0.01)
    assert es.read()[1].sum() == pytest.approx(np.pi * 30 * 17, rel=0.01)


def test_the_larger_tracing_is_ed_and_brings_its_own_frame(root: Path) -> None:
    samples = {s.phase: s for s in open_data({"root": root}).samples("train")}
    assert set(samples) == {"ED", "ES"}
    for phase, frame, area in (("ED", 9, np.pi * 32 * 18), ("ES", 3, np.pi * 26 * 11)):
        image, mask = samples[phase].read()
        assert image.shape == mask.shape == (SIDE, SIDE)
        assert image.mean() == pytest.approx(20 * frame, abs=3)
        assert mask.sum() == pytest.approx(area, rel=0.01)


def test_only_the_cavity_is_known(root: Path) -> None:
    data = open_data({"root": root})
    assert {s.known for s in data.samples("train")} == {(1,)}
    assert {c.known for c in data.clips("train")} == {(1,)}
    assert set(np.unique(data.samples("train")[0].read()[1])) == {0, 1}


def test_the_data_sets_own_split_decides(root: Path) -> None:
    data = open_data({"root": root})
    assert data.format == "echonet"
    assert [[s.patient for s in data.samples(split)] for split in ("train", "val", "test")] == [
        ["0XA"] * 2,
        ["0XB"] * 2,
        ["0XC"] * 2,
    ]


def test_clips_are_whole_with_masks_where_they_were_traced(root: Path) -> None:
    clip = open_data({"root": root}).clips("val")[0]
    whole = clip.read()
    assert whole.frames.shape == (12, SIDE, SIDE)
    np.testing.assert_array_equal(np.flatnonzero(whole.traced), [3, 9])
    assert whole.masks[9].sum() > whole.masks[3].sum() > 0
    assert not whole.masks[~whole.traced].any()
    np.testing.assert_allclose(whole.t_s, np.arange(12) / 50)
    part = clip.read(8, 3)
    np.testing.assert_array_equal(part.frames, whole.frames[8:11])
    np.testing.assert_array_equal(part.traced, [False, True, False])
    assert clip.read(4, 4).masks is None


def test_a_sample_can_be_sent_to_another_process(root: Path) -> None:
    sample = open_data({"root": root}).samples("train")[0]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(sample)).read()[1], sample.read()[1])


def test_what_is_wrong_is_named_and_the_rest_is_used(tmp_path: Path) -> None:
    good = {2: trace(30, 15), 6: trace(24, 11)}
    root = write_set(
        tmp_path / "e",
        {
            "GOOD": good,
            "OUT": {2: trace(30, 15, centre=(100, 60)), 6: trace(24, 11)},
            "LATE": {2: trace(30, 15), 60: trace(24, 11)},
            "SHORT": {2: trace(30, 15)[:3], 6: trace(24, 11)},
            "FLAT": {2: trace(30, 0.0), 6: trace(24, 11)},
            "NONE": {},
            "GONE": good,
            "CUT": good,
        },
    )
    (root / "Videos" / "GONE.avi").unlink()
    (root / "Videos" / "CUT.avi").write_bytes(b"RIFF")
    with (root / "VolumeTracings.csv").open("a") as stream:
        stream.write("STRANGER.avi,1,2,3,4,5\n")
    data = open_data({"root": root})
    assert data.report.counts == {
        "tracing out of the frame": 1,
        "tracing of no frame": 1,
        "incomplete tracing": 1,
        "empty mask": 1,
        "no tracing": 1,
        "missing file": 1,
        "unlisted clip": 1,
    }
    assert "OUT.avi frame 2: expected a tracing inside 112x112, found x 85 to 115, y 30 to 90" in str(data.report)
    read = [s.name for s, _ in read_all(data.samples("train"), data.report)]
    assert data.report.counts["unreadable video"] == 2
    assert sorted(Path(name).name for name in read) == sorted(
        [
            "GOOD.avi frame 2",
            "GOOD.avi frame 6",
            *(f"{n}.avi frame {f}" for n, f in (("OUT", 6), ("LATE", 2), ("SHORT", 6), ("FLAT", 6))),
        ]
    )
    # With one tracing left there is nothing to compare it with: it is neither ED nor ES.
    assert {s.phase for s in data.samples("train") if s.patient == "OUT"} == {"other"}


def test_a_clip_that_ends_early_is_left_out_as_a_clip_but_its_frames_are_used(root: Path) -> None:
    cut(root / "Videos" / "0XA.avi", 0.7)
    data = open_data({"root": root})
    assert [s.phase for s, _ in read_all(data.samples("train"), data.report)] == ["ES"]
    assert list(read_clips(data.clips("train"), data.report)) == []
    assert data.report.counts == {"unreadable video": 2}


def test_a_point_a_rounding_outside_the_frame_is_no_fault(tmp_path: Path) -> None:
    root = write_set(tmp_path / "e", {"0XA": {2: trace(40, 20, centre=(55.3, 39.2)), 6: trace(24, 11)}})
    data = open_data({"root": root})
    assert not data.report.problems
    assert len(data.samples("train")) == 2


def rewrite(name: str, old: str, new: str):
    """A change of one of the tables; an empty `old` replaces all of it."""

    def change(root: Path) -> None:
        text = (root / name).read_text()
        (root / name).write_text(text.replace(old, new) if old else new)

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: (r / "VolumeTracings.csv").unlink(), r"VolumeTracings.csv: expected a table, found none"),
        (
            rewrite("VolumeTracings.csv", "", "FileName,X1,Y1,Frame\n"),
            r"VolumeTracings.csv: expected the columns .*X2, Y2 not found",
        ),
        (rewrite("FileList.csv", "", "FileName,EF\n"), r"FileList.csv: expected the columns .*Split not found"),
        (lambda r: [p.unlink() for p in (r / "Videos").iterdir()], r"Videos: expected the clips \*.avi, found none"),
        (
            rewrite("VolumeTracings.csv", "", "FileName,X1,Y1,X2,Y2,Frame\n0XA,1,2,x,4,5\n"),
            r"a number for X2 in line 2, found 'x'",
        ),
        (rewrite("FileList.csv", "VAL", "DEV"), r"split of 0XB to be one of train, val, test"),
        (rewrite("FileList.csv", "0XB,", "0XA.avi,"), r"expected each patient in one split, found 0XA in two"),
        (
            rewrite("FileList.csv", "", "FileName,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split\n"),
            r"found the header alone",
        ),
    ],
)
def test_a_wrong_folder_is_refused_in_one_line(root: Path, spoil, message: str) -> None:
    spoil(root)
    with pytest.raises(DataError, match=message) as error:
        open_data({"root": root, "format": "echonet"})
    assert "\n" not in str(error.value)


def test_the_outline_goes_once_round(tmp_path: Path) -> None:
    outline = cavity_outline(np.array(trace(40, 22)))
    assert len(outline) == 2 * 20 + 2
    angle = np.unwrap(np.arctan2(*(outline - outline.mean(axis=0)).T))
    assert (np.diff(angle) > 0).all() or (np.diff(angle) < 0).all()


def test_a_clip_brings_the_ef_of_the_table(root: Path) -> None:
    assert [clip.ef_percent for clip in open_data({"root": root}).clips("train")] == [55.2]
