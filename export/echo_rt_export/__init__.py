"""Weights to what a device runs: ONNX in FP32, FP16 and INT8 through the parity gate, TensorRT engines, Triton.

May import `echo_rt` and `echo_rt_network`, never `echo_rt_train`.
"""

import echo_rt  # noqa: F401 - first of all: it switches off the telemetry of what is imported next
