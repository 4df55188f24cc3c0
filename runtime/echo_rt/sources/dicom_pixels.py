"""What is known of the samples of a DICOM cine: what the header claims, and then what the data have."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from echo_rt.sources.dicom_codestream import Codestream
from echo_rt.sources.dicom_header import number, text
from echo_rt.sources.dicom_layout import Layout, Samples

GREY = ("MONOCHROME1", "MONOCHROME2")
YBR = ("YBR_FULL", "YBR_FULL_422")
YBR_PARTIAL = ("YBR_PARTIAL_422", "YBR_PARTIAL_420")
RGB = ("RGB", "YBR_RCT", "YBR_ICT")  # the decoder undoes the colour transforms of JPEG 2000, which are its own
PALETTE = ("PALETTE COLOR",)
SUBSAMPLED = ("YBR_FULL_422", "YBR_PARTIAL_422")
MAX_SIDE = 2**16
_OTHER_COLOURS = ("HSV", "ARGB", "CMYK", "YBR_PARTIAL", "XYB")


class Refusal(ValueError):
    """A recording that cannot be read as its header says, nor otherwise: what was expected, found, and is to do."""

    def __init__(self, expected: str, found: str, todo: str) -> None:
        super().__init__(expected, found, todo)
        self.expected, self.found, self.todo = expected, found, todo


class TooFew(ValueError):
    """No recording, but a still image or nothing at all."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


@dataclass(frozen=True, slots=True)
class Pixels:
    """What is known of the samples: at first what the header says, then what the data say."""

    rows: int
    columns: int
    samples: int
    bits: int
    stored: int  # bits that the levels use
    high: int  # bit, the highest of those
    signed: bool
    planar: bool
    meaning: str

    @staticmethod
    def of(header: Dataset) -> Pixels:
        """From a header; a size that it does not give is 0.

        Raises:
            Refusal: of colours that nobody has, or bits that are no number.
        """
        meaning = text(header, "PhotometricInterpretation")
        samples = number(header, "SamplesPerPixel")
        if meaning not in (*GREY, *RGB, *YBR, *YBR_PARTIAL, *PALETTE):
            if meaning in _OTHER_COLOURS:
                raise Refusal("grey, RGB, YBR or palette colours", meaning, "export it in one of these")
            meaning = "RGB" if samples == 3 else "MONOCHROME2"
        bits = number(header, "BitsAllocated")
        bits = int(bits) if 1 <= bits <= 64 else 8
        stored, high = number(header, "BitsStored"), number(header, "HighBit")
        stored = int(stored) if 1 <= stored <= bits else bits
        rows, columns = stated_size(header)
        return Pixels(
            rows,
            columns,
            int(samples) if samples in (1, 3) else 1 if meaning in (*GREY, *PALETTE) else 3,
            bits,
            stored,
            int(high) if stored <= high + 1 <= bits else stored - 1,
            number(header, "PixelRepresentation") == 1,
            number(header, "PlanarConfiguration") == 1,
            meaning,
        )

    def with_samples(self, samples: int) -> Pixels:
        """These pixels with that many samples each, and a meaning that has as many."""
        fits = (samples == 1) == (self.meaning in (*GREY, *PALETTE))
        return replace(self, samples=samples, meaning=self.meaning if fits else ("MONOCHROME2", "RGB")[samples == 3])

    def as_coded(self, stream: Codestream) -> Pixels:
        """These pixels as a frame's codestream has them, which cannot be decoded otherwise.

        Raises:
            Refusal: it has a number of samples that no picture here has.
        """
        if stream.samples not in (1, 3) or not 2 <= stream.bits <= 16:
            found = f"{stream.samples} of {stream.bits} bits"
            raise Refusal("1 or 3 samples a pixel, of 16 bits at most", found, "export it as grey or RGB")
        allocated = 8 if stream.bits <= 8 else 16
        rle = stream.rows is None or stream.columns is None
        stored = min(self.stored, allocated) if rle else stream.bits
        changed = self.with_samples(stream.samples)
        if stream.rgb:
            changed = replace(changed, meaning="RGB")
        elif stream.lossy_jpeg and changed.meaning != self.meaning and stream.samples == 3:
            changed = replace(changed, meaning="YBR_FULL")
        return replace(
            changed,
            rows=stream.rows or self.rows,
            columns=stream.columns or self.columns,
            bits=allocated,
            stored=stored,
            high=stored - 1,
            planar=False,
        )

    def values(self, samples: Samples) -> Samples:
        """Samples as they lie in the file without the bits that mean nothing, as signed numbers if they are."""
        unused, kind = self.bits - self.stored, f"i{samples.itemsize}"
        if not unused:
            return samples.view(kind) if self.signed else samples
        levels = samples >> (self.high + 1 - self.stored)
        return (levels << unused).view(kind) >> unused if self.signed else levels & ((1 << self.stored) - 1)

    def in_layout(self, layout: Layout) -> Pixels:
        """These pixels as they lie in a layout."""
        changed = replace(
            self.with_samples(layout.samples),
            rows=layout.rows,
            columns=layout.columns,
            bits=layout.bits,
            planar=layout.planar,
        )
        if layout.subsampled and changed.meaning not in SUBSAMPLED:
            changed = replace(changed, meaning="YBR_FULL_422")
        elif changed.meaning == "YBR_FULL_422" and not layout.subsampled:
            changed = replace(changed, meaning="YBR_FULL")
        if changed.stored > layout.bits:
            changed = replace(changed, stored=layout.bits, high=layout.bits - 1)
        if layout.bits != self.bits and layout.bits == 16 and self.stored == self.bits:
            changed = replace(changed, stored=16, high=15)
        return changed


def stated_size(header: Dataset) -> tuple[int, int]:
    """Rows and columns of a header; 0 for one that it does not give."""
    rows, columns = (number(header, side) for side in ("Rows", "Columns"))
    return int(rows) if 1 <= rows < MAX_SIDE else 0, int(columns) if 1 <= columns < MAX_SIDE else 0


def size_said(rows: int, columns: int) -> str:
    """What a header says of the size of its pictures, for a note."""
    return f"the header says {columns}x{rows} pixels" if rows * columns else "the header says no number of pixels"


def changes(stated: Pixels, found: Pixels) -> list[str]:
    """One line on each claim of a header that its data contradict."""
    notes = []
    if (stated.rows, stated.columns) != (found.rows, found.columns):
        notes.append(f"{size_said(stated.rows, stated.columns)}, the frames have {found.columns}x{found.rows}")
    for what, said, have in (
        ("samples a pixel", stated.samples, found.samples),
        ("bits a sample", stated.bits, found.bits),
        ("stored bits", stated.stored, found.stored),
    ):
        if said != have:
            notes.append(f"the header says {said} {what}, the data have {have}")
    if stated.planar != found.planar:
        notes.append(f"the colours are stored by {'plane' if found.planar else 'pixel'}, which the header denies")
    if stated.signed and not found.signed:
        notes.append("the header says signed samples, and the data are not: their black is 0")
    if found.signed and not stated.signed:
        notes.append("the header says unsigned samples, and the data are signed: their black is below 0")
    if stated.meaning != found.meaning:
        notes.append(f"the header says {stated.meaning}, and the data are {found.meaning}")
    return notes
