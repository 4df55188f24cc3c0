"""The U-Net with heads and memory, its weights as a file, and FP32 ONNX files of it: what train and export both need.

May import the ground floor of `echo_rt`, never `echo_rt_train` and `echo_rt_export`.
"""

import echo_rt  # noqa: F401 - first of all: it switches off the telemetry of what is imported next
