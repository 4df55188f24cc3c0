"""Send what is found elsewhere, while it is found: here a line of JSON for each frame, to a file or a pipe.

python examples/own_output.py clip.dcm > frames.jsonl
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import echo_rt


def lines(recording: str) -> Iterator[str]:
    """One JSON object a frame: time, quality, contour and the rolling EF."""
    for reading in echo_rt.stream(recording):
        ventricle = reading.ventricle
        yield json.dumps(
            {
                "t_s": reading.t_s,
                "usable": reading.quality.ok,
                "why_not": reading.quality.reason,
                "contour_px": None if ventricle is None else ventricle.contour.round(1).tolist(),
                "ef_percent": reading.ef.percent,
                "beat": None if reading.beat is None else reading.beat.ef_percent,
            }
        )


if __name__ == "__main__":
    for line in lines(sys.argv[1]):
        print(line, flush=True)
