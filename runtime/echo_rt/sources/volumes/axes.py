"""The lengths of an image's axes, from the first bytes of its file and without a library."""

from __future__ import annotations

import re
import struct

from echo_rt.sources.kinds import Kind, Volume, inflated

MOST_CHANNELS = 4
"""An axis up to this long may be that of the colours, and is no axis of time."""

_SIZES = {Volume.METAIMAGE: rb"\nDimSize\s*=([\d ]+)", Volume.NRRD: rb"\nsizes:([\d ]+)"}


def axes_of(head: bytes, kind: Kind) -> tuple[int, ...]:
    """Lengths as the header gives them, the first one varying fastest; empty where it has none that can be read."""
    if kind.packed:
        head = inflated(head)
    if kind.volume is Volume.NIFTI:
        return _nifti(head)
    if kind.volume is None or (found := re.search(_SIZES[kind.volume], head)) is None:
        return ()
    return tuple(int(length) for length in found[1].split())


def _nifti(head: bytes) -> tuple[int, ...]:
    order = "<" if head[0] in (348 & 255, 540 & 255) else ">"
    second = 540 in (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
    try:
        rank, *lengths = struct.unpack_from(order + ("8q" if second else "8h"), head, 16 if second else 40)
    except struct.error:
        return ()
    return tuple(lengths[:rank]) if 1 <= rank <= 7 else ()
