"""What a model file says of itself, and the models that are shipped.

Ground floor: may import the ground floor alone, and neither NumPy nor any ONNX library.
"""

from __future__ import annotations

from echo_rt.model.akinesia import AkinesiaRule
from echo_rt.model.contour import DEFAULT_CONTOUR, ContourRule
from echo_rt.model.spec import (
    CLASSES,
    DEFAULT_MODEL,
    DEFAULT_QUALITY,
    FORMAT,
    HEADS,
    METADATA_KEY,
    PRECISIONS,
    VIEWS,
    ModelSpec,
    Precision,
    ShippedModel,
    model_path,
    models,
    models_dir,
    read_spec,
)

__all__ = [
    "CLASSES",
    "DEFAULT_CONTOUR",
    "DEFAULT_MODEL",
    "DEFAULT_QUALITY",
    "FORMAT",
    "HEADS",
    "METADATA_KEY",
    "PRECISIONS",
    "VIEWS",
    "AkinesiaRule",
    "ContourRule",
    "ModelSpec",
    "Precision",
    "ShippedModel",
    "model_path",
    "models",
    "models_dir",
    "read_spec",
]
