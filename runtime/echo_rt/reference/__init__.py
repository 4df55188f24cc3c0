"""The monitor's loops over contours, pictures, the samples of a systole and the speckle of the wall: some hundred
points each, where NumPy would spend its time on the calls alone.

Each is there twice. Those whose names begin with `reference_` are the definitions, in NumPy; the others are the same
sums in native code, and the definitions themselves where it was not built. Positions are x, y; a field is zero outside
of its array.
"""

from __future__ import annotations

from echo_rt.reference.contour import (
    reference_depth,
    reference_long_axis,
    reference_smoothed,
    reference_trace,
    reference_wall_lines,
    reference_walled,
    sample,
    signed_area,
)
from echo_rt.reference.picture import reference_coarse, reference_sector
from echo_rt.reference.speckle import reference_cells, reference_follow
from echo_rt.reference.systole import reference_systole_misfits, share_ejected, systole_form, systole_heights

try:
    from echo_rt import _native
except ImportError:  # installed without a C++ compiler: the references do the same, more slowly
    _native = None  # type: ignore[assignment]

__all__ = ["sample", "share_ejected", "signed_area", "systole_form", "systole_heights"]

smoothed = _native.smoothed if _native is not None else reference_smoothed
trace = _native.trace if _native is not None else reference_trace
walled = _native.walled if _native is not None else reference_walled
long_axis = _native.long_axis if _native is not None else reference_long_axis
wall_lines = _native.wall_lines if _native is not None else reference_wall_lines
depth = _native.depth if _native is not None else reference_depth
coarse = _native.coarse if _native is not None else reference_coarse
sector = _native.sector if _native is not None else reference_sector
systole_misfits = _native.systole_misfits if _native is not None else reference_systole_misfits
cells = _native.cells if _native is not None else reference_cells
follow = _native.follow if _native is not None else reference_follow
