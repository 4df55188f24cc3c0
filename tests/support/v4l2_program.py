"""Looks at the card of `fake_v4l2.c`, in a process of its own. Prints one JSON object.

    LD_PRELOAD=fake_v4l2.so FAKE_V4L2=FOLDER/video7 python v4l2_program.py FOLDER OPTIONS COUNT SECONDS

OPTIONS are the size, rate and pixel format asked for, as JSON. COUNT frames are read; each is looked at for SECONDS.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path

from echo_rt.errors import EchoRtError
from echo_rt.sources import FeedOptions, camera, open_source, v4l2_camera


def main(folder: str, options: str, count: str, seconds: str) -> None:
    v4l2_camera.DEVICES = Path(folder)
    v4l2_camera.OPEN_S, v4l2_camera.READ_S = 1.0, 0.3
    size, fps, pixel_format = json.loads(options)
    found: dict[str, object] = {"modes": camera.offered_modes(f"{folder}/video7"), "frames": []}
    try:
        with open_source("/dev/video7", feed=FeedOptions(size and tuple(size), fps, pixel_format)) as source:
            found |= {"note": source.note, "fps": source.fps}  # type: ignore[attr-defined]
            for frame in islice(source, int(count)):
                found["frames"].append((frame.t_s, frame.image.shape, float(frame.image.mean())))  # type: ignore
                time.sleep(float(seconds))
    except EchoRtError as error:
        found["error"] = str(error)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
