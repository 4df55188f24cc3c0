"""ONNX Runtime: the engines ``cpu``, ``cuda`` and ``tensorrt-ort``, and in `session` what they share.

May import the ground floor and `echo_rt.engine`.
"""
