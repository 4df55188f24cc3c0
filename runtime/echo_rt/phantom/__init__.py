"""The phantom: a beating apical view whose volumes, beats and ejection fraction are known; `open_phantom` opens it.

May import the ground floor; it needs NumPy and OpenCV, and PyAV or pydicom to write a file.
"""

from __future__ import annotations

from echo_rt.phantom.options import PhantomOptions, random_options
from echo_rt.phantom.phantom import Phantom, open_phantom
from echo_rt.phantom.truth import BeatTruth, Truth
from echo_rt.phantom.write import write
from echo_rt.reading import SEGMENTS

__all__ = ["SEGMENTS", "BeatTruth", "Phantom", "PhantomOptions", "Truth", "open_phantom", "random_options", "write"]
