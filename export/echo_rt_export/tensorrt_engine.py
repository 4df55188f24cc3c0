"""An ONNX file to a TensorRT engine, without torch and onnx. The work is the runtime's, which builds engines anew by
itself."""

from __future__ import annotations

from pathlib import Path

from echo_rt.engine.tensorrt.build import BuildOptions
from echo_rt.engine.tensorrt.cache import StoredEngine, build_progress, cached_engine, write_engine
from echo_rt.errors import ParameterError


def export_tensorrt(model: Path, target: Path | None = None, options: BuildOptions | None = None) -> StoredEngine:
    """Build the engine of a model for this machine, or take it from the cache, and put a copy at `target` where one is
    named.

    Args:
        model: an echo-rt ONNX file.
        target: the engine file; its record goes beside it. None leaves both in the cache.
        options: of the build.

    Raises:
        ParameterError: `target` is the model.
        EchoRtError: see `echo_rt.engine.tensorrt.cache.cached_engine` and `write_engine`.
    """
    if target is not None and target.exists() and model.exists() and target.samefile(model):
        raise ParameterError(f"{target}: expected a file for the engine, found the model itself; name another one")
    with build_progress() as progress:
        engine = cached_engine(model, options, progress=progress)
    return engine if target is None else write_engine(engine, target)
