"""The loops over pixels, contours and samples: in C++ where it was built, else in NumPy.

Nobody else chooses between the two. `echo_rt.reference` defines the loops, under the same names, and says what they
take and give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

MISSING: str | None = None
"""Why there are no C++ kernels; None where there are."""

if TYPE_CHECKING:
    from echo_rt import _native as _chosen
else:
    try:
        from echo_rt import _native as _chosen
    except ImportError as error:  # installed without a C++ compiler
        from echo_rt import reference as _chosen

        MISSING = str(error)

Preprocess = _chosen.Preprocess
cells = _chosen.cells
coarse = _chosen.coarse
depth = _chosen.depth
enlarge = _chosen.enlarge
follow_speckle = _chosen.follow_speckle
long_axis = _chosen.long_axis
over_the_roof = _chosen.over_the_roof
postprocess = _chosen.postprocess
sector = _chosen.sector
smoothed = _chosen.smoothed
systole_misfits = _chosen.systole_misfits
tint = _chosen.tint
trace = _chosen.trace
wall_lines = _chosen.wall_lines
walled = _chosen.walled
