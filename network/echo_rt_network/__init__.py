"""The U-Net with its heads and memory, and its weights as a file: below both training and export.

May import the ground floor of `echo_rt`, torch and safetensors.
"""

import echo_rt  # noqa: F401 - first of all: it switches off the telemetry of what is imported next
