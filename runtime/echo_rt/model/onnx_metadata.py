"""Reads the contract of an ONNX file without the onnx package."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from echo_rt.errors import ModelError
from echo_rt.model.protobuf import messages, text
from echo_rt.model.spec import METADATA_KEY, ModelSpec

# An ONNX file is one message, ModelProto. Its metadata_props are repeated messages of 1: key, 2: value.
_METADATA_PROPS = 14


def read_spec(path: str | os.PathLike[str]) -> ModelSpec:
    """The `ModelSpec` of an ONNX file, without loading its weights.

    Raises:
        ModelError: there is no such file, it is not ONNX, or has no spec inside.
    """
    path = Path(path)
    try:
        found = dict(_metadata(path))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(
            f"{path}: expected a model file, found none ({reason}); `echo-rt models` lists the shipped ones"
        ) from None
    except ValueError:
        raise ModelError(f"{path}: expected an ONNX file, found something else or a truncated one") from None
    if METADATA_KEY not in found:
        raise ModelError(
            f"{path}: expected an echo-rt model, found a file without an echo-rt spec; "
            "make one with `echo-rt export onnx`"
        )
    return ModelSpec.from_json(found[METADATA_KEY], str(path))


def _metadata(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as stream:
        # Mapped, not read: of the weights no page is touched. An empty file cannot be mapped, a ValueError.
        whole = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    for number, content in messages(whole):
        if number == _METADATA_PROPS:
            pair = {1: "", 2: "", **{n: text(part) for n, part in messages(content)}}
            yield pair[1], pair[2]
