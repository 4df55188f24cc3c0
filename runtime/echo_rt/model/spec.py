"""The contract inside a model file, and the models that are shipped.

An echo-rt model is one ONNX file. Its ``metadata_props`` hold one JSON under the key ``echo_rt``: the `ModelSpec`.
Whoever runs the model takes size, normalisation, classes and thresholds from there and from nowhere else.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from echo_rt.errors import ModelError, ParameterError
from echo_rt.model.akinesia import AkinesiaRule
from echo_rt.model.contour import DEFAULT_CONTOUR, ContourRule

METADATA_KEY = "echo_rt"
FORMAT = 1
"""Version of the JSON's own layout."""

CLASSES = ("background", "lv_cavity", "lv_wall", "left_atrium")
"""What the labels 0, 1, 2 and 3 stand for, everywhere in echo-rt."""

VIEWS = ("A4C", "A2C", "other")
"""What the outputs of a view head stand for, in their order."""

HEADS = ("view", "confidence")
"""What a network may say beside the labels: which view it sees, and the Dice of the cavity that is to be expected."""

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")

DEFAULT_QUALITY: Mapping[str, float] = {
    "min_changed_share": 0.05,
    "max_colour_share": 0.02,
    "min_cavity_fraction": 0.005,
    "max_cavity_fraction": 0.45,
    "min_wall_contact": 0.50,
    "min_confidence": 0.75,
    "max_edge_share": 0.12,
    "min_length_share": 0.85,
    "min_length_to_width": 1.0,
}
"""Thresholds a model starts from; see `echo_rt.cardiac.quality` for their meaning, `benchmarks/quality_thresholds.py`
for where they come from. A trained model brings its own; for those it does not name it has these."""


@dataclass(frozen=True)
class ModelSpec:
    """All that the runtime has to know of a model.

    Attributes:
        name, version: of the weights.
        width, height: the network's input grid in pixels.
        mean, std: grey levels (0 to 255) that normalise the input: (luma - mean) / std.
        fit: how an image is brought to the grid; only ``letterbox``.
        pixel_order: only ``grey``: one channel, BT.601 luma.
        classes: name of each output channel.
        views: the views it was trained on.
        heads: some of `HEADS`, each an output of that name: ``view`` the logits of `VIEWS`, ``confidence`` one logit.
        state: names of the tensors a temporal model hands from frame to frame; empty for a single-frame model. The
            network has an input of each name and an output ``NAME_next``; at the first frame they are zero.
        ef_calibration: (slope, offset) so that EF = slope x raw + offset in points, fitted on training patients; or
            None.
        quality: thresholds of the quality rules; those that are not given are those of `DEFAULT_QUALITY`.
        akinesia: the rule for wall segments that do not move; a file without it has the default one.
        contour: how the endocardial contour is read off its probabilities.
        training_data, licence, citation: where the weights come from and what may be done with them.
        figures: what was measured on it, by name.
        precision: of this file.
        parity: what the gate of `echo-rt export` found between this file and the FP32 one it was made from, ``ok``
            being there only where it passed; empty for an FP32 file.
    """

    name: str
    version: str
    width: int
    height: int
    mean: float
    std: float
    fit: str = "letterbox"
    pixel_order: str = "grey"
    classes: tuple[str, ...] = CLASSES
    views: tuple[str, ...] = ("A4C",)
    heads: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    ef_calibration: tuple[float, float] | None = None
    quality: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_QUALITY))
    akinesia: AkinesiaRule = field(default_factory=AkinesiaRule)
    contour: ContourRule = DEFAULT_CONTOUR
    training_data: str = ""
    licence: str = ""
    citation: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    precision: str = "fp32"
    parity: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A model made before a rule existed goes by the rule's default.
        object.__setattr__(self, "quality", {**DEFAULT_QUALITY, **self.quality})

    def to_json(self) -> str:
        """The text that stands in the model file."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)})

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
            raise ModelError(
                f"{origin}: expected an echo-rt spec of format {FORMAT}; export the model with this version of echo-rt"
            )
        names = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(raw) - names):
            raise ModelError(f"{origin}: its spec has unknown fields {', '.join(unknown)}; a newer echo-rt is needed")
        for name in ("classes", "views", "heads", "state", "ef_calibration"):
            if isinstance(raw.get(name), list):
                raw[name] = tuple(raw[name])
        if "akinesia" in raw:
            raw["akinesia"] = AkinesiaRule.read(raw["akinesia"], origin)
        if "contour" in raw:
            raw["contour"] = ContourRule.read(raw["contour"], origin)
        try:
            spec = cls(**raw)
        except TypeError as error:
            raise ModelError(f"{origin}: its spec is incomplete ({error}); export the model again") from None
        spec._check(origin)
        return spec

    def _check(self, origin: str) -> None:
        for name, found, supported in (
            ("fit", self.fit, ("letterbox",)),
            ("pixel_order", self.pixel_order, ("grey",)),
            ("precision", self.precision, PRECISIONS),
            ("classes", self.classes, (CLASSES,)),
        ):
            if found not in supported:
                raise ModelError(
                    f"{origin}: expected {name} to be one of {supported}, found {found!r}; a newer echo-rt is needed"
                )
        if unknown := [head for head in self.heads if head not in HEADS]:
            raise ModelError(
                f"{origin}: expected heads of {', '.join(HEADS)}, found {', '.join(unknown)}; a newer echo-rt is needed"
            )
        if unknown := sorted(self.quality.keys() - DEFAULT_QUALITY.keys()):
            raise ModelError(
                f"{origin}: its quality thresholds {', '.join(unknown)} are unknown; a newer echo-rt is needed"
            )
        for name, threshold in self.quality.items():
            if isinstance(threshold, bool) or not isinstance(threshold, (int, float)) or not math.isfinite(threshold):
                raise ModelError(
                    f"{origin}: expected a number as quality threshold {name}, found {threshold!r}; export the model again"
                )
        if not (8 <= self.width <= 4096 and 8 <= self.height <= 4096 and self.std > 0):
            raise ModelError(
                f"{origin}: expected an input of 8 to 4096 pixels and std > 0, found {self.width}x{self.height}, std {self.std}; "
                "export the model again"
            )


def read_spec(path: str | os.PathLike[str]) -> ModelSpec:
    """The `ModelSpec` of an ONNX file, without loading the file or any ONNX library.

    Raises:
        ModelError: there is no such file, it is not ONNX, or has no spec inside.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            for key, text in _metadata(stream, path.stat().st_size):
                if key == METADATA_KEY:
                    return ModelSpec.from_json(text, str(path))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(
            f"{path}: expected a model file, found none ({reason}); `echo-rt models` lists the shipped ones"
        ) from None
    except (EOFError, UnicodeDecodeError, OverflowError):
        raise ModelError(f"{path}: expected an ONNX file, found something else or a truncated one") from None
    raise ModelError(
        f"{path}: expected an echo-rt model, found a file without an echo-rt spec; make one with `echo-rt export onnx`"
    )


# An ONNX file is one protobuf message, ModelProto, whose field 14 (metadata_props) is a repeated {1: key, 2: value}.
# Walking its top level takes a few lines, and lets the runtime and the TensorRT builder read the spec without the onnx
# package.
_METADATA_PROPS = 14


def _metadata(stream: BinaryIO, end: int) -> Iterator[tuple[str, str]]:
    while stream.tell() < end:
        tag = _varint(stream)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise EOFError
        if wire == 0:
            _varint(stream)
        elif wire in (1, 5):
            stream.seek(8 if wire == 1 else 4, os.SEEK_CUR)
        elif wire == 2:
            length = _varint(stream)
            if stream.tell() + length > end:
                raise EOFError
            if number == _METADATA_PROPS:
                yield _key_value(stream, stream.tell() + length)
            else:
                stream.seek(length, os.SEEK_CUR)
        else:
            raise EOFError


def _key_value(stream: BinaryIO, end: int) -> tuple[str, str]:
    found = {1: "", 2: ""}
    while stream.tell() < end:
        tag = _varint(stream)
        if tag & 7 != 2:
            raise EOFError
        length = _varint(stream)
        if stream.tell() + length > end:
            raise EOFError
        found[tag >> 3] = stream.read(length).decode()
    return found[1], found[2]


def _varint(stream: BinaryIO) -> int:
    result = shift = 0
    while True:
        byte = stream.read(1)
        if not byte or shift > 63:
            raise EOFError
        result |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return result
        shift += 7


@dataclass(frozen=True)
class ShippedModel:
    """A model that comes with echo-rt, in one or more precisions."""

    name: str
    files: Mapping[str, Path]
    spec: ModelSpec

    @property
    def path(self) -> Path:
        """The file that is used when no precision is named."""
        return self.files["fp32"] if "fp32" in self.files else next(iter(self.files.values()))

    @property
    def licence(self) -> str:
        return self.spec.licence

    @property
    def figures(self) -> Mapping[str, Any]:
        return self.spec.figures

    def file(self, precision: str) -> Path:
        """The file of that precision: fp32, fp16 or int8.

        Raises:
            ParameterError: the model is not shipped in that precision.
        """
        if precision not in self.files:
            raise ParameterError(
                f"model {self.name}: expected a precision of {', '.join(self.files)}, found {precision!r}"
            )
        return self.files[precision]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "path": str(self.path),
            "files": {precision: str(path) for precision, path in self.files.items()},
            "licence": self.licence,
            "citation": self.spec.citation,
            "views": list(self.spec.views),
            "input": [self.spec.height, self.spec.width],
            "version": self.spec.version,
            "heads": list(self.spec.heads),
            "state": list(self.spec.state),
            "ef_calibration": None if self.spec.ef_calibration is None else list(self.spec.ef_calibration),
            "figures": dict(self.figures),
        }


DEFAULT_MODEL = "lv-edge"


def models_dir() -> Path:
    """The folder of the shipped models: in the package, or beside it in a source checkout."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "models"
    return installed if installed.is_dir() else here.parents[1] / "models"


def models() -> list[ShippedModel]:
    """The shipped models, the default one first. Files are named ``<name>.<precision>.onnx``."""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(models_dir().glob("*.onnx")):
        name, _, precision = path.name.removesuffix(".onnx").rpartition(".")
        found.setdefault(name, {})[precision] = path
    order = sorted(found, key=lambda name: (name != DEFAULT_MODEL, name))
    shipped = []
    for name in order:
        files: dict[str, Path] = {p: found[name][p] for p in PRECISIONS if p in found[name]}
        if files:
            shipped.append(ShippedModel(name, files, read_spec(next(iter(files.values())))))
    return shipped


def model_path(model: str | os.PathLike[str] | None, precisions: Sequence[Precision] = PRECISIONS) -> Path:
    """The file that a model's name, a name with a precision (``lv-edge.fp32``), or a path stands for; None is the
    default model.

    Args:
        model: see above.
        precisions: of a shipped model that is named without one, the best first. A file of less than FP32 counts where
            its gate passed.

    Raises:
        ModelError: no shipped model has that name, and no file that path.
    """
    text = os.fspath(model) if model is not None else DEFAULT_MODEL
    folder = models_dir()
    if (exact := folder / f"{text}.onnx").is_file():
        return exact
    for precision in precisions:
        shipped = folder / f"{text}.{precision}.onnx"
        if shipped.is_file() and (precision == "fp32" or read_spec(shipped).parity.get("ok") is True):
            return shipped
    path = Path(text)
    if path.is_file():
        return path
    names = sorted({p.name.rsplit(".", 2)[0] for p in folder.glob("*.onnx")})
    raise ModelError(
        f"model {text!r}: expected a file or one of {', '.join(names) or 'no shipped model'}, found neither"
    )
