"""A feed that is followed until somebody ends it: always its newest frame, whatever happens to source or viewers.

May import all of `echo_rt` but viewers and the command line.
"""
