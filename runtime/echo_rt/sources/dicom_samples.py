"""What the samples of a DICOM cine tell of themselves: bits, sign, colours, what is black, and what a window leaves.

Called where `dicom_claims.py` says. Nothing here looks at a header.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from echo_rt.arrays import Image
from echo_rt.sources.dicom_layout import Samples, grey_shares
from echo_rt.sources.dicom_pixels import RGB, YBR, YBR_PARTIAL, Pixels

UNUSED_BITS_SHARE = 0.05
"""Of samples with bits above the stored ones: overlays are drawn there, over less of the picture."""

CLEAR_SHARE, CLEAR_TIMES = 0.3, 4
"""A colour space is told by its grey pixels where they are that share, and so many times those of the other."""

DARKER, DARKER_SHARE = (1, 10), 0.02
"""Luma far below 16, which is black in the range of television, and the share of a picture of the full range that has
it. 0 itself says nothing: bars beside a picture are often drawn with it."""

BLACK_SHARE, BLACK_LEVELS = 0.2, 32
"""The background of an ultrasound picture: at least that share, within one of so many parts of the range."""

WHITE, DARK = (250, 0.3), (32, 0.05)
"""Level and share of a picture that is its own negative: it is white from there on, and hardly dark below."""

LEFT_SHARE, LEAST_BITS = 0.7, 1.0
"""Of the information in a picture that a window of its own leaves: one that cuts off a third of the tissue has 0.85. A
picture that tells less than the second a pixel cannot be judged."""


def stored_bits(samples: Samples, pixels: Pixels) -> Pixels:
    """`pixels` with the bits that the samples of a frame, as they lie in the file, use."""
    if pixels.stored == pixels.bits:
        return pixels
    shift = pixels.high + 1 - pixels.stored
    if shift and np.any(samples & ((1 << shift) - 1)):
        shift = 0
    above = samples >> (pixels.stored + shift) if pixels.stored + shift < pixels.bits else np.zeros_like(samples)
    half = 1 << (pixels.stored - 1)
    values = samples.view(f"i{samples.itemsize}")
    extended = pixels.signed and bool(np.all((values >= -half) & (values < half)))
    if not extended and np.ptp(above):  # what is the same in all samples is no level
        levels = samples >> shift
        smoother = variation(levels) < variation(levels & ((1 << pixels.stored) - 1))
        if smoother or np.count_nonzero(above) > UNUSED_BITS_SHARE * samples.size:
            return replace(pixels, stored=pixels.bits, high=pixels.bits - 1)
    return replace(pixels, high=pixels.stored + shift - 1)


def colours_of(samples: Samples, meaning: str, bits: int) -> str:
    """What (H, W, 3) samples mean: as stated, unless their grey pixels and their background clearly say otherwise."""
    as_rgb, as_ybr = grey_shares(samples, max(bits, 8))
    if meaning in (*YBR, *YBR_PARTIAL) and as_rgb > max(CLEAR_SHARE, CLEAR_TIMES * as_ybr):
        return "RGB"
    if meaning in YBR_PARTIAL:
        luma = samples[..., 0] >> max(bits - 8, 0)
        far_below = float(np.mean((luma >= DARKER[0]) & (luma <= DARKER[1])))
        return "YBR_FULL" if far_below >= DARKER_SHARE else meaning
    if meaning in RGB and as_ybr > max(CLEAR_SHARE, CLEAR_TIMES * as_rgb):
        return "YBR_FULL"
    return meaning


def is_unsigned(samples: Samples, stored: int) -> bool:
    """Whether grey samples that are called signed are not: their background is at 0, and not at the least number."""
    top = 1 << stored
    levels = samples.view(f"u{samples.itemsize}") & (top - 1)
    part = max(top // BLACK_LEVELS, 1)
    black = float(np.mean(levels < part))
    least = float(np.mean((levels >= top // 2) & (levels < top // 2 + part)))
    below = float(np.mean(levels >= top - part))
    return black >= BLACK_SHARE and black > max(least, 2 * below)


def is_signed(samples: Samples, stored: int) -> bool:
    """Whether grey samples that are called unsigned are signed: the range of their levels runs across its end.

    Then it is smoother once its upper half is put below the lower one, or its background is in its middle. A picture
    with much pure black or white begins or ends there, and is what it is called.
    """
    top = 1 << stored
    levels = samples & (top - 1)
    part = max(top // BLACK_LEVELS, 1)
    ends = float(np.mean(levels < part)), float(np.mean(levels >= top - max(part // 8, 256 - WHITE[0])))
    moved = levels ^ (top >> 1)
    rough, smooth = variation(levels), variation(moved)
    if stored > 8 and not np.any((levels >= top // 8) & (levels < top - top // 8)):  # a few bits of many, around 0
        return 2 * smooth < rough
    if max(ends) >= BLACK_SHARE:
        return False
    return 2 * smooth < rough or (smooth <= rough and float(np.mean(moved < part)) >= BLACK_SHARE)


def with_sign(samples: Samples, signed: bool, stored: int) -> Samples:
    """Grey samples with so many stored bits, read as signed or as unsigned numbers."""
    levels = samples.view(f"u{samples.itemsize}") & ((1 << stored) - 1)
    half = levels.dtype.type(1 << (stored - 1))
    return ((levels ^ half) - half).view(f"i{samples.itemsize}") if signed else levels


def variation(samples: Samples) -> int:
    """The sum of the differences between neighbours in the rows of (H, W, ...)."""
    return int(np.abs(np.diff(samples.astype(np.int32), axis=1)).sum(dtype=np.int64))


def is_inverted(image: Image) -> bool:
    """Whether a grey image is a negative: the background of an ultrasound picture is never white."""
    return bool(np.mean(image >= WHITE[0]) >= WHITE[1] and np.mean(image < DARK[0]) < DARK[1])


def is_blinding(image: Image, without: Image) -> bool:
    """Whether a window leaves so little of a picture that it is of another one: nearly black, white, or both.

    Args:
        image: the picture through the window.
        without: the same picture without it.
    """
    told = information(without)
    return told >= LEAST_BITS and information(image) < LEFT_SHARE * told


def information(image: Image) -> float:
    """Bits that tell the level of a pixel."""
    shares = np.bincount(image.ravel(), minlength=256) / image.size
    return float(-np.sum(shares[shares > 0] * np.log2(shares[shares > 0])))
