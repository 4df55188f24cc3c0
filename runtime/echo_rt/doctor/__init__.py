"""What works on this machine, why a feed does not open, and a self-test on hearts of known volume.

May import everything in `echo_rt` but the command line.
"""
