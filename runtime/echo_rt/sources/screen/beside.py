"""What a recording's screen shows beside the picture: the scale by the ruler, and the ECG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from echo_rt.frame import Frame
from echo_rt.sources.screen.ecg import EcgReader
from echo_rt.sources.screen.ruler import NO_RULER, Found, RulerReader, read_still
from echo_rt.sources.screen.scaled import Scaled
from echo_rt.sources.screen.strip import find_strips

if TYPE_CHECKING:
    from echo_rt.provenance import RulerScale
    from echo_rt.result import RecordingResult
    from echo_rt.sources.base import Source
    from echo_rt.sources.screen.look import Look
    from echo_rt.sources.screen.region import Box

FLAT = 3.0
"""What moves and is that many times as wide as tall is no ultrasound, but a trace that scrolls."""

DIFFERENT = 0.05
"""Share by which a header's scale and the ruler's differ, so that it is said."""


class Beside:
    """Reads it while the frames go by. A header's scale counts; the ruler is then only a check.

    Args:
        ruler: what was read before the first frame, or why there is no scale.
        spacing_mm: the header's, of a row and a column; None without one.
        traces: read what may be an ECG.
    """

    def __init__(
        self, ruler: Found | str, spacing_mm: tuple[float, float] | None, traces: Sequence[EcgReader] = ()
    ) -> None:
        self._ruler, self._spacing_mm, self._traces = ruler, spacing_mm, traces
        found = ruler if isinstance(ruler, Found) and spacing_mm is None else None
        self._scaled = Scaled(found) if found is not None else None

    def __call__(self, frame: Frame) -> Frame:
        """The frame (the whole screen) with its scale."""
        for trace in self._traces:
            trace.update(frame)
        return frame if self._scaled is None else self._scaled(frame)

    def strips(self, shape: tuple[int, int]) -> tuple[Box, ...]:
        """What shows the scale on a screen of that shape, with its numbers."""
        return self._ruler.boxes(shape) if isinstance(self._ruler, Found) else ()

    def told(self, result: RecordingResult) -> RecordingResult:
        """The result with what was read; its figures stay."""
        source = result.provenance
        notes, spacing_note = [*source.notes, *self._scale_notes()], source.spacing_note
        scale = self._ruler.scale if isinstance(self._ruler, Found) and self._scaled is not None else None
        if scale is not None:
            spacing_note = None
        elif isinstance(self._ruler, str) and self._ruler != NO_RULER and self._spacing_mm is None:
            spacing_note = "; ".join(filter(None, (spacing_note, self._ruler)))
        ecg = next((ecg for ecg in (trace.result() for trace in self._traces) if ecg is not None), None)
        if ecg is not None and (note := ecg.disagreement([beat.t_ed_s for beat in result.beats if beat.accepted])):
            notes.append(note)
        told = replace(
            source,
            notes=tuple(notes),
            spacing_note=spacing_note,
            ruler=scale,
            ecg_heart_rate_bpm=None if ecg is None else ecg.heart_rate_bpm,
        )
        return replace(result, provenance=told)

    def _scale_notes(self) -> list[str]:
        if not isinstance(self._ruler, Found):
            return []
        scale = self._ruler.scale
        if self._scaled is not None:
            return [_by_ruler(scale), *(f"the depth was changed at {t_s:.1f} s" for t_s in self._scaled.changes)]
        if self._spacing_mm is None or abs(scale.mm_per_px / self._spacing_mm[0] - 1) <= DIFFERENT:
            return []
        return [
            f"the header says {self._spacing_mm[0]:.3g} mm a pixel, the ruler on the screen {scale.mm_per_px:.3g} mm; "
            "the header's scale was taken"
        ]


def _by_ruler(scale: RulerScale) -> str:
    return f"scale by the ruler on the screen: {scale.mm_per_px:.3g} mm a pixel within {scale.error_percent:.1f} %"


def look_beside(seen: Look, source: Source) -> Beside:
    """What reads the rest of a recording's screen.

    Args:
        seen: a look at its first seconds.
        source: the recording, as it was when it was looked at.
    """
    boxes = [(sector.outline, sector.region.box) for sector in seen.sectors]
    ultrasound = [outline for outline, (_, _, width, height) in boxes if width <= FLAT * height]
    strips = find_strips(seen.still.highest, seen.still.lowest, ultrasound)
    ruler = read_still(seen.still, [sector.outline for sector in seen.sectors])
    return Beside(ruler, source.spacing_mm, [EcgReader(strip) for strip in strips])


def look_at_ruler(source: Source) -> Beside | None:
    """What sets the scale of a recording that is not looked at for its ultrasound; None where its header has one.

    Args:
        source: not entered; a second of it is read.
    """
    reader = RulerReader()
    with source:
        if source.spacing_mm is not None:
            return None
        for frame in source:
            if reader.update(frame.image, frame.t_s):
                break
    return Beside(reader.read() or reader.reason, None)
