"""Pictures and recordings that are no apical view: other organs, other views of the heart, screens, cameras.

A folder with an index.csv, or several beside each other; its columns are file, source, organ_or_view and
patient_or_clip. They have no masks: such a picture teaches what the network says of the view, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echo_rt.errors import DataError
from echo_rt.sources.known import VIDEO_SUFFIXES
from echo_rt_train.data.clips import Clip, ClipFrames
from echo_rt_train.data.pictures import read_grey
from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import Pair, Sample
from echo_rt_train.data.splits import hash_split
from echo_rt_train.data.tables import Row, is_file, read_table
from echo_rt_train.data.video import read_frames

COLUMNS = ("file", "source", "organ_or_view", "patient_or_clip")


@dataclass(frozen=True)
class Negative:
    """One file of the index.

    Attributes:
        path: of the picture or recording.
        source: who made it; the same machines and hands.
        organ_or_view: what it shows.
        patient_or_clip: whom or what recording it shows.
    """

    path: Path
    source: str
    organ_or_view: str
    patient_or_clip: str

    @property
    def is_recording(self) -> bool:
        """Whether it is a video."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True)
class PictureFile:
    """Reads a picture; its mask is empty and means nothing."""

    path: Path

    def __call__(self) -> Pair:
        image = read_grey(self.path, colour=True)
        return image, np.zeros_like(image)


@dataclass(frozen=True)
class RecordingFile:
    """Reads a stretch of a recording without masks."""

    path: Path

    def __call__(self, first: int, count: int | None) -> ClipFrames:
        frames, t_s, _ = read_frames(self.path, first=first, count=count)
        return ClipFrames(frames, None, t_s, np.zeros(len(frames), bool))


def holds_negatives(root: Path) -> bool:
    """Whether a folder, or one in it, has an index.csv that says what is seen instead of a heart."""
    for index in _indices(root):
        with index.open(encoding="utf-8", errors="replace") as stream:
            if "organ_or_view" in stream.readline():
                return True
    return False


def list_negatives(root: Path) -> list[Negative]:
    """All files of the index.csv in `root`, or in the folders in it.

    Raises:
        DataError: there is no index, or it lacks a column.
    """
    indices = _indices(root)
    if not indices:
        raise DataError(f"{root}: expected an index.csv with the columns {', '.join(COLUMNS)}, found none")
    return [_negative(index.parent, row) for index in indices for row in read_table(index, COLUMNS)]


def _indices(root: Path) -> list[Path]:
    own = root / "index.csv"
    return [own] if own.is_file() else sorted(path for path in root.glob("*/index.csv") if path.is_file())


def _negative(folder: Path, row: Row) -> Negative:
    return Negative(folder / row["file"], row["source"], row["organ_or_view"], row["patient_or_clip"])


def read_negatives(root: Path, report: DataReport, val_fraction: float) -> tuple[list[Sample], list[Clip]]:
    """The pictures and the recordings. A whole source is in one split: `Sample.patient` is the source.

    Args:
        root: the folder.
        report: where files that are missing are noted.
        val_fraction: share of the sources that judge.

    Raises:
        DataError: see `list_negatives`.
    """
    samples: list[Sample] = []
    clips: list[Clip] = []
    for one in list_negatives(root):
        if not is_file(one.path):
            report.add("missing file", f"{root}: expected {one.path}, found no such file")
            continue
        split, name = hash_split(one.source, val_fraction), str(one.path)
        if one.is_recording:
            clips.append(Clip(one.source, split, "other", name, RecordingFile(one.path), known=()))
        else:
            samples.append(Sample(one.source, split, "other", "other", name, PictureFile(one.path), known=()))
    return samples, clips
