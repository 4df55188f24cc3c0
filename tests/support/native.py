"""Tests of the C++ kernels run where they were built."""

from __future__ import annotations

import pytest

from echo_rt import native

built = pytest.mark.skipif(native.MISSING is not None, reason="the native kernels were not built: no C++ compiler")
