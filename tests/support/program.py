"""The command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def echo_rt(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "echo_rt", *map(str, arguments)]
    settings = {**os.environ, "COLUMNS": "220", **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=settings, check=False)
