"""NIfTI images and sequences, as (frames, rows, columns) with square pixels.

Read with nibabel: pure Python, and it reads a header without its pixels; SimpleITK brings 50 MB of binaries for the
same two facts.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import MissingExtraError
from echo_rt_train.data.sample import SampleError
from echo_rt_train.data.tables import is_file

MOST_PIXELS = 2**28
"""Of all frames: a thousand of 512x512."""

SQUARE = 0.01
"""Pixels whose sides differ by less than this share count as square: headers round."""

Spacing: TypeAlias = tuple[float, float]
"""Height and width of a pixel in mm."""


def nifti(path: Path) -> Any:
    """A NIfTI file with its header read.

    Raises:
        SampleError: it is missing or not NIfTI.
        MissingExtraError: nibabel is not installed.
    """
    try:
        import nibabel
    except ImportError:
        raise MissingExtraError("reading NIfTI", "train") from None
    if not is_file(path):  # a pipe would block
        raise SampleError(f"{path}: expected a NIfTI file, found no file", "missing file")
    try:
        found: Any = nibabel.load(path)
        if len(found.shape) < 2 or 0 in found.shape or len(found.header.get_zooms()) < 2:
            raise ValueError(f"expected pictures, found an array of {found.shape}")
        return found
    except Exception as error:  # noqa: BLE001 - nibabel does not say what a damaged header raises
        raise SampleError(
            f"{path}: expected a NIfTI file, found none that can be read ({type(error).__name__}); copy it again"
        ) from None


def spacing_of(image: Any) -> Spacing:
    """Height and width of a pixel in mm as stored: NIfTI's first axis is x, its second y."""
    x, y = (float(zoom) for zoom in image.header.get_zooms()[:2])
    return y, x


def frames_of(path: Path, labels: bool) -> tuple[NDArray[np.uint8], Spacing]:
    """All frames (N, H, W) uint8 of a NIfTI file stored as (x, y), (x, y, 1) or (x, y, t), and its spacing, with square
    pixels.

    Where pixels are not square, the coarser side is stretched to the finer one: the network keeps aspect ratios, and so
    has to be given hearts in theirs.

    Raises:
        SampleError: it cannot be read, or holds something else than 8 bits.
    """
    image = nifti(path)
    if math.prod(image.shape) > MOST_PIXELS:
        raise SampleError(f"{path}: expected at most {MOST_PIXELS} pixels, found a header of {image.shape}")
    try:
        stored = np.asanyarray(image.dataobj)
    except Exception as error:  # noqa: BLE001 - as above
        raise SampleError(
            f"{path}: expected a whole NIfTI file, found a damaged one ({type(error).__name__}); copy it again"
        ) from None
    if stored.ndim == 4 and stored.shape[2] == 1:  # (x, y, 1, t)
        stored = stored[:, :, 0]
    if stored.ndim not in (2, 3) or stored.size == 0:
        raise SampleError(f"{path}: expected (x, y) or (x, y, t) pixels, found {stored.shape}")
    values = np.atleast_3d(stored).transpose(2, 1, 0)
    whole = np.rint(values)
    if (
        not np.isfinite(whole).all()
        or whole.min() < 0
        or whole.max() > 255
        or (labels and not np.array_equal(whole, values))
    ):
        kind = "unknown labels" if labels else "unreadable file"
        wanted = "whole labels" if labels else "grey levels"
        raise SampleError(f"{path}: expected {wanted} from 0 to 255, found {values.min():g} to {values.max():g}", kind)
    return _square(whole.astype(np.uint8), spacing_of(image), labels)


def square_spacing(spacing: Spacing) -> Spacing:
    """Of the pixels that `frames_of` gives: as stored where they are square, else the finer side's."""
    fine = min(spacing)
    return spacing if not fine > 0 or max(spacing) / fine - 1 < SQUARE else (fine, fine)


def _square(frames: NDArray[np.uint8], spacing: Spacing, labels: bool) -> tuple[NDArray[np.uint8], Spacing]:
    wanted = square_spacing(spacing)
    if wanted == spacing:
        return frames, spacing
    size = round(frames.shape[2] * spacing[1] / wanted[1]), round(frames.shape[1] * spacing[0] / wanted[0])
    how = cv2.INTER_NEAREST_EXACT if labels else cv2.INTER_LINEAR
    return np.stack([cv2.resize(frame, size, interpolation=how) for frame in frames]).astype(np.uint8), wanted
