"""CAMUS as its authors publish it: NIfTI images and masks, a folder a patient.

    database_nifti/patient0001/patient0001_4CH_ED.nii.gz  patient0001_4CH_ED_gt.nii.gz
                               patient0001_4CH_half_sequence.nii.gz  patient0001_4CH_half_sequence_gt.nii.gz
                               Info_4CH.cfg ("ED: 1", "ES: 18", "NbFrame: 18", "ImageQuality: Good", ...)
    database_split/subgroup_training.txt  subgroup_validation.txt  subgroup_testing.txt      (a patient a line)

Source: S. Leclerc et al., IEEE TMI 38(9), 2019, and https://humanheart-project.creatis.insa-lyon.fr/database. The
labels are ours already: 1 LV endocardium, 2 LV epicardium (the wall), 3 left atrium.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from echo_rt.errors import DataError
from echo_rt_train.data.clips import Clip, ClipFrames
from echo_rt_train.data.nifti import Spacing, frames_of, nifti, spacing_of, square_spacing
from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import Pair, Sample, SampleError
from echo_rt_train.data.splits import check_splits, hash_split

FPS_RANGE = 0.1, 1e5
SUBGROUPS = {"train": "subgroup_training.txt", "val": "subgroup_validation.txt", "test": "subgroup_testing.txt"}


@dataclass(frozen=True)
class NiftiPair:
    """Reads the image and the mask of one instant."""

    image: Path
    mask: Path

    def __call__(self) -> Pair:
        return frames_of(self.image, False)[0][0], frames_of(self.mask, True)[0][0]


@dataclass(frozen=True)
class NiftiSequence:
    """Reads a half sequence, every frame of which was traced.

    Attributes:
        image, mask: the files.
        fps: frames a second, from Info_*.cfg: NIfTI's own time step is not filled in.
    """

    image: Path
    mask: Path
    fps: float

    def __call__(self, first: int, count: int | None) -> ClipFrames:
        stretch = slice(first, None if count is None else first + count)
        frames, masks = frames_of(self.image, False)[0], frames_of(self.mask, True)[0]
        if len(masks) != len(frames):
            raise SampleError(
                f"{self.mask}: expected a mask for each of {len(frames)} frames, found {len(masks)}",
                "mask of another size",
            )
        t_s = np.arange(len(frames)) / self.fps
        return ClipFrames(frames[stretch], masks[stretch], t_s[stretch], np.ones(len(frames[stretch]), bool))


def read_camus(root: Path, report: DataReport, val_fraction: float = 0.1) -> tuple[list[Sample], list[Clip]]:
    """ED and ES of both views, and the half sequences, by the official split where it is there, else by a hash of the
    patient.

    Args:
        root: the folder of the patients, or the one above it.
        report: where missing files and masks of another size are noted: their headers are read, their pixels are not.
        val_fraction: share of the patients that judge, where there is no official split.

    Raises:
        DataError: there is no patient, or one in two subgroups.
    """
    folder = root / "database_nifti" if (root / "database_nifti").is_dir() else root
    patients = sorted(path for path in folder.glob("patient*") if path.is_dir())
    if not patients:
        raise DataError(f"{folder}: expected folders patient0001, patient0002, ... of CAMUS, found none")
    split = _splits(folder)
    samples: list[Sample] = []
    clips: list[Clip] = []
    for path in patients:
        where = split.get(path.name, "") if split else hash_split(path.name, val_fraction)
        if not where:
            report.add(
                "no split", f"{path}: expected the patient in one of {', '.join(SUBGROUPS.values())}, found it in none"
            )
            continue
        for view in ("4CH", "2CH"):
            samples += _stills(path, view, where, report)
            clips += _sequences(path, view, where, report)
    check_splits(samples, folder)
    return samples, clips


def _splits(folder: Path) -> dict[str, str]:
    """The subgroup of each patient; empty where there are no such files."""
    found: dict[str, str] = {}
    for parent in (folder, folder.parent):
        for split, name in SUBGROUPS.items():
            path = parent / "database_split" / name
            if not path.is_file():
                continue
            for patient in path.read_text(encoding="utf-8", errors="replace").split():
                if found.setdefault(patient, split) != split:
                    raise DataError(
                        f"{path}: expected each patient in one split, "
                        f"found {patient} in two ({found[patient]} and {split})"
                    )
    return found


def _stills(path: Path, view: str, split: str, report: DataReport) -> Iterator[Sample]:
    for phase in ("ED", "ES"):
        files = NiftiPair(*_files(path, view, phase))
        spacing = _spacing(files.image, files.mask, report)
        if spacing:
            yield Sample(path.name, split, view, phase, str(files.image), files, spacing)


def _sequences(path: Path, view: str, split: str, report: DataReport) -> Iterator[Clip]:
    image, mask = _files(path, view, "half_sequence")
    if not image.exists() and not mask.exists():
        return  # a release of stills alone
    info = read_info(path / f"Info_{view}.cfg")
    try:
        fps = float(info.get("FrameRate", "nan"))
    except ValueError:
        fps = float("nan")
    if not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        config = path / f"Info_{view}.cfg"
        report.add(
            "clip without a clock",
            f"{config}: expected FrameRate, found {info.get('FrameRate', 'none')}; its stills remain",
        )
        return
    if spacing := _spacing(image, mask, report):
        frames = int(nifti(image).shape[-1])
        yield Clip(path.name, split, view, str(image), NiftiSequence(image, mask, fps), frames, fps, spacing)


def _files(path: Path, view: str, instant: str) -> tuple[Path, Path]:
    stem = f"{path.name}_{view}_{instant}"
    found = [path / f"{stem}{end}.nii" for end in ("", "_gt")]  # unpacked by some downloads
    return (found[0], found[1]) if found[0].exists() else (path / f"{stem}.nii.gz", path / f"{stem}_gt.nii.gz")


def _spacing(image: Path, mask: Path, report: DataReport) -> Spacing | None:
    """Of the square pixels that the pair is read with; None, and a line in the report, where the pair cannot be
    used."""
    try:
        # A header without sizes makes nibabel warn; what matters of it is checked here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            a, b = nifti(image), nifti(mask)
    except SampleError as error:
        report.add(error.kind, str(error))
        return None
    if a.shape[:2] != b.shape[:2]:
        report.add(
            "mask of another size",
            f"{mask}: expected a mask of the image's size {a.shape[1::-1]}, found {b.shape[1::-1]} (height, width)",
        )
        return None
    height, width = spacing_of(a)
    if not (height > 0 and width > 0):
        report.add(
            "unreadable file", f"{image}: expected a pixel size above 0 in the header, found {height:g} x {width:g} mm"
        )
        return None
    return square_spacing((height, width))


def read_info(path: Path) -> dict[str, str]:
    """The ``Key: value`` lines of an Info_*.cfg; empty where there is no such file. ED and ES in it count from 1."""
    if not path.is_file():
        return {}
    lines = path.read_text(errors="replace").splitlines()
    return {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}
