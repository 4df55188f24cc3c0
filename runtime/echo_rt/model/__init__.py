"""What a model file says of itself, and the models that are shipped.

Ground floor: it may import the ground floor alone. Only `half` needs ONNX libraries, and only where it makes a file.
"""

from __future__ import annotations

from echo_rt.model.akinesia import AkinesiaRule
from echo_rt.model.contour import DEFAULT_CONTOUR, ContourRule
from echo_rt.model.graph import check_graph
from echo_rt.model.shipped import DEFAULT_MODEL, ShippedModel, model_path, models, models_dir
from echo_rt.model.spec import (
    CLASSES,
    DEFAULT_QUALITY,
    FORMAT,
    HEADS,
    METADATA_KEY,
    PRECISIONS,
    VIEWS,
    ModelInput,
    ModelSpec,
    Origin,
    Precision,
    Tuning,
    read_spec,
)

__all__ = ["CLASSES", "DEFAULT_CONTOUR", "DEFAULT_MODEL", "DEFAULT_QUALITY", "FORMAT", "HEADS", "METADATA_KEY"]
__all__ += ["PRECISIONS", "VIEWS", "AkinesiaRule", "ContourRule", "ModelInput", "ModelSpec", "Origin", "Precision"]
__all__ += ["ShippedModel", "Tuning", "check_graph", "model_path", "models", "models_dir", "read_spec"]
