"""Weights to what a device runs: ONNX with its contract inside."""

import echo_rt  # noqa: F401 - first of all: it switches off the telemetry of what is imported next
