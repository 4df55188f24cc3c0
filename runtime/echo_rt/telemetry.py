"""Switches off what libraries report to their vendors.

`import echo_rt` does it before it loads any of them, so that no host's name is looked up and no identifier is written.
"""

from __future__ import annotations

import os
import sys


def switch_off() -> None:
    """Keep ONNX Runtime, OpenVINO and Ray from reporting, in this process and in those that it starts.

    ONNX Runtime reads its variable once, when it is loaded. A program that imports onnxruntime itself imports echo_rt
    before it, or sets the variable: afterwards the look-ups go on, and an identifier stays in the user's cache. On
    Windows it writes to the system's event log, which `echo_rt.engine.onnx_runtime.session` switches off.

    OpenVINO has no variable. It has a stub for the case that openvino_telemetry cannot be imported, as None in
    ``sys.modules`` says. Where a program has loaded openvino_telemetry before, its choice stands.

    Ray reads its variable when it starts a cluster. A cluster that others started has the setting of its head.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
