"""From a folder to its samples and clips: one door for all data sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from echo_rt.errors import DataError
from echo_rt_train.data.camus import read_camus
from echo_rt_train.data.clips import Clip
from echo_rt_train.data.echonet import read_echonet
from echo_rt_train.data.hmcqu import read_hmcqu
from echo_rt_train.data.negatives import holds_negatives, read_negatives
from echo_rt_train.data.phantoms import PhantomSettings, phantom_clips, phantom_samples
from echo_rt_train.data.pictures import read_folder, read_index
from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import SPLITS, VIEWS, Sample, select
from echo_rt_train.data.splits import hold_out, parse_hold_out


@dataclass(frozen=True)
class DataOptions:
    """What conf/train.yaml asks for under ``data``.

    Attributes:
        root: the data set's folder; None for the phantom.
        format: a name in `FORMATS`, ``phantom``, or ``auto``: what the folder holds decides.
        views: those that are used.
        strict: any bad file ends the run before the first epoch; otherwise it is left out and named in the report.
            None: strict for the PNG form, which is small and made by hand, not for the others, which are large and have
            known gaps.
        val_fraction: share of the patients that judge, where the data set has no split of its own.
        hold_out: K/N, such as 2/4: the K-th of N parts of the training patients judges, and the patients that judged
            before are left alone. For what must not be chosen on those. None: the data set's own split.
        patient: plain folder: regular expression that finds the patient in a file's name.
        labels: plain folder: what the values in the masks stand for, such as {255: 1}.
        fill_cavity: HMC-QU: label the cavity inside the wall as well.
        phantom: of the simulated hearts.
    """

    root: Path | None = None
    format: str = "auto"
    views: tuple[str, ...] = ("4CH", "2CH")
    strict: bool | None = None
    val_fraction: float = 0.1
    hold_out: str | None = None
    patient: str = "^[^_]+"
    labels: Mapping[int, int] | None = None
    fill_cavity: bool = True
    phantom: PhantomSettings = field(default_factory=PhantomSettings)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> DataOptions:
        """From a mapping such as Hydra's ``config.data``; what it leaves out has its default.

        Raises:
            DataError: a key is unknown, or a value out of its range.
        """
        given: dict[str, Any] = {
            str(key): config.get(str(key)) for key in config
        }  # a value that is missing (???) becomes None
        if unknown := sorted(given.keys() - {f.name for f in dataclasses.fields(cls)}):
            raise DataError(
                f"data: expected {', '.join(f.name for f in dataclasses.fields(cls))}, found {', '.join(unknown)}"
            )
        given = {key: value for key, value in given.items() if value is not None}
        if "root" in given:
            given["root"] = Path(given["root"]).expanduser()
        if "views" in given:
            given["views"] = (given["views"],) if isinstance(given["views"], str) else tuple(given["views"])
        try:
            if "labels" in given:
                given["labels"] = {int(value): int(label) for value, label in given["labels"].items()}
            if "phantom" in given and not isinstance(given["phantom"], PhantomSettings):
                given["phantom"] = PhantomSettings(**{str(key): int(value) for key, value in given["phantom"].items()})
            options = cls(**given)
            options._check()
        except (TypeError, ValueError, AttributeError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"data: expected values as in conf/train.yaml, found others: {error}") from None
        return options

    def _check(self) -> None:
        if not 0 <= self.val_fraction <= 1:
            raise DataError(f"data.val_fraction: expected a share from 0 to 1, found {self.val_fraction}")
        if self.hold_out is not None:
            parse_hold_out(self.hold_out)
            if self.format == "phantom":
                raise DataError(
                    "data.hold_out: expected a data set with patients, found format=phantom; leave one of them out"
                )
        if wrong := [view for view in self.views if view not in VIEWS]:
            raise DataError(f"data.views: expected some of {', '.join(VIEWS)}, found {wrong[0]!r}")
        if strange := [pair for pair in (self.labels or {}).items() if not (0 <= pair[0] <= 255 and 0 <= pair[1] <= 3)]:
            raise DataError(
                "data.labels: expected values from 0 to 255 for labels from 0 to 3, "
                f"found {strange[0][0]}: {strange[0][1]}"
            )
        if self.format not in ("auto", "phantom", *FORMATS):
            raise DataError(f"data.format: expected auto, phantom, {', '.join(FORMATS)}, found {self.format!r}")
        if min(dataclasses.asdict(self.phantom).values()) < 1:
            raise DataError(f"data.phantom: expected whole numbers from 1, found {self.phantom}")


Read = Callable[[Path, DataOptions, DataReport], tuple[list[Sample], list[Clip]]]


@dataclass(frozen=True)
class Format:
    """A form in which data come.

    Attributes:
        sign: what tells it, as a person would look for it.
        holds: whether a folder holds it.
        read: its samples and clips.
    """

    sign: str
    holds: Callable[[Path], bool]
    read: Read


FORMATS: Mapping[str, Format] = {
    "negatives": Format(
        "index.csv with organ_or_view", holds_negatives, lambda r, o, report: read_negatives(r, report, o.val_fraction)
    ),
    "png": Format(
        "index.csv", lambda root: (root / "index.csv").is_file(), lambda r, o, report: (read_index(r, report), [])
    ),
    "echonet": Format(
        "FileList.csv of EchoNet-Dynamic",
        lambda root: (root / "FileList.csv").is_file(),
        lambda r, o, report: read_echonet(r, report),
    ),
    "camus": Format(
        "patient0001/*.nii.gz of CAMUS",
        lambda root: any(True for _ in [*root.glob("patient*/*.nii*"), *root.glob("database_nifti/patient*")]),
        lambda r, o, report: read_camus(r, report, o.val_fraction),
    ),
    "hmcqu": Format(
        "Mask_*.mat of HMC-QU",
        lambda root: any(True for _ in root.glob("*/Mask_*.mat")),
        lambda r, o, report: read_hmcqu(r, report, o.val_fraction, o.fill_cavity),
    ),
    "folder": Format(
        "images/ and masks/",
        lambda root: (root / "images").is_dir() and (root / "masks").is_dir(),
        lambda r, o, report: (read_folder(r, report, o.val_fraction, o.patient, o.labels), []),
    ),
}
"""Every form, in the order in which ``auto`` looks for it. A new one is one entry here."""


class DataSet:
    """An open data set: its samples and clips by split, and a report of what was left out.

    Attributes:
        options: what was asked for.
        format: a name in `FORMATS`, or ``phantom``.
        report: filled when the set was opened, and further by whoever reads (`echo_rt_train.data.grid.read_all`,
            `read_clips`).
    """

    def __init__(
        self, options: DataOptions, name: str, report: DataReport, samples: list[Sample], clips: list[Clip]
    ) -> None:
        if name == "negatives":  # they have no other view
            options = dataclasses.replace(options, views=("other",))
        self.options, self.format, self.report = options, name, report
        self._samples, self._clips = samples, clips

    def samples(self, split: str, epoch: int = 0) -> Sequence[Sample]:
        """The images of one split, in the views that were asked for; of the phantom, those of an epoch.

        Raises:
            DataError: there is none.
        """
        if self._drawn(split):
            return phantom_samples(self.options.phantom, split, epoch)
        return select(self._samples, split, self.options.views)

    def clips(self, split: str, epoch: int = 0) -> Sequence[Clip]:
        """The clips of one split, likewise.

        Raises:
            DataError: there is none.
        """
        if self._drawn(split):
            return phantom_clips(self.options.phantom, split, epoch)
        found = [clip for clip in self._clips if clip.split == split and clip.view in self.options.views]
        if not found:
            raise DataError(
                f"{self.report.origin}: expected clips of split {split!r} and views {list(self.options.views)}, "
                "found none; "
                "clips come with camus (NIfTI), echonet, hmcqu and phantom"
            )
        return found

    def _drawn(self, split: str) -> bool:
        if self.format == "phantom" and (split not in SPLITS or "4CH" not in self.options.views):
            raise DataError(
                f"phantom: expected a split of {', '.join(SPLITS)} and the view 4CH, "
                f"found {split!r} and {self.options.views}"
            )
        return self.format == "phantom"


def open_data(config: Mapping[str, Any] | DataOptions) -> DataSet:
    """The data set that ``data`` in conf/train.yaml names, checked as far as that goes without reading every image.

    Args:
        config: see `DataOptions`; ``{"root": folder}`` is enough.

    Raises:
        DataError: it is not there, not what its format says, or empty; or a file is bad and the report is strict. One
            line, which names the file and what was expected.
    """
    options = config if isinstance(config, DataOptions) else DataOptions.of(config)
    if options.format == "phantom":
        return DataSet(options, "phantom", DataReport("phantom"), [], [])
    root = options.root
    if root is None:
        raise DataError(
            "data.root: expected the folder of the data set, found none; give data.root=FOLDER, or data.format=phantom"
        )
    if not root.is_dir():
        raise DataError(
            f"{root}: expected the folder of a data set, found {'a file' if root.exists() else 'none'}; see data.root"
        )
    name = options.format if options.format != "auto" else _format_of(root)
    report = DataReport(str(root), options.strict if options.strict is not None else name == "png")
    samples, clips = FORMATS[name].read(root, options, report)
    report.settle()
    if not samples and not clips:
        raise DataError(f"{root}: expected images that can be used, found none; {'; '.join(report.lines()[1:3])}")
    if options.hold_out is not None:
        part, parts = parse_hold_out(options.hold_out)
        everything: list[Sample | Clip] = [*samples, *clips]
        patients = {item.patient for item in everything if item.split == "train"}
        samples, clips = hold_out(samples, patients, part, parts), hold_out(clips, patients, part, parts)
    return DataSet(options, name, report, samples, clips)


def _format_of(root: Path) -> str:
    for name, form in FORMATS.items():
        if form.holds(root):
            return name
    others = ", ".join(form.sign for form in FORMATS.values() if not form.sign.startswith("index.csv"))
    raise DataError(f"{root}: expected a data folder with index.csv, found none; nor {others}; see data.format")
