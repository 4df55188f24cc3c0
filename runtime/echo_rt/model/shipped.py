"""The models that come with echo-rt: their files, and what a model's name stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from echo_rt.errors import ModelError, ParameterError, did_you_mean
from echo_rt.model.half import RECIPE, half_file, read_recipe
from echo_rt.model.spec import PRECISIONS, ModelSpec, Precision, read_spec

DEFAULT_MODEL = "lv-edge"


@dataclass(frozen=True, repr=False)
class ShippedModel:
    """A model that comes with echo-rt, in one or more precisions; `spec` is that of `path`."""

    name: str
    files: Mapping[str, Path]
    """Of each precision the .onnx file, or the recipe that makes it at its first use."""
    spec: ModelSpec

    def __repr__(self) -> str:
        return f"<ShippedModel {self.name} {self.spec.version}: {', '.join(self.files)}>"

    @property
    def path(self) -> Path:
        """The file that is used when no precision is named."""
        return self.files["fp32"] if "fp32" in self.files else self.file(next(iter(self.files)))

    @property
    def licence(self) -> str:
        return self.spec.origin.licence

    @property
    def figures(self) -> Mapping[str, Any]:
        return self.spec.origin.figures

    def file(self, precision: str) -> Path:
        """The .onnx file of that precision: fp32, fp16 or int8. One with a recipe is made at its first use.

        Raises:
            ParameterError: the model is not shipped in that precision.
            MissingExtraError, ModelError, OutputError: it could not be made.
        """
        if precision not in self.files:
            expected = f"expected a precision of {', '.join(self.files)}"
            raise ParameterError(f"model {self.name}: {expected}, found {precision!r}")
        return _made(self.files[precision])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        calibration = self.spec.tuning.ef_calibration
        return {
            "name": self.name,
            "path": str(self.path),
            "precisions": list(self.files),
            "files": {precision: str(path) for precision, path in self.files.items() if path.suffix == ".onnx"},
            "licence": self.licence,
            "citation": self.spec.origin.citation,
            "views": list(self.spec.views),
            "input": list(self.spec.input.grid),
            "version": self.spec.version,
            "heads": list(self.spec.heads),
            "state": list(self.spec.state),
            "ef_calibration": calibration and list(calibration),
            "figures": dict(self.figures),
        }


def models_dir() -> Path:
    """The folder of the shipped models: in the package, or beside it in a source checkout."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "models"
    return installed if installed.is_dir() else here.parents[1] / "models"


def models() -> list[ShippedModel]:
    """The shipped models, the default one first. Files are named ``<name>.<precision>.onnx``."""
    shipped = _files(models_dir())
    return [ShippedModel(name, shipped[name], _spec(next(iter(shipped[name].values())))) for name in names()]


def names() -> list[str]:
    """Of the shipped models, in the order of `models`, without a look into their files."""
    return sorted(_files(models_dir()), key=lambda name: (name != DEFAULT_MODEL, name))


def model_path(model: str | os.PathLike[str] | None, precisions: Sequence[Precision] = PRECISIONS) -> Path:
    """The file of a model's name, a name with a precision (``lv-edge.fp32``), a path, or None for the default model.

    Args:
        precisions: for a name without one, the best first. A file of less than FP32 counts where its gate passed.

    Raises:
        ModelError: no shipped model has that name, and no file that path.
        MissingExtraError, OutputError: an FP16 file could not be made.
    """
    text = os.fspath(model) if model is not None else DEFAULT_MODEL
    folder = models_dir()
    if (exact := folder / f"{text}.onnx").is_file():
        return exact
    shipped = _files(folder)
    name, _, named = text.rpartition(".")
    if named in shipped.get(name, {}):
        return _made(shipped[name][named])
    files = shipped.get(text, {})
    for precision in precisions:
        if precision in files and (precision == "fp32" or _spec(files[precision]).parity.get("ok") is True):
            return _made(files[precision])
    if (path := Path(text)).is_file():
        return path
    known = ", ".join(sorted(shipped)) or "no shipped model"
    near = did_you_mean(text, shipped)
    raise ModelError(f"model {text!r}: expected a file or one of {known}, found neither{near}")


def _files(folder: Path) -> dict[str, dict[str, Path]]:
    """For each model in the folder, the .onnx file of each precision, or its recipe; in the order of `PRECISIONS`."""
    found: dict[str, dict[str, Path]] = {}
    for suffix in (".fp32.onnx", ".fp16.onnx", RECIPE, ".int8.onnx"):
        for path in folder.glob(f"*{suffix}"):
            found.setdefault(path.name.removesuffix(suffix), {}).setdefault(suffix.split(".")[1], path)
    return found


def _spec(path: Path) -> ModelSpec:
    return read_recipe(path) if path.suffix == ".json" else read_spec(path)


def _made(path: Path) -> Path:
    return half_file(path) if path.suffix == ".json" else path
