"""Uncompressed DICOM pixels: how the samples of a frame may lie in its bytes, and how much like a picture it looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from echo_rt.sources.dicom_element import Element

Samples = NDArray[Any]
"""(H, W) or (H, W, 3), uint8 or uint16, as stored."""

BAND_PIXELS = 150_000
"""Of a large frame, the rows in its middle that hold so many tell enough."""

GREY_LEVELS = 6
"""A pixel is grey if its colours differ by so many levels of 256: JPEG's own error."""

PAIRS = 3
"""Pairs of neighbouring frames that are compared: three planes of one picture must not pass for three frames."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the samples of a frame lie in its bytes.

    Attributes:
        samples: 1 or 3 a pixel.
        bits: 8 or 16 of each.
        subsampled: two pixels of a row share their chroma, Y1 Y2 Cb Cr (PS3.3 C.7.6.3.1.2).
        planar: one whole plane a colour, instead of colour by pixel.
        big: 16-bit samples begin with their upper byte.
        swapped: 8-bit samples are exchanged in pairs, as words of the other byte order.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    subsampled: bool = False
    planar: bool = False
    big: bool = False
    swapped: bool = False

    @property
    def frame_bytes(self) -> int:
        return self.rows * self.columns * (2 if self.subsampled else self.samples * self.bits // 8)

    def variants(self) -> Iterator[Layout]:
        """This layout, and those of the same length that differ in the order of its bytes."""
        yield self
        if self.samples == 3 and not self.subsampled:
            yield replace(self, planar=not self.planar)
        if self.bits == 16:
            yield replace(self, big=not self.big)
        if self.swapped:
            yield replace(self, swapped=False)

    def read(self, element: Element, index: int) -> Samples:
        """The samples of a frame.

        Raises:
            ValueError: the element ends before it does.
        """
        first, length = index * self.frame_bytes, self.frame_bytes
        if not self.swapped:
            return self._samples(np.frombuffer(element.read(element.start + first, length), np.uint8))
        # A frame of odd length begins or ends within a pair.
        pairs = slice(first // 2 * 2, (first + length + 1) // 2 * 2)
        words = np.frombuffer(element.read(element.start + pairs.start, pairs.stop - pairs.start), "<u2")
        odd = first - pairs.start
        return self._samples(words.byteswap().view(np.uint8)[odd : odd + length])

    def _samples(self, data: NDArray[np.uint8]) -> Samples:
        if data.size != self.frame_bytes:
            raise ValueError(f"{data.size} of {self.frame_bytes} bytes")
        stored: Samples = data if self.bits == 8 else data.view(">u2" if self.big else "<u2").astype(np.uint16)
        if self.subsampled:
            pairs = stored.reshape(-1, 4)
            full = np.empty((len(pairs), 2, 3), stored.dtype)
            full[..., 0], full[..., 1:] = pairs[:, :2], pairs[:, None, 2:]
            return full.reshape(self.rows, self.columns, 3)
        if self.samples == 1:
            return stored.reshape(self.rows, self.columns).copy()
        if self.planar:
            return np.ascontiguousarray(stored.reshape(3, self.rows, self.columns).transpose(1, 2, 0))
        return stored.reshape(self.rows, self.columns, 3).copy()


def roughness(layout: Layout, element: Element, frames: int) -> float | None:
    """How unlike a cine the frames look: 0.2 to 0.6 where the layout is right, and mostly above 1 where it is not.

    Differences between neighbours below, beside and in the next frame, over the contrast and the share of what is grey.
    None where it cannot be judged: nothing is there, or all of it is the same.
    """
    first = max(0, min(frames // 2, frames - 1 - PAIRS))
    half = max(BAND_PIXELS // (2 * layout.columns), 2)
    band = slice(max(layout.rows // 2 - half, 0), layout.rows // 2 + half)
    shown = range(first, min(frames, first + 1 + PAIRS))
    try:
        pictures = [layout.read(element, index)[band].astype(np.float32) for index in shown]
    except ValueError:
        return None
    if not pictures:
        return None
    picture = pictures[0]
    contrast = float(np.abs(picture - picture.mean(axis=(0, 1))).sum())
    if not contrast:
        return None
    below, beside = np.abs(np.diff(picture, axis=0)).sum(), np.abs(np.diff(picture, axis=1)).sum()
    after = max((np.abs(one - other).sum() for one, other in pairwise(pictures)), default=0.0)
    rough = float(below + beside + after) / contrast
    if picture.ndim == 3:
        rough /= max(*grey_shares(picture, layout.bits), 0.1)
    return 3 * rough if layout.bits == 16 and _is_pairs(picture) else rough


def grey_shares(picture: NDArray[Any], bits: int) -> tuple[float, float]:
    """The shares of (H, W, 3) that are grey, read as RGB, and read as YBR; what is grey either way counts for none."""
    levels = picture / np.float32(1 << (bits - 8))
    rgb = np.ptp(levels, axis=2) <= GREY_LEVELS
    ybr = np.abs(levels[..., 1:] - 128).max(axis=2) <= GREY_LEVELS
    return float(np.mean(rgb & ~ybr)), float(np.mean(ybr & ~rgb))


def _is_pairs(picture: NDArray[np.float32]) -> bool:
    """Whether the two bytes of 16-bit samples are as alike as two pixels side by side."""
    upper, lower = picture // 256, picture % 256
    return float(np.abs(upper - lower).mean()) < 0.5 * float(np.abs(upper - upper.mean()).mean())
