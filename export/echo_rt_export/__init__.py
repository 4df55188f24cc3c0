"""Weights to what a device runs: ONNX with its contract inside."""
