"""The images that are explained: one picture, or some frames of a recording, on the network's grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from echo_rt.errors import ParameterError, SourceFormatError
from echo_rt.model import ModelSpec
from echo_rt.reference.preprocess import preprocess
from echo_rt.segmentation import GridMap, Segmentation
from echo_rt.sources import open_source
from echo_rt.sources.known import IMAGE_SUFFIXES
from echo_rt_train.data.pictures import decoded
from echo_rt_train.explain.attribution import logits_of

MAX_FRAMES = 400
"""Of a source that does not say how long it is: enough for several beats."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One image.

    Attributes:
        name: for the margin of a sheet.
        image: (H, W) or (H, W, 3) BGR uint8.
        x: (1, 1, h, w), what the network sees.
        baseline: likewise, an image without any echo.
        segmentation: by the network.
    """

    name: str
    image: NDArray[np.uint8]
    x: Tensor
    baseline: Tensor
    segmentation: Segmentation


def read_images(recording: str, count: int) -> list[tuple[str, NDArray[np.uint8]]]:
    """A picture, or `count` frames evenly over a recording, with names.

    Raises:
        ParameterError: `count` is not positive.
        SourceError: the recording cannot be read.
    """
    if count < 1:
        raise ParameterError(f"--frames: expected a number from 1 up, found {count}")
    path = Path(recording)
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        image = decoded(path, cv2.IMREAD_COLOR)
        if image is None:
            raise SourceFormatError(f"{path}: expected a readable image, found an unreadable file; give another")
        return [(path.stem, image.astype(np.uint8, copy=False))]
    with open_source(recording) as source:
        promised = source.frames or MAX_FRAMES
        wanted = set(np.linspace(0, promised - 1, min(count, promised)).round().astype(int).tolist())
        found = []
        for number, frame in enumerate(source):
            if number in wanted:
                found.append((f"frame {frame.index}, {frame.t_s:.2f} s", frame.image))
            if number >= max(wanted):
                break
    if not found:
        raise SourceFormatError(f"{recording}: expected frames, found none that could be read; give another recording")
    return found


def subject_of(network: nn.Module, spec: ModelSpec, name: str, image: NDArray[np.uint8]) -> Subject:
    """Bring an image to the grid by the runtime's own preprocessing, and segment it."""
    place = GridMap.letterbox((image.shape[0], image.shape[1]), spec.input.grid)
    x = torch.from_numpy(preprocess(image, place, spec.input.mean, spec.input.std))[None, None]
    # Black, as outside of the sector: no echo. Where the image is black the attributions are then 0, as they should be.
    baseline = torch.full_like(x, (0 - spec.input.mean) / spec.input.std)
    with torch.no_grad():
        probability = logits_of(network(x))[0].softmax(0).numpy()
    return Subject(name, image, x, baseline, Segmentation(probability, probability.argmax(0).astype(np.uint8), place))
