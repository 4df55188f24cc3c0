"""A beating apical view whose volumes, beats and ejection fraction are known.

    with open_phantom("phantom:?ef=55&hr=70&fps=50&seconds=10&seed=1") as phantom:
        for frame in phantom:
            ...
            phantom.truth(frame.index).volume_ml

`Phantom` draws every frame on demand; `write` makes a recording of it with its truth beside it; `random_options` varies
everything for training. It needs NumPy and OpenCV alone.
"""

from __future__ import annotations

from echo_rt.phantom.options import PhantomOptions, random_options
from echo_rt.phantom.phantom import Phantom, open_phantom
from echo_rt.phantom.truth import BeatTruth, Truth
from echo_rt.phantom.write import write
from echo_rt.reading import SEGMENTS

__all__ = ["SEGMENTS", "BeatTruth", "Phantom", "PhantomOptions", "Truth", "open_phantom", "random_options", "write"]
