"""ONNX Runtime: the ``cpu`` and the ``cuda`` engine, and in `session` what both share.

May import the ground floor and `echo_rt.engine`.
"""
