"""Decodes damaged frames in a process of its own, which may crash, hang or run out of memory."""

from __future__ import annotations

import atexit
import io
import json
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from echo_rt.sources.limits import limits

if TYPE_CHECKING:
    from pydicom.uid import UID

    from echo_rt.sources.dicom_layout import Samples
    from echo_rt.sources.dicom_pixels import Pixels

MOST_DEATHS = 2
"""Of a recording: what ends the process twice is not tried again."""

START_S, WAIT_TIMES = 60.0, 10.0
"""Of wall clock: for the process to begin on a busy machine, and for a frame, in times of its CPU limit."""


_lock = threading.Lock()
_process: subprocess.Popen[bytes] | None = None
"""The one of this program: it takes a second to begin, and stays for the next damaged frame."""


class Aside:
    """Decodes the damaged frames of one recording."""

    def __init__(self) -> None:
        self._deaths = 0

    def decode(self, frame: bytes, syntax: UID, pixels: Pixels) -> tuple[Samples, str]:
        """The samples of a frame and what they mean.

        Raises:
            ValueError: it cannot be decoded, or it ended the process. A text for people.
        """
        if self._deaths >= MOST_DEATHS:
            raise ValueError("it is damaged as those before it, which ended their decoder")
        with _lock:
            told = _ask(pickle.dumps((frame, str(syntax), asdict(pixels), limits().frame_s)))
        if told is None:
            self._deaths += 1
            raise ValueError("it is damaged, and its decoder ended, took too long or too much memory")
        said, samples = told
        if samples is None:
            raise ValueError(said)
        return samples, said


def _ask(question: bytes) -> tuple[str, Samples | None] | None:
    """What the process says to it, see `_told`."""
    global _process
    begins = _process is None
    process = _process = _process or _start()
    assert process.stdin is not None
    assert process.stdout is not None
    watch = threading.Timer(WAIT_TIMES * limits().frame_s + START_S * begins, process.kill)
    watch.start()
    try:
        process.stdin.write(len(question).to_bytes(8, "little") + question)
        process.stdin.flush()
        told = _told(process.stdout)
    except (OSError, ValueError):
        told = None
    finally:
        watch.cancel()
    if told is None:
        close()
    return told


def close() -> None:
    """End the process, where there is one. It ends by itself when this one does."""
    global _process
    if (process := _process) is not None:
        _process = None
        process.kill()
        with suppress(OSError, ValueError):  # of what could not be sent any more
            process.communicate()


atexit.register(close)


def _start() -> subprocess.Popen[bytes]:
    # Isolated, and with the folders of this process: the current one is no place to import from.
    code = "import sys; sys.path[:] = sys.argv[1:]; from echo_rt.sources.aside_process import serve; serve()"
    return subprocess.Popen(
        [sys.executable, "-I", "-c", code, *filter(None, sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the one that began it
    )


def _told(talk: IO[bytes]) -> tuple[str, Samples | None] | None:
    """What the process says: what the samples mean, and them; or why there are none. None where it has ended."""
    line = talk.readline(2**16)
    if not line.endswith(b"\n"):
        return None
    head: dict[str, Any] = json.loads(line)
    size = head.get("bytes")
    if size is None:
        return str(head["error"]), None
    data = talk.read(size)
    if len(data) < size:
        return None
    # Never a pickle: what decodes hostile data is not believed.
    samples: Samples = np.load(io.BytesIO(data), allow_pickle=False)
    return str(head["meaning"]), samples
