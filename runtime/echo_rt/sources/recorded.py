"""A take that `echo-rt live --record` made, as a recording: the same frames with the same times, numbers and scale."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, TextIO

import av
import numpy as np
from av.container import InputContainer

from echo_rt.errors import SourceFormatError
from echo_rt.sources.base import Picture, Recording, one_line
from echo_rt.sources.paths import RECORDING
from echo_rt.sources.screen.region import Region
from echo_rt.sources.video import image_of

FRAMES, READINGS = "frames.mkv", "readings.jsonl"


class Recorded(Recording):
    """The folder of a take. One that was cut off is read up to where frames and lines both reach.

    Attributes:
        cut: the part of its pictures that was followed; None where that was all of them.
        asked: whether the user had named it. Both are known once the take has been entered.

    Raises, when it is entered or read:
        SourceFormatError: a file is missing or is not what the recorder wrote, or there are fewer than two frames.
    """

    cut: Region | None = None
    asked: bool = False

    def _open(self, resources: ExitStack) -> Iterator[Picture]:
        try:
            about = json.loads((self.path / RECORDING).read_text(encoding="utf-8"))
            lines = resources.enter_context((self.path / READINGS).open(encoding="utf-8"))
            container = resources.enter_context(
                av.open(f"file:{self.path / FRAMES}", options={"protocol_whitelist": "file"})
            )
            self.frames, self.asked = about.get("frames"), about.get("roi") != "auto"
            self.cut = _region(about.get("cut"))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, av.FFmpegError) as error:
            raise SourceFormatError(
                f"{self.path}: expected a recording of `echo-rt live` ({RECORDING}, {READINGS}, {FRAMES}), "
                f"found: {one_line(error)}"
            ) from None
        self.spacing_note = "the feed that was recorded does not say how large a pixel is"
        return self._pictures(container, lines)

    def _pictures(self, container: InputContainer, lines: TextIO) -> Iterator[Picture]:
        # A file that was cut off ends in the middle of a packet, or of a line.
        try:
            for frame, line in zip(container.decode(video=0), lines, strict=False):
                fields: dict[str, Any] = json.loads(line)
                spacing = fields["spacing_mm"]
                self.spacing_mm = None if spacing is None else (spacing[0], spacing[1])
                if spacing is not None:
                    self.spacing_note = None
                yield fields["index"], fields["t_s"], image_of(frame)
        except (av.FFmpegError, json.JSONDecodeError):
            return
        except (KeyError, TypeError, IndexError) as error:
            raise SourceFormatError(
                f"{self.path}: expected lines with index, t_s and spacing_mm, found {one_line(error)}"
            ) from None


def _region(cut: dict[str, Any] | None) -> Region | None:
    """What recording.json says of the part that was followed."""
    if cut is None:
        return None
    outline = None if cut["outline"] is None else np.array(cut["outline"], np.int32).reshape(-1, 2)
    return Region((int(cut["x"]), int(cut["y"]), int(cut["width"]), int(cut["height"])), outline)
