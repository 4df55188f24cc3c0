"""The frames of a DICOM cine of still images, compressed or not, one at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, RLELossless

from echo_rt.sources.aside import Aside
from echo_rt.sources.base import MIN_FRAMES
from echo_rt.sources.dicom_claims import (
    MAX_ROUGHNESS,
    Frames,
    best_fit,
    fitting,
    frame_groups,
    is_length,
)
from echo_rt.sources.dicom_codestream import Codestream, codestream, ends_frame, rle_size, same_coding
from echo_rt.sources.dicom_decode import decoder_of, named
from echo_rt.sources.dicom_element import Element, PixelSequence, pixel_sequence
from echo_rt.sources.dicom_layout import Layout, Samples
from echo_rt.sources.dicom_pixels import GREY, RGB, SUBSAMPLED, YBR_PARTIAL, Pixels, Refusal, TooFew, changes
from echo_rt.sources.dicom_samples import colours_of, is_signed, is_unsigned, stored_bits, with_sign
from echo_rt.sources.limits import limits

GE_BIG_ENDIAN = UID("1.2.840.113619.5.2")
"""GE's private syntax: implicit little endian, but for its samples of 16 bits."""

LOOKS = 4
"""Frames over the whole clip that are looked at before the first is shown."""

SEARCHED = 16
"""Frames among which one has a head that can be read."""


@dataclass
class Stills:
    """The frames of a cine.

    Attributes:
        count: of the frames that are there in full, readable or not.
        promised: more than `count` where the file ends before its last frame.
        stated: what the header says of the samples.
        pixels: what they have.
        read: the samples of a frame and what they mean; it raises what it likes.
        notes: one line each on what is not as the header says.
    """

    count: int
    promised: int
    stated: Pixels
    pixels: Pixels
    read: Callable[[int], tuple[Samples, str]]
    notes: list[str] = field(default_factory=list)

    def looks(self) -> list[tuple[Samples, str]]:
        """A few frames from all over the clip, those that can be read."""
        found: list[tuple[Samples, str]] = []
        if not self.count:
            return found
        for index in _all_over(self.count):
            try:
                found.append(self.read(index))
            except Refusal:  # noqa: PERF203
                raise
            except Exception:  # noqa: BLE001 - the loop over all frames counts and names it
                continue
        return found


def _all_over(count: int) -> list[int]:
    """Frames from the first to the last, a few."""
    return sorted({round(part * (count - 1) / (LOOKS - 1)) for part in range(LOOKS)})


def uncompressed(element: Element, header: Dataset, syntax: UID, frames: int) -> Stills:
    """The frames of pixels that are not compressed.

    Args:
        frames: that the header claims, 0 where it does not say or says one.

    Raises:
        Refusal: their length fits nothing that the header could have meant.
        TooFew: it is one image.
    """
    stated = Pixels.of(header)
    claim, notes = _claimed(stated, syntax, element.words), []
    expected = frames * claim.frame_bytes
    length = element.available if element.stated is None else element.stated
    if expected and not is_length(length, expected) and is_length(element.available, expected):
        notes.append(f"the pixel data says it has {length} bytes, and has {element.available}")
        length = expected
    if not frames and length < MIN_FRAMES * claim.frame_bytes:
        raise TooFew(1)
    exact = is_length(length, expected)
    fits = fitting(claim, frames, length)
    for possible in fits:
        _check_size(possible.layout.rows, possible.layout.columns)
    fit = best_fit(fits, element, math.inf if exact else MAX_ROUGHNESS)
    if fit is None:
        if stated.bits not in (8, 16):
            raise Refusal("8 or 16 bits a sample", f"{stated.bits}", "export it with 8 bits")
        raise Refusal(
            f"{expected or claim.frame_bytes} bytes of pixels for {frames or 'each of its'} frames of "
            f"{claim.columns}x{claim.rows}",
            f"{length}",
            "header and pixels are of different recordings, export it again",
        )
    layout = fit.layout
    count = min(length, element.available) // layout.frame_bytes
    # A length that is stated and there is as good a witness as a sequence's delimiter.
    whole = element.stated is not None and element.stated <= element.available
    promised = fit.frames if whole or layout.frame_bytes != claim.frame_bytes else max(fit.frames, frames)
    pixels = stated.in_layout(layout)
    if count:
        seen = [layout.read(element, index) for index in _all_over(min(count, fit.frames))]
        pixels = stored_bits(np.concatenate(seen), pixels)

    def read(index: int) -> tuple[Samples, str]:
        return pixels.values(layout.read(element, index)), pixels.meaning

    stills = Stills(min(count, fit.frames), promised, stated, pixels, read, notes)
    if layout.big != claim.big:
        notes.append("the bytes of its samples are in the other order than the transfer syntax says")
    if (excess := length - fit.frames * layout.frame_bytes) > 1:
        notes.append(f"{excess} bytes follow the last frame and are not used")
    return stills


def _claimed(stated: Pixels, syntax: UID, words: bool) -> Layout:
    return Layout(
        stated.rows,
        stated.columns,
        stated.samples,
        stated.bits,
        subsampled=stated.meaning in SUBSAMPLED and stated.samples == 3 and stated.bits == 8,
        planar=stated.planar and stated.samples == 3,
        big=syntax in (ExplicitVRBigEndian, GE_BIG_ENDIAN) and stated.bits == 16,
        swapped=syntax == ExplicitVRBigEndian and words and stated.bits == 8,
    )


def _check_size(rows: int, columns: int) -> None:
    if excess := limits().pixels(rows * columns):
        raise Refusal(*excess)


def compressed(element: Element, header: Dataset, syntax: UID, frames: int, aside: Aside) -> Stills:
    """The frames of a pixel sequence.

    Args:
        frames: that the header claims, 0 where it does not say or says one.
        aside: decodes those that are damaged.

    Raises:
        Refusal: it is stored in a way that cannot be decoded here.
        TooFew: it is one image, or none.
    """
    stated = replace(Pixels.of(header), planar=False)  # that is the codestream's own
    sequence = pixel_sequence(element)
    groups, odd = frame_groups(sequence, _offset_tables(header, sequence), frames)
    if len(groups) < MIN_FRAMES and not (frames or sequence.cut):
        raise TooFew(len(groups))
    (stream, frame), pixels, notes = _usual_frame(sequence, groups), stated, list(odd)
    if stream is not None:
        pixels = stated.as_coded(stream)
        if stream.syntax == RLELossless:
            rows, columns = rle_size(frame, pixels.rows, pixels.columns)
            pixels = replace(pixels, rows=rows, columns=columns)
        if not same_coding(syntax, stream.syntax):
            notes.append(f"the transfer syntax is {named(syntax)}, and the frames are {named(stream.syntax)}")
        if not same_coding(syntax, stream.syntax) or stream.lossy_jpeg:
            syntax = stream.syntax
    elif stated.bits not in (8, 16):
        raise Refusal("8 or 16 bits a sample", f"{stated.bits}", "export it with 8 bits")
    if not pixels.rows * pixels.columns:
        raise Refusal("Rows and Columns in the header", "none that can be used", "export it again")
    _check_size(pixels.rows, pixels.columns)
    # Some encoders leave out the end marker; then it is missed nowhere.
    marks = [ends_frame(sequence.frame(fragments)) for fragments in groups[:SEARCHED]]
    decode = decoder_of(syntax, pixels, 2 * sum(marks) > len(marks), aside)
    count = len(groups)
    # Without a delimiter nobody knows whether frames are missing, unless they are as many as the header says.
    promised = max(frames, count + sequence.cut) if sequence.cut or not sequence.closed else count
    if not (sequence.cut or sequence.closed or frames):
        notes.append("the end of the pixel data is not marked; frames could be missing")

    def read(index: int) -> tuple[Samples, str]:
        return decode(sequence.frame(groups[index]))

    return Stills(count, promised, stated, pixels, read, notes)


def settle(stills: Stills) -> list[tuple[Samples, str]]:
    """A few frames, once `stills` was corrected by them: what their colours mean, and whether they are signed.

    Its notes then tell all that the header has wrong of its samples.
    """
    looks, pixels, read = stills.looks(), stills.pixels, stills.read
    told = {
        meaning: colours_of(_side_by_side(looks, meaning), meaning, pixels.stored)
        for meaning in {meaning for samples, meaning in looks if samples.ndim == 3}
    }
    grey = [(samples.dtype.kind == "i", meaning) for samples, meaning in looks if meaning in GREY]
    called_signed, meaning = grey[0] if grey else (False, "")
    wrong = bool(grey) and (is_unsigned if called_signed else is_signed)(_side_by_side(looks, meaning), pixels.stored)

    def corrected(samples: Samples, meaning: str) -> tuple[Samples, str]:
        if wrong and meaning in GREY:
            samples = with_sign(samples, not called_signed, pixels.stored)
        return samples, told.get(meaning, meaning)

    stills.read = lambda index: corrected(*read(index))
    shown = [corrected(*look) for look in looks]
    # Decoders bring YBR_RCT and YBR_ICT as RGB, which is no contradiction.
    others = [
        meaning
        for _, meaning in shown
        if any((meaning in colours) != (pixels.meaning in colours) for colours in (RGB, YBR_PARTIAL))
    ]
    stills.pixels = replace(pixels, signed=pixels.signed != wrong, meaning=(*others, pixels.meaning)[0])
    stills.notes += changes(stills.stated, stills.pixels)
    return shown


def _side_by_side(looks: list[tuple[Samples, str]], meaning: str) -> Samples:
    """A quarter of the pixels of the frames that mean this, in one array."""
    return np.concatenate([samples[::2, ::2] for samples, means in looks if means == meaning])


def _offset_tables(header: Dataset, sequence: PixelSequence) -> list[list[int]]:
    """The extended offset table and the basic one, where they are."""
    extended = header.get("ExtendedOffsetTable")
    entries = np.frombuffer(extended[: len(extended) // 8 * 8], "<u8").tolist() if isinstance(extended, bytes) else []
    return [entries, list(sequence.table)]


def _usual_frame(sequence: PixelSequence, groups: Frames) -> tuple[Codestream | None, bytes]:
    """What most frames say of themselves, and one that does: the first may be a title, or damaged."""
    found: dict[Codestream, list[bytes]] = {}
    for fragments in groups[:: max(len(groups) // SEARCHED, 1)][:SEARCHED]:
        frame = sequence.frame(fragments)
        if (stream := codestream(frame)) is not None:
            found.setdefault(stream, []).append(frame)
    if not found:
        return None, b""
    usual = max(found, key=lambda stream: len(found[stream]))
    return usual, found[usual][0]
