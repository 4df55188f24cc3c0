"""Where readings and results go: the files of `echo-rt file`, the drawing of a frame, live recordings, OpenIGTLink.

May import the ground floor alone. An output renders; it computes and decides nothing.
"""

from __future__ import annotations

from echo_rt.outputs.base import FileOutput
from echo_rt.outputs.files import RecordingFiles
from echo_rt.outputs.summary import as_json

__all__ = ["FileOutput", "RecordingFiles", "as_json"]
