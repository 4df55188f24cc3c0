"""Memory of a program that runs for days."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""

HEAPS = 2


def limit_heaps() -> bool:
    """Let the C library keep `HEAPS` heaps; whether it could be told.

    glibc gives each new thread a heap of its own, up to eight a core, and keeps what a heap has grown to. A feed that
    is opened again has new threads. Memory grew by 7 % in an hour with a fault a minute (docs/robustness.md).
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, HEAPS))
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
