"""The image that the stored samples of a DICOM frame make."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut

from echo_rt.arrays import Array, Image
from echo_rt.sources.dicom_header import number, text
from echo_rt.sources.dicom_layout import Samples
from echo_rt.sources.dicom_pixels import GREY, PALETTE, RGB, YBR_PARTIAL
from echo_rt.sources.dicom_samples import is_blinding, is_inverted
from echo_rt.sources.levels import significant_bits, to_eight_bits

Render = Callable[[Samples], Image]
"""From the stored samples of a frame to its image."""


class Renderer:
    """Makes the images of frames. What it needs for each meaning is made once, and stays.

    Args:
        header: for windows and palettes.
        stored: bits that the levels use.
        looks: frames from all over the clip as stored, and what they mean: one frame may be dark, or a title.
        notes: what of the header would leave no picture is added here.
    """

    def __init__(self, header: Dataset, stored: int, looks: list[tuple[Samples, str]], notes: list[str]) -> None:
        self._header, self._stored, self._looks, self._notes = header, stored, looks, notes
        self._renders: dict[str, Render] = {}

    def __call__(self, samples: Samples, meaning: str) -> Image:
        """(H, W) grey or (H, W, 3) BGR of stored samples."""
        if meaning not in self._renders:
            looks = [look for look, means in self._looks if means == meaning]
            seen = np.concatenate(looks or [samples])
            self._renders[meaning] = renderer(self._header, seen, meaning, self._stored, self._notes)
        return self._renders[meaning](samples)

    def looks(self) -> list[Image]:
        """The images of the looks, those that have one."""
        images = []
        for samples, meaning in self._looks:
            try:
                images.append(self(samples, meaning))
            except Exception:  # noqa: BLE001, PERF203 - the loop over all frames counts and names it
                continue
        return images


def renderer(header: Dataset, seen: Samples, meaning: str, stored: int, notes: list[str]) -> Render:
    """What makes an image of the samples of a frame; a table, where it needs one, is made of the samples `seen`.

    `stored` is the number of bits that the levels use. What of the header would leave no picture is noted in `notes`.
    """
    unsigned = np.dtype(f"u{seen.dtype.itemsize}")
    if meaning in GREY:
        return _grey(header, seen, meaning, notes)
    if meaning in PALETTE:
        try:
            colours = apply_color_lut(np.arange(1 << 8 * unsigned.itemsize, dtype=unsigned), header)[:, 2::-1]
        except Exception:  # noqa: BLE001 - pydicom raises what a damaged table happens to raise
            notes.append("the header has no palette that can be used: its samples are shown as grey levels")
            return _grey(header, seen, "MONOCHROME2", notes)
        palette = np.ascontiguousarray(to_eight_bits(colours, significant_bits(colours)))
        return lambda samples: np.take(palette, samples.view(unsigned), axis=0)
    # Three samples as stored, in 16 bits, may use fewer than the header says.
    bits = min(max(8, stored), significant_bits(seen.view(unsigned)))

    def eight(samples: Samples) -> Image:
        return samples.view(np.uint8) if unsigned.itemsize == 1 else to_eight_bits(samples.view(unsigned), bits)

    if meaning in RGB:
        return lambda samples: np.asarray(cv2.cvtColor(eight(samples), cv2.COLOR_RGB2BGR), np.uint8)
    matrix = _YBR_PARTIAL_TO_BGR if meaning in YBR_PARTIAL else _YBR_TO_BGR
    return lambda samples: np.asarray(cv2.transform(eight(samples), matrix), np.uint8)


def _grey(header: Dataset, seen: Samples, meaning: str, notes: list[str]) -> Render:
    unsigned = np.dtype(f"u{seen.dtype.itemsize}")
    negative = meaning == "MONOCHROME1"
    plain = seen.dtype == np.uint8
    table = np.arange(256, dtype=np.uint8) if plain else _grey_table(header, seen, notes)
    shown = np.take(table, seen.view(unsigned))
    if is_inverted(255 - shown if negative else shown):
        notes.append(f"the header says {meaning}, and its picture is a negative: it is shown with a dark background")
        negative = not negative
    if plain and not negative:
        return lambda samples: samples
    table = 255 - table if negative else table
    return lambda samples: np.take(table, samples.view(unsigned))


def _grey_table(header: Dataset, seen: Samples, notes: list[str]) -> Image:
    """(256,) or (65536,): the grey level of each stored sample, its bits read as an unsigned number."""
    unsigned = np.dtype(f"u{seen.dtype.itemsize}")
    stored = np.arange(1 << 8 * unsigned.itemsize, dtype=unsigned).view(seen.dtype).astype(np.int64)
    if unsigned.itemsize == 1:
        return (stored - np.iinfo(seen.dtype).min).astype(np.uint8)
    # Signed samples begin anywhere, unsigned ones at 0; or far from it, where they are signed after all.
    lowest = int(seen.min())
    lowest = 0 if seen.dtype == unsigned and 2 * lowest <= int(seen.max()) else lowest
    plain = to_eight_bits(np.maximum(stored - lowest, 0), significant_bits(seen.astype(np.int64) - lowest))
    if (windowed := _window(header, stored)) is not None:
        if not is_blinding(np.take(windowed, seen.view(unsigned)), np.take(plain, seen.view(unsigned))):
            return windowed
        notes.append("the window of the header leaves little of the picture, and is not used")
    return plain


def _window(header: Dataset, stored: NDArray[np.int64]) -> Image | None:
    """Grey levels by the window of the header (PS3.3 C.11.2.1), 0 to 255; None where it has none that can be used."""
    centre, width = number(header, "WindowCenter"), number(header, "WindowWidth")
    if not (math.isfinite(centre) and 0 < width < math.inf):
        return None
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    slope = slope if math.isfinite(slope) and slope else 1.0
    values = stored * slope + (intercept if math.isfinite(intercept) else 0.0)
    function = text(header, "VOILUTFunction").upper()
    if function == "SIGMOID":
        levels = 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -500, 500)))
    elif function == "LINEAR_EXACT" or width <= 1:
        levels = (values - centre) / width + 0.5
    else:
        levels = (values - (centre - 0.5)) / (width - 1) + 0.5
    return np.asarray(np.rint(255 * np.clip(levels, 0, 1)), np.uint8)


def _affine(matrix: Array, zero: tuple[float, float, float]) -> Array:
    """(3, 4), for cv2.transform, of ``matrix @ (ybr - zero)``."""
    return np.hstack([matrix, -(matrix @ np.asarray(zero))[:, None]])


# Rows B, G, R of BT.601: over all 256 levels as in JPEG, and over the 219 and 224 levels of television.
_YBR_TO_BGR = _affine(np.array([[1, 1.772, 0], [1, -0.344136, -0.714136], [1, 0, 1.402]]), (0, 128, 128))
_YBR_PARTIAL_TO_BGR = _affine(
    np.array([[255, 451.6, 0], [255, -87.7, -182.0], [255, 0, 357.3]]) / np.array([219, 224, 224]), (16, 128, 128)
)
