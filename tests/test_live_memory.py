"""What a program that runs for days does about its memory."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

MANY_THREADS = """
import ctypes, threading
from echo_rt.live.memory import HEAPS, limit_heaps

limited = {limited}
if limited:
    assert limit_heaps()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
here = threading.Barrier(12)

def hold():
    libc.malloc(ctypes.c_size_t(1000))
    here.wait()

threads = [threading.Thread(target=hold) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.malloc_info.restype = ctypes.c_int
read, write = __import__("os").pipe()
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(write, b"w"))
libc.malloc_info(0, stream)
libc.fclose(stream)
print(__import__("os").read(read, 2**20).decode().count("<heap "))
"""


def heaps(limited: bool) -> int:
    """Of a process with twelve threads that all ask for memory."""
    code = MANY_THREADS.format(limited=limited)
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has a heap for each thread")
def test_threads_that_come_and_go_have_two_heaps_and_not_one_each() -> None:
    assert heaps(limited=False) > 3
    assert heaps(limited=True) <= 2
