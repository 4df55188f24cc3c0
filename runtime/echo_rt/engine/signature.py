"""What engines refuse: a network that contradicts its spec, a foreign state, a frame after the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from echo_rt.errors import EngineClosedError, ModelError, ParameterError
from echo_rt.model import VIEWS, ModelSpec

Shape = Sequence[int | str | None]  # a dimension that is not fixed is a name or None


def check_signature(origin: str, spec: ModelSpec, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> None:
    """Raise ModelError, for the file `origin`, where the shapes that a runtime found are not those of the spec."""
    given = {name: list(shape) for name, shape in inputs.items()}
    found = {**given, **{name: list(shape) for name, shape in outputs.items()}}
    expected: dict[str, object] = {
        "image": [1, 1, *spec.input.grid],
        "logits": [1, len(spec.classes), *spec.input.grid],
        **{name: [1, {"view": len(VIEWS), "confidence": 1}[name]] for name in spec.heads},
        # The spec names the state. The network chooses its shape: what goes in has to come out.
        **{name: given.get(name, "a state tensor") for name in spec.state},
        **{f"{name}_next": given.get(name, "a state tensor") for name in spec.state},
    }
    if found != expected:
        raise ModelError(f"{origin}: its spec says {expected}, the network has {found}; export the model again")


def foreign_state(state: object) -> ParameterError:
    """What to raise at a temporal model's state that an engine did not give."""
    expected = "expected the state that this engine gave with the frame before"
    return ParameterError(f"{expected}, found another {type(state).__name__}; begin with None")


def closed_engine() -> EngineClosedError:
    """What to raise at a frame for an engine that was closed."""
    return EngineClosedError("expected an open engine, found one that was closed; open a new one with open_engine")
