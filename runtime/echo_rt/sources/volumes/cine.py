"""A sequence of images in a format of research software, as a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.arrays import Image
from echo_rt.errors import ParameterError
from echo_rt.sources.base import MIN_FRAMES, Picture, Recording, too_short
from echo_rt.sources.clock import PLAUSIBLE_FPS, StampClock
from echo_rt.sources.feed import plausible_spacing
from echo_rt.sources.kinds import Kind, Volume
from echo_rt.sources.levels import significant_bits, to_eight_bits
from echo_rt.sources.scale import is_oblong, is_placeholder
from echo_rt.sources.volumes.metaimage import read_metaimage
from echo_rt.sources.volumes.nifti import read_nifti
from echo_rt.sources.volumes.nrrd import read_nrrd
from echo_rt.sources.volumes.stored import Stored, refusal

READERS: dict[Volume, Callable[[Path, Kind], Stored]] = {
    Volume.NIFTI: read_nifti,
    Volume.METAIMAGE: read_metaimage,
    Volume.NRRD: read_nrrd,
}
"""What reads each format. A new one is a line here and a mark in `sources.kinds`."""

MOST_LABELS = 10
"""Levels up to this alone are the labels of a mask; the black of a picture has noise."""

SQUARE = 0.01
"""Pixels whose sides differ by less than this share are square: headers round."""

PICTURES = ("", "BRIGHTNESS", "RGB_COLOR")
"""What PLUS calls a picture, rather than the echoes that it is made of."""


class VolumeCine(Recording):
    """A NIfTI, MetaImage or NRRD file of flat images over time.

    Rows, columns and their scale are the header's; patients' axes and what is in world coordinates are left out. Near
    the probe is up, and the marked side of the probe is right, where PLUS says which is which: its own convention, and
    that of echocardiography. Pixels that are not square become so. Levels of more than 8 bits are shifted by whole
    bits; others are stretched to the range of the whole recording.

    Raises, when it is entered or read:
        MissingExtraError: the library that reads the format is not installed.
        ParameterError: the header has no times, or none that can be believed, and no `fps` was given.
        SourceFormatError: it is damaged, truncated, a volume, a mask or no picture at all, or has fewer than two
            frames.
    """

    def __init__(self, path: Path, kind: Kind, fps: float | None = None) -> None:
        super().__init__(path, fps)
        assert kind.volume is not None
        self._kind, self._reader = kind, READERS[kind.volume]

    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        try:
            stored = self._reader(self.path, self._kind)
        except OSError as error:
            if error.errno is None:  # ours
                raise
            raise self._error("a file that can be read", str(error.strerror), "check its permissions") from None
        valid = [index for index in range(stored.frames) if stored.fields.is_valid(index)]
        if len(valid) < MIN_FRAMES:
            raise too_short(self.path, len(valid))
        if len(valid) < stored.frames:
            self.notes.append(f"{stored.frames - len(valid)} of {stored.frames} images are marked as invalid: left out")
        self.frames = len(valid)
        times = self._times(stored, valid)
        shape, level = self._level(stored)
        size = self._scale(stored, shape)
        flips = self._flips(stored)
        return self._pictures(stored, dict(zip(valid, times, strict=True)), level, size, flips)

    def _times(self, stored: Stored, valid: list[int]) -> list[float]:
        """Seconds of the valid frames."""
        if self._given_fps is not None:
            return [index / self._given_fps for index in valid]
        stamps = stored.fields.times(stored.frames)
        step_s = stored.step_s
        if stamps is None:
            # A step of 1 is what a writer puts that knows none.
            if step_s is None or not 1 / PLAUSIBLE_FPS[1] <= step_s <= 1 / PLAUSIBLE_FPS[0]:
                found = "none" if step_s is None else f"a step of {step_s:g} s"
                raise ParameterError(
                    f"{self.path}: expected {self._kind.name} with the times of its frames, found {found}; "
                    "give the frame rate with --fps"
                )
            stamps = [index * step_s for index in range(stored.frames)]
        clock = StampClock(self.path, 1 / step_s if step_s else 25.0)
        times = [clock.at(stamps[index] - stamps[valid[0]]) for index in valid]
        self.fps = clock.judge()
        return times

    def _level(self, stored: Stored) -> tuple[tuple[int, ...], Callable[[NDArray[Any]], Image]]:
        """Shape of an image, and what brings its samples to 8 bits."""
        if stored.fields.kind not in PICTURES:
            found = f"the echoes themselves ({stored.fields.kind})"
            raise refusal(self.path, "pictures", found, "export them as B-mode")
        low, high, shape, whole = np.inf, -np.inf, (), True
        for image in stored.read():
            shape, whole = image.shape, image.dtype.kind in "iub"
            known = image if whole else image[np.isfinite(image)]
            if known.size:
                low, high = min(low, float(known.min())), max(high, float(known.max()))
            if image.dtype == np.uint8 and high > MOST_LABELS:
                return shape, lambda image: np.asarray(image, np.uint8)
        if not low < high:
            raise refusal(self.path, "pictures", "one level alone", "check that it is the right file")
        if whole and low >= 0 and high <= MOST_LABELS:
            raise refusal(self.path, "pictures", f"the labels 0 to {high:g} of a mask", "give the picture beside it")
        if whole and low >= 0:
            bits = significant_bits(np.array([high], np.int64))
            return shape, lambda image: to_eight_bits(image, bits)
        if low >= 0 and MOST_LABELS < high <= 255:
            return shape, lambda image: np.rint(np.nan_to_num(image)).astype(np.uint8)
        self.notes.append(f"levels from {low:g} to {high:g} are stretched to 0 to 255")
        gain = 255 / (high - low)
        return shape, lambda image: np.rint((np.nan_to_num(image, nan=low) - low) * gain).astype(np.uint8)

    def _scale(self, stored: Stored, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """Sets the spacing; returns width and height with square pixels where they have to be made so."""
        stated = stored.spacing_mm
        if stated is None or not all(np.isfinite(mm) and mm > 0 for mm in stated):
            self.spacing_note = "the header does not say how large a pixel is"
            return None
        fine, coarse = min(stated), max(stated)
        size = None
        if coarse / fine - 1 >= SQUARE and not is_oblong(stated):
            size = (round(shape[1] * stated[1] / fine), round(shape[0] * stated[0] / fine))
            self.notes.append(
                f"stored pixels are {stated[1] / stated[0]:.3g} times as wide as high: "
                f"{shape[1]}x{shape[0]} scaled to {size[0]}x{size[1]}"
            )
            stated = (fine, fine)
        self.spacing_mm = plausible_spacing(stated, shape if size is None else size[::-1])
        if self.spacing_mm is None:
            unit = "which is written where no scale is known" if is_placeholder(stated) else "which no ultrasound has"
            self.spacing_note = f"the header says pixels of {stated[0]:.3g} x {stated[1]:.3g} mm, {unit}"
        return size

    def _flips(self, stored: Stored) -> tuple[slice, slice]:
        """What brings rows and columns into the convention."""
        said = stored.fields.orientation
        if not said:
            return slice(None), slice(None)
        if said[:1] not in "MU" or said[1:2] not in ("F", "N"):
            if said[:2] in ("FM", "NM", "FU", "NU"):
                raise refusal(self.path, "pictures", f"a scan line in each row ({said})", "export them as B-mode")
            self.notes.append(f"an orientation {said[:8]!r} that PLUS does not know: left as stored")
            return slice(None), slice(None)
        near_up, marked_right = said[1] == "F", said[0] == "M"
        if not near_up:
            self.notes.append(f"flipped upside down, as its header says ({said[:3]})")
        if not marked_right:
            self.notes.append(f"flipped left to right, as its header says ({said[:3]})")
        return slice(None, None, 1 if near_up else -1), slice(None, None, 1 if marked_right else -1)

    def _pictures(
        self,
        stored: Stored,
        times: dict[int, float],
        level: Callable[[NDArray[Any]], Image],
        size: tuple[int, int] | None,
        flips: tuple[slice, slice],
    ) -> Iterator[Picture]:
        for index, samples in enumerate(stored.read()):
            if index not in times:
                continue
            image = level(samples[flips])
            if image.ndim == 3:
                if image.shape[2] < 3:
                    raise refusal(self.path, "grey or colour", f"{image.shape[2]} channels", "export it in grey")
                image = image[..., 2::-1]  # red, green, blue
            if size is not None:
                image = np.asarray(cv2.resize(np.ascontiguousarray(image), size), np.uint8)
            yield index, times[index], np.ascontiguousarray(image)
