"""The contract inside a model file.

An echo-rt model is one ONNX file. Its ``metadata_props`` hold one JSON under the key ``echo_rt``: the `ModelSpec`.
Size, normalisation, classes and thresholds come from there alone.
"""

from __future__ import annotations

import json
import math
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from echo_rt.errors import ModelError
from echo_rt.model.akinesia import AkinesiaRule
from echo_rt.model.contour import DEFAULT_CONTOUR, ContourRule
from echo_rt.model.interval import IntervalRule
from echo_rt.model.protobuf import messages, text

METADATA_KEY = "echo_rt"
FORMAT = 1
"""Version of the JSON's own layout, in which all fields stand side by side."""

CLASSES = ("background", "lv_cavity", "lv_wall", "left_atrium")
"""What the labels 0, 1, 2 and 3 stand for, everywhere in echo-rt."""

VIEWS = ("A4C", "A2C", "other")
"""What the outputs of a view head stand for, in their order."""

HEADS = ("view", "confidence")
"""What a network may say beside the labels: the view, and the Dice of the cavity that it expects."""

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")

DEFAULT_QUALITY: Mapping[str, float] = {
    "min_changed_share": 0.05,
    "max_colour_share": 0.02,
    "min_cavity_fraction": 0.005,
    "max_cavity_fraction": 0.45,
    "min_wall_contact": 0.50,
    "min_confidence": 0.75,
    "min_apical": 0.0,
    "min_expected_dice": 0.0,
    "max_edge_share": 0.12,
    "min_length_share": 0.85,
    "min_length_to_width": 1.0,
}
"""Thresholds of a model that does not bring its own. `echo_rt.cardiac.quality` says what they mean,
`benchmarks/quality_thresholds.py` where they come from."""


@dataclass(frozen=True)
class ModelInput:
    """What the network is given.

    Attributes:
        width, height: of its grid, in pixels.
        mean, std: grey levels (0 to 255) that normalise the image: (luma - mean) / std.
        fit: of an image to the grid; only ``letterbox``.
        pixel_order: only ``grey``: one channel, BT.601 luma.
    """

    width: int
    height: int
    mean: float
    std: float
    fit: str = "letterbox"
    pixel_order: str = "grey"

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width, in the order of an array's shape."""
        return self.height, self.width

    def check(self, origin: str) -> None:
        """Raise ModelError, for the file `origin`, at what this version does not do."""
        _one_of(origin, "fit", self.fit, ("letterbox",))
        _one_of(origin, "pixel_order", self.pixel_order, ("grey",))
        if not (8 <= self.width <= 4096 and 8 <= self.height <= 4096 and self.std > 0):
            found = f"found {self.width}x{self.height}, std {self.std}"
            expected = "expected an input of 8 to 4096 pixels and std > 0"
            raise ModelError(f"{origin}: {expected}, {found}; export the model again")


@dataclass(frozen=True)
class Tuning:
    """Whatever was tuned on the output of this one model.

    Attributes:
        ef_calibration: (slope, offset) so that EF = slope x raw + offset in points, fitted on training patients in A4C.
        ef_calibration_a2c: the same in A2C; without it the A4C one holds there too.
        interval: how far the EF may be off; None: the error in `Origin.figures` counts for everybody.
        quality: thresholds of the quality rules, by default those of `DEFAULT_QUALITY`.
    """

    ef_calibration: tuple[float, float] | None = None
    ef_calibration_a2c: tuple[float, float] | None = None
    interval: IntervalRule | None = None
    quality: Mapping[str, float] = field(default_factory=dict)
    akinesia: AkinesiaRule = field(default_factory=AkinesiaRule)
    contour: ContourRule = DEFAULT_CONTOUR

    def __post_init__(self) -> None:
        # A model from before a rule existed goes by the rule's default.
        object.__setattr__(self, "quality", {**DEFAULT_QUALITY, **self.quality})

    def calibration(self, view: str | None) -> tuple[float, float] | None:
        """The line of a view, ``A4C``, ``A2C`` or unknown."""
        return (self.ef_calibration_a2c if view == "A2C" else None) or self.ef_calibration

    def check(self, origin: str) -> None:
        """Raise ModelError, for the file `origin`, at what this version does not do."""
        if unknown := sorted(self.quality.keys() - DEFAULT_QUALITY.keys()):
            found = f"its quality thresholds {', '.join(unknown)} are unknown"
            raise ModelError(f"{origin}: {found}; a newer echo-rt is needed")
        for name, threshold in self.quality.items():
            if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not math.isfinite(threshold):
                found = f"expected a number as quality threshold {name}, found {threshold!r}"
                raise ModelError(f"{origin}: {found}; export the model again")


@dataclass(frozen=True)
class Origin:
    """Where the weights come from, for people; `figures` are what was measured, by name."""

    training_data: str = ""
    licence: str = ""
    citation: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)


# Fields of `ModelSpec` whose own fields stand in the JSON in their place, fields that are an object there, and tuples.
_GROUPS: Mapping[str, type[Any]] = {"input": ModelInput, "tuning": Tuning, "origin": Origin}
_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "akinesia": AkinesiaRule.read,
    "contour": ContourRule.read,
    "interval": IntervalRule.read,
}
_TUPLES = ("classes", "views", "heads", "state", "ef_calibration", "ef_calibration_a2c")


@dataclass(frozen=True, repr=False)
class ModelSpec:
    """All that the runtime has to know of a model.

    Attributes:
        name, version: of the weights.
        classes: name of each output channel.
        views: that it was trained on.
        heads: some of `HEADS`, each an output of that name: ``view`` the logits of `VIEWS`, ``confidence`` one logit.
        state: names of the tensors that a temporal model hands from frame to frame. The network has an input of each
            name and an output ``NAME_next``; at the first frame they are zero.
        precision: of this file.
        parity: what the gate of `echo-rt export` found between this file and its FP32 file; ``ok`` is there only where
            it passed. Empty for an FP32 file.
    """

    name: str
    version: str
    input: ModelInput
    classes: tuple[str, ...] = CLASSES
    views: tuple[str, ...] = ("A4C",)
    heads: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    tuning: Tuning = field(default_factory=Tuning)
    origin: Origin = field(default_factory=Origin)
    precision: str = "fp32"
    parity: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<ModelSpec {self.name} {self.version}, {self.precision}, {self.input.height}x{self.input.width}>"

    def to_json(self) -> str:
        """The text that stands in the model file."""
        flat: dict[str, Any] = {"format": FORMAT}
        for name, value in asdict(self).items():
            flat.update(value if name in _GROUPS else {name: value})
        return json.dumps(flat)

    @classmethod
    def from_json(cls, text: str, origin: str = "the model") -> ModelSpec:
        """Read the text of `to_json`, from the file named `origin`.

        Raises:
            ModelError: it is not JSON, of another format, incomplete, or asks for something this version does not do.
        """
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise ModelError(f"{origin}: its echo-rt spec is not JSON ({error}); export the model again") from None
        if not isinstance(raw, dict) or raw.pop("format", None) != FORMAT:
            expected = f"expected an echo-rt spec of format {FORMAT}"
            raise ModelError(f"{origin}: {expected}; export the model with this version of echo-rt")
        raw.update({name: tuple(raw[name]) for name in _TUPLES if isinstance(raw.get(name), list)})
        raw.update({name: read(raw[name], origin) for name, read in _READERS.items() if name in raw})
        grouped = {
            group: {f.name: raw.pop(f.name) for f in fields(kind) if f.name in raw} for group, kind in _GROUPS.items()
        }
        if unknown := sorted(raw.keys() - {f.name for f in fields(cls) if f.name not in _GROUPS}):
            raise ModelError(f"{origin}: its spec has unknown fields {', '.join(unknown)}; a newer echo-rt is needed")
        try:
            spec = cls(**raw, **{group: kind(**grouped[group]) for group, kind in _GROUPS.items()})
        except TypeError as error:
            raise ModelError(f"{origin}: its spec is incomplete ({error}); export the model again") from None
        spec._check(origin)
        return spec

    def _check(self, origin: str) -> None:
        self.input.check(origin)
        self.tuning.check(origin)
        _one_of(origin, "precision", self.precision, PRECISIONS)
        _one_of(origin, "classes", self.classes, (CLASSES,))
        if unknown := [head for head in self.heads if head not in HEADS]:
            found = f"expected heads of {', '.join(HEADS)}, found {', '.join(unknown)}"
            raise ModelError(f"{origin}: {found}; a newer echo-rt is needed")


def _one_of(origin: str, name: str, found: object, supported: tuple[object, ...]) -> None:
    if found not in supported:
        expected = f"expected {name} to be one of {supported}"
        raise ModelError(f"{origin}: {expected}, found {found!r}; a newer echo-rt is needed")


def read_spec(path: str | os.PathLike[str]) -> ModelSpec:
    """The `ModelSpec` of an ONNX file, without loading its weights and without the onnx package.

    Raises:
        ModelError: there is no such file, it is not ONNX, or has no spec inside.
    """
    path = Path(path)
    try:
        found = dict(_metadata(path))
    except OSError as error:
        reason = f"expected a model file, found none ({error.strerror or type(error).__name__})"
        raise ModelError(f"{path}: {reason}; `echo-rt models` lists the shipped ones") from None
    except ValueError:
        raise ModelError(f"{path}: expected an ONNX file, found something else or a truncated one") from None
    if METADATA_KEY not in found:
        reason = "expected an echo-rt model, found a file without an echo-rt spec"
        raise ModelError(f"{path}: {reason}; make one with `echo-rt export onnx`")
    return ModelSpec.from_json(found[METADATA_KEY], str(path))


def _metadata(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as stream:
        # Mapped, not read: of the weights no page is touched. An empty file cannot be mapped, a ValueError.
        whole = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    for number, content in messages(whole):
        if number == 14:  # metadata_props of ModelProto: messages of 1: key, 2: value
            pair = {1: "", 2: "", **{n: text(part) for n, part in messages(content)}}
            yield pair[1], pair[2]
