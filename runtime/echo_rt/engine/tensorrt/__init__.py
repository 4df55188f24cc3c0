"""All that serves TensorRT alone: building, caching and running its engines, and CUDA around them.

May import the ground floor and `echo_rt.engine`.
"""
