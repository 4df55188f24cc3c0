"""The models that come with echo-rt: their files, and what a model's name stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from echo_rt.errors import ModelError, ParameterError
from echo_rt.model.onnx_metadata import read_spec
from echo_rt.model.spec import PRECISIONS, ModelSpec, Precision


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
