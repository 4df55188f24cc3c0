"""Run a module where a frame may take minutes: ``python -m arm64.patient echo_rt file cine.dcm``."""

from __future__ import annotations

import runpy
import sys

import echo_rt.engine.host

if __name__ == "__main__":
    echo_rt.engine.host.TRIAL_S = 600.0  # an engine refuses networks that are slower on its own processor
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
