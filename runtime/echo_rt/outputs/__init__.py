"""Where readings go: the files of `echo-rt file`, and the drawing that the viewers share.

    summary = Summary()
    with RecordingFiles("results", "clip") as outputs:
        for frame, reading in follow(source, engine, monitor):
            summary.write(frame, reading)
            outputs.write(frame, reading)
        outputs.finish(summary.result(...), monitor.clip_figures().extremes)

PyAV and matplotlib are imported when a output that needs them is opened.
"""

from __future__ import annotations

from echo_rt.outputs.base import FileOutput, Output
from echo_rt.outputs.files import RecordingFiles
from echo_rt.outputs.summary import Summary, as_json, biplane_summary

__all__ = ["FileOutput", "Output", "RecordingFiles", "Summary", "as_json", "biplane_summary"]
