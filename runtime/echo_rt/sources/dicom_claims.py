"""Where the claims of a DICOM header are held against the data.

A header outlives what is done to its pixels: they are decompressed, cropped, cut and converted, and it stays. So each
claim is believed where the data agree. Where they do not, the data win with a note, or the recording is refused.

- TransferSyntaxUID: item tags and the first bytes of the frames (`dicom_stills.py`).
- NumberOfFrames, offset tables: fragments that begin a frame, tags of the items (`frame_groups`); the length of
  uncompressed pixels (`fitting`).
- Rows and Columns: where the runs of RLE end (`rle_size` in `dicom_codestream.py`), and as the next.
- Rows, Columns, SamplesPerPixel, BitsAllocated: the codestream (`Pixels.as_coded` in `dicom_pixels.py`); the length of
  uncompressed pixels, and the layout in which they look like a cine (`fitting`, `best_fit`). PlanarConfiguration and
  the order of bytes likewise.
- BitsStored, HighBit: the bits that the samples use (`stored_bits`).
- WindowCenter, WindowWidth: how much of the picture they leave (`is_blinding`).
- PhotometricInterpretation: the reading in which tissue is grey and the background dark (`colours_of`, `is_inverted`).
- PixelRepresentation: where the black of the background lies (`is_unsigned`, `is_signed`).
- The place of a calibrated region: where the picture moves (`moves_outside`).

Clocks and scales are held against one another, and against hearts and chests, in `dicom_clock.py` and
`dicom_scale.py`. No note quotes a text of the header: it could be a name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from echo_rt.arrays import Image
from echo_rt.sources.dicom_codestream import begins_frame, ends_frame, is_rle
from echo_rt.sources.dicom_element import Element, Item, PixelSequence
from echo_rt.sources.dicom_layout import Layout, roughness
from echo_rt.sources.dicom_scale import Box

Frames = tuple[tuple[Item, ...], ...]
"""The fragments of each frame."""

MIN_ROUGHNESS, MAX_ROUGHNESS = 0.15, 1.2
"""Of a cine that is read rightly. Whole pictures have 0.2 to 0.6, small ones full of tissue up to 1. Wrong layouts
have 1.2 to 17, and some 0.6 beside a right one of 0.4. What is smoother than the least is drawn, and is not judged."""

SMOOTHER, TURNED_SMOOTHER, MUCH_SMOOTHER = 1.1, 1.3, 2.0
"""Times by which one layout must look more like a cine than another that was trusted more; the last for another order
of bytes, which makes noise of 12 bits, and nothing else of 8. Rows for columns shear a picture that is almost square by
little."""

KINDS = ((1, 8, False), (3, 8, False), (3, 8, True), (1, 16, False), (3, 16, False))
"""Samples, bits and subsampling of the pixels there are."""

MOTION_LEVELS, MOTION_SHARE, MOTION_INSIDE = 16, 0.005, 0.5
"""Grey levels by which a pixel changes that moves, the share of a picture that is enough to judge, and the least share
of it that lies in the regions of a header that is about this picture."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A layout that fits the length of the pixel data, and the number of its frames."""

    layout: Layout
    frames: int


def fitting(claim: Layout, frames: int, length: int) -> list[Fit]:
    """The layouts that fit uncompressed pixels of `length` bytes, the most trusted first.

    Those of the claim alone, where it fits. Else another kind of pixels, another number of frames, and last another
    size of the picture.

    Args:
        claim: the layout that the header claims, perhaps of bits that nobody has.
        frames: that the header claims; 0 where it does not say, or says 1.
    """
    usual = claim.bits in (8, 16)
    if frames and usual and is_length(length, frames * claim.frame_bytes):
        swapped = replace(claim, rows=claim.columns, columns=claim.rows)
        shapes = [claim, swapped] if claim.rows != claim.columns else [claim]
        return [Fit(layout, frames) for shape in shapes for layout in shape.variants()]
    kinds = [replace(claim, samples=s, bits=b, subsampled=sub) for s, b, sub in KINDS]
    kinds = [
        kind for kind in kinds if kind.frame_bytes and (not kind.subsampled or claim.rows * claim.columns % 2 == 0)
    ]
    found = [(kind, frames) for kind in kinds if frames and is_length(length, frames * kind.frame_bytes)]
    fewer = length // claim.frame_bytes if usual else 0
    # A single picture is no recording: it is the last that is thought of.
    if fewer and is_length(length, fewer * claim.frame_bytes) and (fewer > 1 or not found):
        found.append((claim, fewer))
    if not frames:
        found += [(kind, length // kind.frame_bytes) for kind in kinds if length % kind.frame_bytes <= 1]
    elif usual:
        excess = length - frames * claim.frame_bytes
        found += [(claim, frames)] * (excess >= claim.frame_bytes)
        rows = length / (claim.frame_bytes / claim.rows * frames)
        columns = length / (claim.frame_bytes / claim.columns * frames)
        # A picture two or three times as wide or high is one of more bytes a pixel.
        found += [(replace(claim, rows=int(rows)), frames)] * _is_size(rows, claim.rows)
        found += [(replace(claim, columns=int(columns)), frames)] * _is_size(columns, claim.columns)
        found += [(claim, frames)] * (0 < excess < claim.frame_bytes)
    return [Fit(layout, many) for kind, many in found if many for layout in kind.variants()]


def best_fit(fits: Sequence[Fit], element: Element, most: float) -> Fit | None:
    """The most trusted of those that look most like a cine; None if even the best is rougher than `most`."""
    if len(fits) == 1 and most == math.inf:
        return fits[0]
    judged = []
    for fit in fits:
        rough = roughness(fit.layout, element, min(fit.frames, element.available // fit.layout.frame_bytes))
        if rough is not None:
            judged.append((rough, fit))
    if not judged:
        return fits[0] if fits else None
    least, best = min(judged, key=lambda one: one[0])
    if least > most:
        return None
    for rough, fit in judged:
        if rough <= max(least * _margin(fit.layout, best.layout), MIN_ROUGHNESS):
            return fit
    return best


def _margin(trusted: Layout, best: Layout) -> float:
    if trusted.big != best.big:
        return MUCH_SMOOTHER
    return TURNED_SMOOTHER if trusted.rows == best.columns != best.rows == trusted.columns else SMOOTHER


def _is_size(pixels: float, claimed: int) -> bool:
    return pixels >= 1 and pixels.is_integer() and pixels not in (2 * claimed, 3 * claimed)


def is_length(length: int, expected: int) -> bool:
    """Whether a value of that length holds exactly so many bytes."""
    return length in (expected, expected + expected % 2)  # a value has an even length


def frame_groups(
    sequence: PixelSequence, tables: Sequence[Sequence[int]], claimed: int
) -> tuple[Frames, tuple[str, ...]]:
    """The fragments of each frame, and notes.

    A frame begins where a codestream does, or where the one before has ended. An offset table is asked where the
    frames do not show that, or are as many by the table as the header says.

    Args:
        tables: offset tables, the most trusted first.
        claimed: frames that the header claims; 0 where it does not say.
    """
    items, notes = sequence.items, []
    shown = _by_content(sequence, claimed)
    by_table = [groups for table in tables if table and (groups := _by_table(sequence, table))]
    if any(tables) and not by_table and not sequence.cut:
        notes.append("the offset table does not fit the frames and is not used")
    if shown and len(items) == claimed < 2 * len(shown):
        groups = tuple((item,) for item in items)  # a fragment each, a few of them damaged
    elif shown and (len(shown) == claimed or not by_table or len(by_table[0]) != claimed or len(shown) > claimed):
        groups = shown
    elif by_table:
        groups = by_table[0]
    elif claimed and len(items) > claimed and len(items) % claimed == 0:
        each = len(items) // claimed
        groups = tuple(items[first : first + each] for first in range(0, len(items), each))
    else:
        groups = tuple((item,) for item in items)
    while len(groups) > claimed and not any(item.length for item in groups[-1]):
        groups = groups[:-1]
    return groups, tuple(notes)


def _by_table(sequence: PixelSequence, table: Sequence[int]) -> Frames | None:
    """By an offset table, where each of its entries is the tag of an item."""
    items = sequence.items
    places = {item.offset - items[0].offset: index for index, item in enumerate(items)} if items else {}
    first = [places.get(offset, -1) for offset in table]
    if first[0] != 0 or any(index < 0 for index in first) or sorted(set(first)) != first:
        return None
    return tuple(items[one:other] for one, other in zip(first, [*first[1:], len(items)], strict=True))


def _by_content(sequence: PixelSequence, claimed: int) -> Frames | None:
    """By the codestreams in the fragments; None where none of them begins one that is known.

    What begins no frame may be a damaged one. It is none where those that begin are as many as the header says, or
    where an empty item follows each.
    """
    groups: list[list[Item]] = []
    known, rle, ended = False, False, True
    for item in sequence.items:
        head = sequence.head(item)
        begins = begins_frame(head)
        known, rle = known or begins, rle or (begins and is_rle(head))
        if begins or ended:
            groups.append([])
        groups[-1].append(item)
        # A frame of RLE is one fragment (PS3.5 A.4.2), and nothing goes on what has not begun.
        ended = rle or not begins_frame(sequence.head(groups[-1][0])) or ends_frame(sequence.tail(item))
    if sequence.cut and not ended:
        groups.pop()
    if not known:
        return None
    begun = [bool(group[0].length) and begins_frame(sequence.head(group[0])) for group in groups]
    if len(groups) != claimed == sum(begun) and begun[0]:
        return tuple(tuple(group) for group in (_with_rest(groups, begun) if rle else _only(groups, begun)))
    filled = [any(item.length for item in group) for group in groups]
    padded = len(groups) != claimed and 2 * sum(filled) <= len(groups) + 1  # an empty item after each
    return tuple(map(tuple, _only(groups, filled) if padded else groups))


def _only(groups: list[list[Item]], kept: list[bool]) -> list[list[Item]]:
    return [group for group, keep in zip(groups, kept, strict=True) if keep]


def _with_rest(groups: list[list[Item]], begun: list[bool]) -> list[list[Item]]:
    """Each that has begun, with what follows up to the next."""
    joined: list[list[Item]] = []
    for group, begins in zip(groups, begun, strict=True):
        if begins:
            joined.append([])
        joined[-1] += group
    return joined


def moves_outside(images: Sequence[Image], regions: Sequence[Box]) -> float | None:
    """The share of what moves that lies in the regions, where it is so small that they are of another picture."""
    grey = [image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in images]
    if len(grey) < 2:
        return None
    change = np.max([cv2.absdiff(one, other) for one, other in pairwise(grey)], axis=0)
    moving = change > MOTION_LEVELS
    total = int(np.count_nonzero(moving))
    if total < MOTION_SHARE * moving.size:
        return None
    for x0, y0, x1, y1 in regions:
        if all(map(math.isfinite, (x0, y0, x1, y1))):
            moving[max(int(y0), 0) : max(int(y1) + 1, 0), max(int(x0), 0) : max(int(x1) + 1, 0)] = False
    inside = 1 - np.count_nonzero(moving) / total
    return None if inside >= MOTION_INSIDE else float(inside)
