"""The contract inside a model file.

An echo-rt model is one ONNX file. Its ``metadata_props`` hold one JSON under the key ``echo_rt``: the `ModelSpec`.
Size, normalisation, classes and thresholds come from there alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from echo_rt.checked import (
    AtMost,
    Between,
    Figure,
    ManyLines,
    MismatchError,
    UnknownFieldError,
    parse_json,
    record,
    shown,
    value,
)
from echo_rt.errors import ModelError
from echo_rt.model.akinesia import AkinesiaRule
from echo_rt.model.contour import DEFAULT_CONTOUR, ContourRule
from echo_rt.model.interval import IntervalRule
from echo_rt.model.protobuf import messages, opened, text

METADATA_KEY = "echo_rt"
METADATA_BYTES = 2**22
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
    "min_atrium_confidence": 0.0,
}
"""Thresholds of a model that does not bring its own. `echo_rt.cardiac.quality` says what they mean,
`benchmarks/quality_thresholds.py` where they come from."""


Pixels = Annotated[int, Between(8, 4096)]
Line = tuple[Annotated[float, Between(-100, 100)], Annotated[float, Between(-1000, 1000)]]
Lines = Annotated[str, ManyLines()]
Names = Annotated[tuple[str, ...], AtMost(16)]


@dataclass(frozen=True)
class ModelInput:
    """What the network is given.

    Attributes:
        width, height: of its grid, in pixels.
        mean, std: grey levels (0 to 255) that normalise the image: (luma - mean) / std.
        fit: of an image to the grid; only ``letterbox``.
        pixel_order: only ``grey``: one channel, BT.601 luma.
    """

    width: Pixels
    height: Pixels
    mean: Annotated[float, Between(-1e4, 1e4)]
    std: Annotated[float, Between(1e-2, 1e4)]
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


@dataclass(frozen=True)
class Tuning:
    """Whatever was tuned on the output of this one model.

    Attributes:
        ef_calibration: (slope, offset) so that EF = slope x raw + offset in points, fitted on training patients in A4C.
        ef_calibration_a2c: the same in A2C; without it the A4C one holds there too.
        interval: how far the EF may be off; None: the error in `Origin.figures` counts for everybody.
        quality: thresholds of the quality rules, by default those of `DEFAULT_QUALITY`.
    """

    ef_calibration: Line | None = None
    ef_calibration_a2c: Line | None = None
    interval: IntervalRule | None = None
    quality: Mapping[str, Figure] = field(default_factory=dict)
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


@dataclass(frozen=True)
class Origin:
    """Where the weights come from, for people; `figures` are what was measured, by name."""

    training_data: Lines = ""
    licence: Lines = ""
    citation: Lines = ""
    figures: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)


# Fields of `ModelSpec` whose own fields stand in the JSON in their place.
_GROUPS: Mapping[str, type[Any]] = {"input": ModelInput, "tuning": Tuning, "origin": Origin}


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
    classes: Names = CLASSES
    views: Names = ("A4C",)
    heads: Names = ()
    state: Names = ()
    tuning: Tuning = field(default_factory=Tuning)
    origin: Origin = field(default_factory=Origin)
    precision: str = "fp32"
    parity: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<ModelSpec {self.name} {self.version}, {self.precision}, {self.input.height}x{self.input.width}>"

    def to_json(self) -> str:
        """The text that stands in the model file."""
        flat: dict[str, Any] = {"format": FORMAT}
        for name, part in asdict(self).items():
            flat.update(part if name in _GROUPS else {name: part})
        return json.dumps(flat)

    @classmethod
    def from_json(cls, text: str, origin: str = "the model") -> ModelSpec:
        """Read the text of `to_json`, from the file named `origin`.

        Raises:
            ModelError: it is not JSON, of another format, incomplete, or asks for something this version does not do.
        """
        try:
            raw = parse_json(text)
            if not isinstance(raw, dict) or type(raw.get("format")) is not int or raw.pop("format") != FORMAT:
                raise MismatchError(f"expected an echo-rt spec of format {FORMAT}, found another")
            spec = cls._of(raw)
        except UnknownFieldError as error:
            raise ModelError(f"{origin}: {error}; a newer echo-rt is needed") from None
        except MismatchError as error:
            raise ModelError(f"{origin}: its echo-rt spec: {error}; export the model again") from None
        spec._check(origin)
        return spec

    @classmethod
    def _of(cls, raw: dict[str, Any]) -> ModelSpec:
        groups = {
            name: record(group, {f.name: raw.pop(f.name) for f in fields(group) if f.name in raw})
            for name, group in _GROUPS.items()
        }
        spec = record(cls, raw, made=groups)
        value(tuple[str, ...], spec.parity.get("kept_in_fp32", ()), "parity.kept_in_fp32")
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
        raise ModelError(f"{origin}: {expected}, found {shown(found)}; a newer echo-rt is needed")


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
    for number, content in messages(opened(path)):
        if number == 14:  # metadata_props of ModelProto: messages of 1: key, 2: value
            if len(content) > METADATA_BYTES:
                raise ValueError(f"expected at most {METADATA_BYTES} bytes of metadata, found {len(content)}")
            pair = {1: "", 2: "", **{n: text(part) for n, part in messages(content)}}
            yield pair[1], pair[2]
