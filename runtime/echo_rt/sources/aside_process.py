"""The process that `aside` begins: it decodes what it is sent, and may be ended at any moment."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
from typing import Any

import numpy as np
from pydicom.uid import UID

from echo_rt.sources.dicom_decode import decoder_of, reason
from echo_rt.sources.dicom_pixels import Pixels
from echo_rt.sources.limits import limits


def serve() -> None:
    """Decode what is sent on standard input, until nothing more comes."""
    talk, answer = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _limit_memory(limits().held_bytes)
    while len(head := talk.read(8)) == 8:
        frame, syntax, pixels, frame_s = pickle.loads(talk.read(int.from_bytes(head, "little")))
        _limit_time(frame_s)
        data = b""
        try:
            samples, meaning = decoder_of(UID(syntax), Pixels(**pixels))(frame)
            buffer = io.BytesIO()
            np.save(buffer, samples, allow_pickle=False)
            data = buffer.getvalue()
            said: dict[str, Any] = {"meaning": meaning, "bytes": len(data)}
        except Exception as error:  # noqa: BLE001 - pydicom tries plug-ins, and each has errors of its own
            said = {"error": reason(error)}
        answer.write(json.dumps(said).encode() + b"\n" + data)
        answer.flush()


def _limit_memory(size: int) -> None:
    try:
        import resource

        with open("/proc/self/statm") as file:
            here = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (here + size, here + size))
    except (ImportError, OSError, ValueError):
        return  # the system has no such limit


def _limit_time(frame_s: float) -> None:
    """The system ends the process after that much CPU, wherever it is."""
    try:
        import signal

        signal.setitimer(signal.ITIMER_PROF, frame_s)
    except (ImportError, AttributeError):
        return  # Windows: whoever waits ends it
