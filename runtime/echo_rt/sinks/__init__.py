"""Where readings go: the files of `echo-rt file`, and the drawing that the viewers share.

    summary = Summary()
    with FileSinks("results", "clip") as sinks:
        for frame, reading in follow(source, engine, monitor):
            summary.write(frame, reading)
            sinks.write(frame, reading)
        sinks.finish(summary.result(...), monitor.clip_extremes())

PyAV and matplotlib are imported when a sink that needs them is opened.
"""

from __future__ import annotations

from echo_rt.sinks.base import FileSink, Sink
from echo_rt.sinks.files import FileSinks
from echo_rt.sinks.summary import Summary, as_json, biplane_summary

__all__ = ["FileSink", "FileSinks", "Sink", "Summary", "as_json", "biplane_summary"]
