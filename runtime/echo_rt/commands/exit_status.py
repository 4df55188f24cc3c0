"""The exit statuses of the command line; 1 is left to defects, and a signal gives 128 and its number."""

BAD_INPUT = 2
"""Something given was not as expected."""

NO_DEVICE = 3
"""This machine lacks the device, so that a script can tell the wrong machine from a wrong file."""

INTERRUPTED, TERMINATED, NOBODY_READS = 130, 143, 141
"""As a shell gives them for SIGINT, SIGTERM and SIGPIPE."""
