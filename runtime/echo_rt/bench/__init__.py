"""`echo-rt bench`: what a frame costs on this machine, and how near that is to what the machine could do.

May import all of `echo_rt` but the command line.
"""
