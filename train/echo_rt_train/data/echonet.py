"""EchoNet-Dynamic: 10,030 apical four-chamber clips of 112x112, the cavity traced in two frames of each.

    FileList.csv         FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split
    VolumeTracings.csv   FileName,X1,Y1,X2,Y2,Frame
    Videos/*.avi

The first pair of a traced frame is the long axis, the others are chords across the cavity from apex to base; frames
count from 0, x and y are pixels. Every clip is another patient. Source: D. Ouyang et al., Nature 580, 2020, and
https://echonet.github.io/dynamic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import DataError
from echo_rt.phantom.truth import polygon_area, rasterise
from echo_rt_train.data.clips import Clip, ClipFrames
from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import Pair, Sample
from echo_rt_train.data.splits import check_splits
from echo_rt_train.data.tables import Row, number, read_table, whole
from echo_rt_train.data.video import read_frame, read_frames

FILES = ("FileName", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames", "Split")
TRACINGS = ("FileName", "X1", "Y1", "X2", "Y2", "Frame")
KNOWN = (1,)
"""Nobody traced wall and atrium: a mask says where the cavity is and where it is not, and nothing else."""

MIN_CHORDS, MOST_PX = 3, 4096
FRAME_SLACK_PX = 1.0
"""Tracings were made on larger images and scaled down with them: their rounding may put a point this far outside the
frame."""

Polygon = NDArray[np.float64]


def cavity_outline(pairs: NDArray[np.float64]) -> Polygon:
    """The outline (N, 2) of x, y that the rows (chords + 1, 4) of one traced frame stand for.

    Down the first ends of the chords, over the middle of the mitral plane, up their other ends, over the apex. The tips
    of the long axis belong to it: without them (as in the authors' own code) the cap above the first chord is missing,
    some 1 % of the area.
    """
    axis, chords = pairs[0].reshape(2, 2), pairs[1:]
    first = (chords[0, :2] + chords[0, 2:]) / 2
    apex, base = sorted(axis, key=lambda end: float(np.hypot(*(end - first))))
    return np.concatenate([apex[None], chords[:, :2], base[None], chords[::-1, 2:]])


@dataclass(frozen=True, eq=False)
class TracedFrame:
    """Reads one frame of a clip, and paints its tracing.

    Attributes:
        path: the clip.
        frame: its index.
        outline: (N, 2) x, y in pixels.
        size: (height, width) that the tracing was made for.
    """

    path: Path
    frame: int
    outline: Polygon
    size: tuple[int, int]

    def __call__(self) -> Pair:
        return read_frame(self.path, self.frame), rasterise(self.outline, *self.size).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class TracedClip:
    """Reads a clip; masks are there for the traced frames alone.

    Attributes:
        path: the clip.
        outlines: of the traced frames, by index.
        fps: frames a second, from FileList.csv, or None for the file's own clock.
    """

    path: Path
    outlines: dict[int, Polygon]
    fps: float | None

    def __call__(self, first: int, count: int | None) -> ClipFrames:
        frames, t_s, indices = read_frames(self.path, self.fps, first, count)
        traced = np.isin(indices, list(self.outlines))
        if not traced.any():
            return ClipFrames(frames, None, t_s, traced)
        masks = np.zeros_like(frames)
        for place in np.flatnonzero(traced):
            masks[place] = rasterise(self.outlines[int(indices[place])], *frames.shape[1:])
        return ClipFrames(frames, masks, t_s, traced)


def read_echonet(root: Path, report: DataReport) -> tuple[list[Sample], list[Clip]]:
    """The traced frames, of which the one with the larger area is ED, and all clips, by the data set's own split.

    Args:
        root: the folder with FileList.csv.
        report: where missing clips and tracings that cannot be used are noted. Clips are not decoded yet.

    Raises:
        DataError: a table or a column is missing, or holds something else than numbers.
    """
    listed = _listed(root / "FileList.csv")
    tracings = _tracings(root / "VolumeTracings.csv")
    there = {path.stem: path for path in (root / "Videos").glob("*.avi")}
    if not there:
        raise DataError(f"{root / 'Videos'}: expected the clips *.avi, found none")
    for stem in sorted(tracings.keys() - listed.keys()):
        report.add("unlisted clip", f"{root / 'VolumeTracings.csv'}: expected {stem} in FileList.csv, found it not")
    samples: list[Sample] = []
    clips: list[Clip] = []
    for stem, (line, row) in listed.items():
        if stem not in there:
            report.add(
                "missing file",
                f"{root / 'Videos' / stem}.avi: expected the clip of line {line} of FileList.csv, found no file",
            )
            continue
        table = root / "FileList.csv"
        height, width = (whole(table, line, c, row[c], 1, MOST_PX) for c in FILES[1:3])
        fps, count = number(table, line, "FPS", row["FPS"]), whole(table, line, FILES[4], row[FILES[4]])
        path, size, split = there[stem], (height, width), row["Split"].lower()
        if not tracings.get(stem):
            report.add("no tracing", f"{path}: expected two traced frames, found none; the clip remains")
        outlines = dict(_usable(path, tracings.get(stem, {}), size, count, report))
        # ED is where the ventricle is larger. One frame alone has nothing to be larger than.
        order = sorted(outlines, key=lambda frame: polygon_area(outlines[frame]), reverse=True)
        phases = {order[0]: "ED", order[-1]: "ES"} if len(order) > 1 else {}
        for frame, outline in sorted(outlines.items()):
            load, phase = TracedFrame(path, frame, outline, size), phases.get(frame, "other")
            samples.append(Sample(stem, split, "4CH", phase, f"{path} frame {frame}", load, known=KNOWN))
        ef = number(root / "FileList.csv", line, "EF", row["EF"]) if row.get("EF") else None
        clock = fps if 0 < fps < np.inf else None
        clips.append(
            Clip(
                stem,
                split,
                "4CH",
                str(path),
                TracedClip(path, outlines, clock),
                count,
                clock,
                known=KNOWN,
                ef_percent=ef,
            )
        )
    check_splits(clips, root / "FileList.csv")
    return samples, clips


def _listed(path: Path) -> dict[str, tuple[int, Row]]:
    """Line and row of every clip; one that is listed twice has its first row, unless the two are in different
    splits."""
    found: dict[str, tuple[int, Row]] = {}
    for line, row in enumerate(read_table(path, FILES), 2):
        _, first = found.setdefault(_stem(row), (line, row))
        if first["Split"] != row["Split"]:
            raise DataError(
                f"{path}: expected each patient in one split, "
                f"found {_stem(row)} in two ({first['Split']} and {row['Split']})"
            )
    return found


def _stem(row: Row) -> str:
    return row["FileName"].removesuffix(".avi")  # FileList.csv leaves it out, VolumeTracings.csv has it


def _tracings(path: Path) -> dict[str, dict[int, list[Sequence[float]]]]:
    """The rows (x1, y1, x2, y2) of every traced frame, in their order, by clip and frame."""
    found: dict[str, dict[int, list[Sequence[float]]]] = {}
    for line, row in enumerate(read_table(path, TRACINGS), 2):
        points = tuple(number(path, line, column, row[column]) for column in TRACINGS[1:5])
        frame = whole(path, line, "Frame", row["Frame"], -(10**7))
        found.setdefault(_stem(row), {}).setdefault(frame, []).append(points)
    return found


def _usable(
    path: Path, tracings: dict[int, list[Sequence[float]]], size: tuple[int, int], count: int, report: DataReport
) -> Iterator[tuple[int, Polygon]]:
    """The outlines that make sense; the others are noted."""
    height, width = size
    for frame, rows in tracings.items():
        pairs = np.array(rows)
        where = f"{path} frame {frame}"
        if len(pairs) < 1 + MIN_CHORDS or not np.isfinite(pairs).all():
            report.add(
                "incomplete tracing",
                f"{where}: expected a long axis and {MIN_CHORDS} chords or more, found {len(pairs)} rows",
            )
            continue
        if not 0 <= frame < count:
            report.add(
                "tracing of no frame",
                f"{where}: expected a frame from 0 to {count - 1}, found a tracing of frame {frame}",
            )
            continue
        outline = cavity_outline(pairs)
        low, high = outline.min(axis=0), outline.max(axis=0)
        if low.min() < -0.5 - FRAME_SLACK_PX or (high > np.array([width, height]) - 0.5 + FRAME_SLACK_PX).any():
            box = f"x {low[0]:.0f} to {high[0]:.0f}, y {low[1]:.0f} to {high[1]:.0f}"
            report.add("tracing out of the frame", f"{where}: expected a tracing inside {width}x{height}, found {box}")
            continue
        if not rasterise(outline, height, width).any():
            report.add("empty mask", f"{where}: expected a traced cavity, found one without area")
            continue
        yield frame, outline
