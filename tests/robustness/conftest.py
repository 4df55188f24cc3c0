from __future__ import annotations

import sys

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Limits of CPU and memory are those of Unix, what a case took is read from Linux."""
    if not sys.platform.startswith("linux"):
        for item in items:
            if "/robustness/" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason="needs Linux: it limits CPU and memory"))
