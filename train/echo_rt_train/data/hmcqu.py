"""HMC-QU: apical four-chamber recordings of which 109 have the LV wall traced in every frame of one cardiac cycle.

    HMC-QU/A4C/ES0001_4CH_1.avi                                 25 fps, 422x636 to 768x1024
    LV Ground-truth Segmentation Masks/Mask_ES0001_4CH_1.mat    ``predicted`` (frames, 224, 224): 1 in the wall
    A4C.xlsx (or .csv)                                          ECHO, six segments, Reference Frame, End of Cycle, masks

Reference Frame and End of Cycle are the first and the last traced frame, counted from 1. The masks are the whole frame
squeezed into a square, so that they are stretched back to it. Sources: A. Degerli et al., IEEE Access 9, 2021, doi
10.1109/ACCESS.2021.3058595; https://www.kaggle.com/datasets/aysendegerli/hmcqu-dataset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import DataError
from echo_rt.phantom.truth import rasterise
from echo_rt_train.data.clips import Clip, ClipFrames
from echo_rt_train.data.hmcqu_files import key, read_cycles, read_walls
from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import Pair, Sample, SampleError
from echo_rt_train.data.splits import check_splits, hash_split
from echo_rt_train.data.video import read_frame, read_frames

MASKS = "LV Ground-truth Segmentation Masks"
TABLES = ("A4C.xlsx", "A4C.csv", "HMC_QU.xlsx", "HMC_QU.csv")
CAVITY, WALL = 1, 2


def fill_cavity(wall: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Labels (H, W) from the horseshoe of a wall: the wall 2, and the cavity 1, closed by a straight line between the
    wall's ends.

    The line is where experts draw the mitral plane. What lies between the wall and its convex hull is the cavity and a
    few slivers along the epicardium; the largest piece is taken.
    """
    labels = np.where(wall, WALL, 0).astype(np.uint8)
    y, x = np.nonzero(wall)
    if not len(x):
        return labels
    hull = cv2.convexHull(np.stack([x, y], axis=1).astype(np.int32))[:, 0].astype(np.float64)
    inside = rasterise(hull, *wall.shape) & ~wall
    pieces, numbers, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    if pieces > 1:
        labels[numbers == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))] = CAVITY
    return labels


@dataclass(frozen=True)
class Cycle:
    """One traced cardiac cycle: reads its frames with their masks.

    Attributes:
        video, masks: the files.
        start: index in the video of the first traced frame, from 0.
        frames: how many are traced.
        fill: label the cavity as well.
    """

    video: Path
    masks: Path
    start: int
    frames: int
    fill: bool

    def labels(self, size: tuple[int, int], numbers: slice) -> NDArray[np.uint8]:
        """Masks (N, H, W) of some of the traced frames, stretched to the size of the video."""
        return np.stack([self._label(wall, size) for wall in read_walls(self.masks)[numbers]])

    def _label(self, wall: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.uint8]:
        # Linear, then halved: the border keeps its place to less than a pixel, where the nearest value would make steps
        # of four.
        full = cv2.resize(wall.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        return fill_cavity(full) if self.fill else np.where(full, WALL, 0).astype(np.uint8)

    def __call__(self, first: int, count: int | None) -> ClipFrames:
        stop = self.frames if count is None else min(first + count, self.frames)
        frames, t_s, indices = read_frames(self.video, None, self.start + first, max(stop - first, 1))
        if not np.array_equal(indices, np.arange(self.start + first, self.start + stop)):
            wanted = f"frames {self.start + first} to {self.start + stop - 1}"
            raise SampleError(f"{self.video}: expected {wanted}, found {len(indices)} of them", "unreadable video")
        masks = self.labels((frames.shape[1], frames.shape[2]), slice(first, stop))
        return ClipFrames(frames, masks, t_s, np.ones(len(frames), bool))


@dataclass(frozen=True)
class CycleFrame:
    """Reads frame `number` of a cycle."""

    cycle: Cycle
    number: int

    def __call__(self) -> Pair:
        image = read_frame(self.cycle.video, self.cycle.start + self.number)
        return image, self.cycle.labels((image.shape[0], image.shape[1]), slice(self.number, self.number + 1))[0]


def read_hmcqu(
    root: Path, report: DataReport, val_fraction: float = 0.1, fill: bool = True
) -> tuple[list[Sample], list[Clip]]:
    """Every traced frame, and each traced cycle as a clip; split by a hash of the patient (the data set has no split).

    ED and ES are the frames whose cavity is largest and smallest; all others are ``other``.

    Args:
        root: the folder of the data set.
        report: where masks without a recording or a line in the table, and cycles of another length, are noted.
        val_fraction: share of the patients that judge.
        fill: label the cavity as well, up to the line between the wall's ends; else the wall alone is known.

    Raises:
        DataError: there are no masks, no table, or a table without the columns.
    """
    files = sorted(root.rglob("Mask_*.mat"))
    if not files:
        raise DataError(f"{root}: expected '{MASKS}/Mask_*.mat' of HMC-QU, found none")
    table = next((path for name in TABLES for path in sorted(root.rglob(name))), None)
    if table is None:
        raise DataError(
            f"{root}: expected {TABLES[0]} or {TABLES[1]} with the first and last frame of each cycle, found neither"
        )
    ends = read_cycles(table)
    videos = {key(path.stem): path for path in sorted(root.rglob("*.avi"))}
    samples: list[Sample] = []
    clips: list[Clip] = []
    known = (CAVITY, WALL) if fill else (WALL,)
    for path in files:
        name = path.stem.removeprefix("Mask_")
        found = _cycle(path, videos.get(key(name)), ends.get(key(name)), fill, table, report)
        if found is None:
            continue
        cycle, phases = found
        patient = re.split(r"[_\s]", name)[0]
        split = hash_split(patient, val_fraction)
        for n in range(cycle.frames):
            where = f"{cycle.video} frame {cycle.start + n}"
            samples.append(
                Sample(patient, split, "4CH", phases.get(n, "other"), where, CycleFrame(cycle, n), known=known)
            )
        clips.append(Clip(patient, split, "4CH", str(cycle.video), cycle, cycle.frames, known=known))
    check_splits(clips, root)
    return samples, clips


def _cycle(
    path: Path, video: Path | None, ends: tuple[int, int] | None, fill: bool, table: Path, report: DataReport
) -> tuple[Cycle, dict[int, str]] | None:
    """The cycle that a file of masks belongs to, and which of its frames are ED and ES; None, and a note, where it
    cannot be used."""
    if video is None:
        report.add("missing file", f"{path}: expected the recording {path.stem.removeprefix('Mask_')}.avi, found none")
        return None
    if ends is None:
        report.add("unlisted clip", f"{table}: expected a line with both frames for {video.stem}, found none")
        return None
    try:
        walls = read_walls(path)
    except SampleError as error:
        report.add(error.kind, str(error))
        return None
    first, last = ends
    if first < 1 or len(walls) != last - first + 1:
        wanted = f"{last - first + 1} masks for frames {first} to {last}"
        report.add("masks and frames that do not pair", f"{path}: expected {wanted} ({table.name}), found {len(walls)}")
        return None
    if empty := int((~walls.any(axis=(1, 2))).sum()):
        report.add("empty mask", f"{path}: expected a wall in each frame, found {empty} without")
        return None
    areas = [int((fill_cavity(wall) == CAVITY).sum()) for wall in walls]
    phases = {int(np.argmax(areas)): "ED", int(np.argmin(areas)): "ES"} if len(set(areas)) > 1 else {}
    return Cycle(video, path, first - 1, len(walls), fill), phases
