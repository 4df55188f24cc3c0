"""ONNX Runtime: the ``cpu`` and the ``cuda`` engine, side by side.

May import the ground floor and `echo_rt.engine`.
"""
