"""Samples on the network's grid, by the runtime's own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from multiprocessing import get_context

import cv2
import numpy as np
from numpy.typing import NDArray

from echo_rt.errors import DataError
from echo_rt.model import CLASSES
from echo_rt.reference.preprocess import coverage, preprocess
from echo_rt.segmentation import GridMap
from echo_rt_train.data.report import DataReport
from echo_rt_train.data.sample import Pair, Sample, SampleError

OnGrid = tuple[NDArray[np.uint8], NDArray[np.uint8]]

CHUNK = 8
"""Samples that a process takes at a time. The images of one simulated heart follow each other, and the heart takes
longer to make than they do."""


def on_grid(sample: Sample, size: tuple[int, int]) -> OnGrid:
    """A sample brought to a grid; see `covered_on_grid`."""
    return covered_on_grid(*sample.read(), size)


def covered_on_grid(image: NDArray[np.uint8], mask: NDArray[np.uint8], size: tuple[int, int]) -> OnGrid:
    """An image (H, W) or (H, W, 3) and its labels (H, W) brought to a grid of `size` (h, w) by the runtime's own
    letterbox.

    Returns:
        The image (h, w) uint8, and how much of each grid pixel each foreground class covers (h, w, 3) uint8, 255 being
        all of it. Coverage instead of the nearest label keeps the border where it is, to a fraction of a pixel.
    """
    place = GridMap.letterbox((image.shape[0], image.shape[1]), size)
    luma = preprocess(image, place, 0.0, 1.0)
    rows = coverage(place.scale, place.y0, size[0], place.image[0])
    columns = coverage(place.scale, place.x0, size[1], place.image[1])
    covered = np.stack(
        [rows @ (mask == label).astype(np.float32) @ columns.T for label in range(1, len(CLASSES))], axis=-1
    )
    return np.rint(luma).astype(np.uint8), np.rint(covered * 255).astype(np.uint8)


def read_all(samples: Iterable[Sample], report: DataReport, processes: int = 1) -> Iterator[tuple[Sample, Pair]]:
    """Every sample that can be used, with its image and mask, in their order; the others are noted in the report.

    A mask without any label is bad, unless the sample's view is ``other``: somebody was to trace a ventricle and did
    not.

    Args:
        samples: of a data set.
        report: of the data set.
        processes: that read. More than one are worth their start where images are drawn; a script that asks for them
            has to have an ``if __name__ == "__main__"``, as `multiprocessing` says.

    Raises:
        DataError: a sample is bad and the report is strict, or no sample is left.
    """
    return _read_each(_read_one, samples, report, processes)


def read_on_grid(
    samples: Iterable[Sample], report: DataReport, size: tuple[int, int], processes: int = 1
) -> Iterator[tuple[Sample, OnGrid]]:
    """The same brought to a grid of `size`, see `covered_on_grid`; the processes that read do that too."""
    return _read_each(partial(_read_one_on_grid, size=size), samples, report, processes)


def _read_each(
    read: Callable[[Sample], Pair | SampleError], samples: Iterable[Sample], report: DataReport, processes: int
) -> Iterator[tuple[Sample, Pair]]:
    good = 0
    with ExitStack() as opened:
        if processes > 1:
            samples = list(samples)
            pool = opened.enter_context(get_context("spawn").Pool(processes, cv2.setNumThreads, (1,)))
            found: Iterable[tuple[Sample, Pair | SampleError]] = zip(
                samples, pool.imap(read, samples, CHUNK), strict=True
            )
        else:
            found = ((sample, read(sample)) for sample in samples)
        for sample, pair in found:
            if isinstance(pair, SampleError):
                report.note(pair)
                continue
            good += 1
            yield sample, pair
    if not good:
        raise DataError(
            f"{report.origin}: expected images that can be used, found none; {'; '.join(report.lines()[1:3])}"
        )


def _read_one_on_grid(sample: Sample, size: tuple[int, int]) -> OnGrid | SampleError:
    pair = _read_one(sample)
    return pair if isinstance(pair, SampleError) else covered_on_grid(*pair, size)


def _read_one(sample: Sample) -> Pair | SampleError:
    """Its image and mask, or what is wrong with them."""
    try:
        image, mask = sample.read()
    except SampleError as error:
        return error
    if sample.view != "other" and not mask.any():
        return SampleError(f"{sample.name}: expected a mask with labels, found an empty one", "empty mask")
    return image, mask


def grey_statistics(samples: Iterable[Sample], size: tuple[int, int], limit: int | None = None) -> tuple[float, float]:
    """Mean and standard deviation of the grey levels that the network sees: of all pixels on the grid, black borders
    included.

    Args:
        samples: of the training split.
        size: height and width of the grid in pixels.
        limit: read no more samples than this; for an endless set.

    Raises:
        DataError: a sample cannot be read, there is none, or all pixels are alike.
    """
    count, total, squares = 0, 0, 0
    for sample in islice(samples, limit):
        # Sums of whole numbers: the same whatever the order.
        image = on_grid(sample, size)[0].astype(np.int64)
        count, total, squares = count + image.size, total + int(image.sum()), squares + int((image**2).sum())
    if not count or count * squares == total**2:
        raise DataError(
            "expected images with contrast for the mean and standard deviation, "
            f"found {'none' if not count else 'one grey'}"
        )
    return total / count, float(np.sqrt((squares - total * total / count) / count))
