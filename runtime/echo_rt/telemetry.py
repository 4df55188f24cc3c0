"""Switches off what libraries report to their vendors.

`import echo_rt` does it before it loads any of them, so that no host's name is looked up and no identifier is written.
"""

from __future__ import annotations

import os
import sys


def switch_off() -> None:
    """Keep ONNX Runtime and OpenVINO from reporting, in this process and in those that it starts.

    ONNX Runtime reads its variable once, when it is loaded. Its own ``disable_telemetry_events`` comes too late: the
    look-ups go on, and an identifier of the machine stays in the user's cache. So a program that imports onnxruntime
    itself imports echo_rt before it, or sets the variable. On Windows it writes to the system's own event log instead,
    which the variable does not reach.

    OpenVINO has no variable. It has a stub that it takes where openvino_telemetry cannot be imported, and None in
    ``sys.modules`` says just that. Where a program has loaded openvino_telemetry before, its choice stands.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
