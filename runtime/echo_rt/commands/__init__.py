"""The command line, one module a command.

May import everything in `echo_rt`, inside of the functions that need it.
"""
