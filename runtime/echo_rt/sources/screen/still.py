"""What of a screen stands still, and what moves, from some of its frames."""

from __future__ import annotations

import cv2
import numpy as np

from echo_rt.arrays import Field, Image
from echo_rt.sources.screen.marks import brightness


class Still:
    """The darkest, the brightest and the mean moment of each pixel, in the brightest of its channels.

    Of the darkest and the brightest the second one counts: a cursor that passes leaves nothing.

    Attributes:
        count: how many images it was made of.
    """

    def __init__(self) -> None:
        self.count = 0
        self._low: tuple[Image, Image] | None = None
        self._high: tuple[Image, Image] | None = None
        self._sum: Field | None = None

    def update(self, image: Image) -> None:
        """Take an image (H, W) or (H, W, 3), all of one size."""
        level = brightness(image)
        self.count += 1
        if self._low is None or self._high is None or self._sum is None:
            self._low = level, np.full_like(level, 255)
            self._high = level, np.zeros_like(level)
            self._sum = level.astype(np.float32)
            return
        (least, next_least), (most, next_most) = self._low, self._high
        self._low = _image(cv2.min(least, level)), _image(cv2.min(next_least, cv2.max(least, level)))
        self._high = _image(cv2.max(most, level)), _image(cv2.max(next_most, cv2.min(most, level)))
        cv2.accumulate(level, self._sum)

    @property
    def lowest(self) -> Image:
        """(H, W) the second darkest moment."""
        assert self._low is not None
        return self._low[1] if self.count > 1 else self._low[0]

    @property
    def highest(self) -> Image:
        """(H, W) the second brightest moment."""
        assert self._high is not None
        return self._high[1] if self.count > 1 else self._high[0]

    @property
    def picture(self) -> Image:
        """(H, W) what stands still: half-way between the darkest and the mean moment. Speckle is dark at times, and a
        mark that a codec blurs now and then is bright on the mean."""
        assert self._sum is not None
        mean = cv2.convertScaleAbs(self._sum, alpha=1 / self.count)
        return _image(cv2.addWeighted(self.lowest, 0.5, mean, 0.5, 0))


def _image(image: object) -> Image:
    return np.asarray(image, np.uint8)
