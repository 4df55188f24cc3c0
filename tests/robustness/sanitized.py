"""A plugin of pytest for `make sanitize`: the tests run on the C++ kernels that AddressSanitizer watches.

They are those in the folder that the variable ECHO_RT_SANITIZED names.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path


def _load() -> Path:
    """Put the module where `echo_rt.native` finds it before the installed one."""
    (path,) = Path(os.environ["ECHO_RT_SANITIZED"]).glob("_native.*.so")
    spec = importlib.util.spec_from_file_location("echo_rt._native", path)
    assert spec is not None
    assert spec.loader is not None
    assert "echo_rt.native" not in sys.modules, "the installed kernels are loaded already"
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[spec.name])
    return path


# A process that a test starts is not watched, and need not be slow.
os.environ.pop("LD_PRELOAD", None)
LOADED = _load()


def pytest_report_header() -> str:
    """Say what the tests run on, and that it is so."""
    from echo_rt import native

    assert native.sector is sys.modules["echo_rt._native"].sector
    return f"native kernels: {LOADED}"
