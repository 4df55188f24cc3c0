"""What an engine gives: the labels of one frame, on the model's grid, and the way back to the image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from echo_rt.grid_map import GridMap

if TYPE_CHECKING:
    from echo_rt.arrays import Array, Field, Image

__all__ = ["GridMap", "Segmentation"]


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The labels of one frame.

    Attributes:
        probability: (classes, h, w) float32 on the model's grid; over the classes they add up to 1.
        labels: (h, w) uint8 on the model's grid: 0 background, 1 LV cavity, 2 LV wall, 3 left atrium.
        map: from the grid to the image.
        view: A4C, A2C or other, where the model tells; else None.
        apical: probability that it is an apical view, A4C or A2C, where the model tells; else None.
        confidence: the Dice of the cavity that the model expects of itself, 0 to 1, where it tells; else None.
        state: a temporal model's state after this frame, opaque: it is given back to the engine with the next frame.
        time_ms: milliseconds that each step took in the engine, by name.
        tally: (3, classes) float64, see `echo_rt.reference.tally`; where an engine does not count, it is counted here.

    The arrays are this frame's own: nobody writes to them again, so that a reading can be kept.
    """

    probability: Field = field(repr=False)
    labels: Image = field(repr=False)
    map: GridMap
    view: str | None = None
    confidence: float | None = None
    state: object = field(default=None, repr=False)
    time_ms: dict[str, float] | None = None
    apical: float | None = None
    tally: Array = field(default=None, repr=False)  # type: ignore[arg-type]  # set once it is made

    def __post_init__(self) -> None:
        if self.tally is None:
            from echo_rt.reference import tally

            object.__setattr__(self, "tally", tally(self.probability, self.labels))

    def mask(self, label: int | None = None) -> Image:
        """At image size (H, W), uint8: the labels, or for one label 1 inside it and 0 elsewhere.

        The probabilities, not the labels, are interpolated (bilinear), so that the border is as fine as the network
        knows it. It is done anew at every call: what nobody asks for costs nothing.
        """
        from echo_rt import native  # here, because `import echo_rt` loads no NumPy

        best = native.enlarge(self.probability, self.map)
        return best if label is None else (best == label).astype("uint8")
