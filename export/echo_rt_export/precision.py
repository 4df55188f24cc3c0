"""An FP32 network in INT8; `echo_rt.model.half` makes FP16."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

from echo_rt.engine import Engine
from echo_rt.engine.preprocess import Preprocess
from echo_rt.errors import OutputError
from echo_rt.sources import open_source
from echo_rt_export.blocks import in_blocks, share_scales

Feed: TypeAlias = dict[str, NDArray[np.float32]]
"""The inputs of the network for one frame, by name."""

QUANTISED = ("Conv", "ConvTranspose", "Gemm", "MaxPool", "Concat", "Relu", "Reshape", "Transpose")
"""What is computed in INT8: the multiply-adds and what only passes numbers on between them. The gates and sums of a
memory stay in FP32: an error there would be handed from frame to frame."""

MAX_CALIBRATION_FRAMES = 64
"""The calibrator holds every activation of every frame, some 12 MB a frame."""

PERCENTILE = 99.999
"""Share of each activation that the 8 bits cover. The largest value of all, alone, costs a tenth of the agreement of
the wall's masks."""


def to_int8(
    model: onnx.ModelProto, feeds: Sequence[Feed], keep: Sequence[str] = (), symmetric: bool = False
) -> onnx.ModelProto:
    """Static quantisation to 8 bits, written as QuantizeLinear and DequantizeLinear pairs; weights with a scale for
    each channel.

    Args:
        model: in FP32; it is left as it is.
        feeds: of `calibration_feeds`.
        keep: names of nodes that stay in FP32.
        symmetric: activations are signed, with a zero point of 0: TensorRT takes no other. Else they are unsigned with
            a zero point of their own: behind a ReLU all 8 bits are used then, and processors multiply unsigned by
            signed bytes. What is unsigned is also made `in_blocks`, as ONNX Runtime has it fastest.

    Raises:
        OutputError: there is no room for temporary files.
    """
    if not symmetric:
        model = in_blocks(model)
    try:
        try:
            return _quantise(model, feeds, keep, symmetric, CalibrationMethod.Percentile)
        except ValueError:
            # It has no histogram for an activation that is all but constant, such as a head that says the same of every
            # frame.
            return _quantise(model, feeds, keep, symmetric, CalibrationMethod.MinMax)
    except OSError as error:
        where = tempfile.gettempdir()
        raise OutputError(
            f"{where}: expected room for temporary files, found {error.strerror or error}; free some space"
        ) from None


def _quantise(
    model: onnx.ModelProto,
    feeds: Sequence[Feed],
    keep: Sequence[str],
    symmetric: bool,
    method: CalibrationMethod,
) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)  # the quantiser moves the weights of what it is given into a file of its own
    # Says to it that the shapes are known; it would warn otherwise.
    onnx.helper.set_model_props(copy, {"onnx.quant.pre_process": "onnxruntime.quant"})
    # The calibrator prints its progress.
    with tempfile.TemporaryDirectory(prefix="echo-rt-") as folder, contextlib.redirect_stdout(io.StringIO()):
        target = Path(folder) / "int8.onnx"
        quantize_static(
            copy, target, _Feeds(feeds), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8, weight_type=QuantType.QInt8,
            op_types_to_quantize=list(QUANTISED), nodes_to_exclude=list(keep), calibrate_method=method,
            # Biases stay in FP32: TensorRT dequantises 8 bits alone, and ONNX Runtime quantises them itself when it
            # loads the file.
            extra_options={
                "ActivationSymmetric": symmetric,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "CalibPercentile": PERCENTILE,
            },
        )  # fmt: skip
        return share_scales(onnx.load(target))


def calibration_feeds(model: onnx.ModelProto, engine: Engine, recordings: Sequence[str]) -> list[Feed]:
    """Inputs of the network for frames of hearts, evenly over all recordings, `MAX_CALIBRATION_FRAMES` to twice as many
    at most.

    Args:
        model: whose inputs are filled: the image, and the state as the frames before left it.
        engine: of the same model; it says what that state is.
        recordings: what `open_source` takes.
    """
    feeds: list[Feed] = []
    step = 1
    for count, feed in enumerate(_all_feeds(model, engine, recordings)):
        if count % step == 0:
            feeds.append(feed)
        if len(feeds) > 2 * MAX_CALIBRATION_FRAMES:
            feeds, step = feeds[::2], 2 * step
    return feeds


def _all_feeds(model: onnx.ModelProto, engine: Engine, recordings: Sequence[str]) -> Iterator[Feed]:
    spec = engine.spec
    preprocess = Preprocess(spec.input.grid, spec.input.mean, spec.input.std)
    shapes = {value.name: [side.dim_value for side in value.type.tensor_type.shape.dim] for value in model.graph.input}
    for recording in recordings:
        state = {name: np.zeros(shapes[name], np.float32) for name in spec.state}
        with open_source(recording) as source:
            for frame in source:
                image = np.empty(shapes["image"], np.float32)
                preprocess(frame.image, image[0, 0])
                yield {"image": image, **state}
                # The state of an engine on a processor is what its network's inputs take.
                state = cast(Feed, engine.segment(frame.image, state or None).state or {})


class _Feeds(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
    """What the calibrator asks for: one feed after the other, then None."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)
