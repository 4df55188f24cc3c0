"""What of a recording's pictures is looked at: all of it, a rectangle, or the ultrasound that is found on a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from echo_rt.provenance import ASKED, FILLS, FOUND, NOT_FOUND, Roi

if TYPE_CHECKING:
    from echo_rt.engine import Engine
    from echo_rt.frame import Frame
    from echo_rt.result import RecordingResult
    from echo_rt.sources import Cut, Source
    from echo_rt.sources.recorded import Recorded
    from echo_rt.sources.screen.beside import Beside
    from echo_rt.sources.screen.look import Look
    from echo_rt.sources.screen.region import Box, Crop, Keep
    from echo_rt.sources.screen.scaled import Scaled
    from echo_rt.sources.screen.sectors import Sector

ALIKE = 0.85
"""Sectors whose areas are that near are of one size: which is the larger one is chance."""

LIVE_LOOK_S = 10.0
"""Seconds of a recording that are looked at before it is played as a live feed."""


@dataclass(frozen=True)
class Framing:
    """What is done with the frames of a recording before the network sees them.

    Attributes:
        cut: makes the frame that goes on; None for the frame as it is.
        roi: the region, for people; None where none was looked for.
        chosen: why this region of several; None where there was no choice.
        scaled: gives a whole frame its scale, before it is cut; None where nothing on the screen tells it.
    """

    cut: Cut | None = None
    roi: Roi | None = None
    chosen: str | None = None
    scaled: Beside | Scaled | None = None

    def __call__(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames as they go on."""
        if self.scaled is not None:
            frames = map(self.scaled, frames)
        if self.cut is None:
            return iter(frames)
        return (seen for seen in map(self.cut, frames) if seen is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        """A line each on what a reader must know of it; whole after the last frame."""
        return tuple(note for note in (self.chosen, getattr(self.cut, "note", None)) if note)

    def told(self, result: RecordingResult) -> RecordingResult:
        """The result of a recording, with what its screen shows beside the picture."""
        from echo_rt.sources.screen.beside import Beside

        return self.scaled.told(result) if isinstance(self.scaled, Beside) else result


def frame_feed(roi: str, read_screen: bool = True) -> Framing:
    """How the frames of a feed are cut: what it shows can be looked at once.

    Args:
        roi, read_screen: as in `frame_recording`. With ``auto`` frames go on as soon as the ultrasound is found.

    Raises:
        ParameterError: the region is none of these.
    """
    from echo_rt.sources.screen.roi import parse_roi
    from echo_rt.sources.screen.scaled import Scaled

    return Framing(parse_roi(roi)(), scaled=Scaled() if read_screen else None)


def live_cut(roi: str, keep: Keep, recording: Callable[[], Source] | None = None) -> Callable[[], Cut | None]:
    """What makes the cut for each opening of a live source. All that is not ultrasound is black: a live feed shows what
    it keeps.

    Args:
        roi, keep: as in `frame_recording`.
        recording: makes the source where it is a recording, which is looked at first; None for a feed.

    Raises:
        ParameterError: the region is none of these.
    """
    from echo_rt.sources.recorded import Recorded
    from echo_rt.sources.screen.look import look
    from echo_rt.sources.screen.roi import black_beside, parse_roi

    cut = parse_roi(roi, keep)
    if recording is None or roi != "auto":
        return cut

    def looked() -> Cut | None:
        source = recording()
        if isinstance(source, Recorded):
            return _as_followed(source, keep).cut
        with source:
            # An endless one that shows no ultrasound must not be read for ever.
            seen = look(takewhile(lambda frame: frame.t_s < LIVE_LOOK_S, source))
        return black_beside(seen.sectors[0], keep) if seen is not None and seen.sectors else None

    return looked


def frame_recording(
    source: Source, engine: Engine, roi: str = "auto", keep: Keep | None = None, read_screen: bool = True
) -> Framing:
    """How the frames of a recording are cut.

    Args:
        source: the recording, not entered; ``auto`` reads its first seconds. A feed can be read once: see `frame_feed`.
        engine: judges which of several sectors shows an apical view.
        roi: ``auto``, ``none`` or ``x,y,width,height`` in pixels.
        keep: what outputs keep of the pictures; None where nobody keeps any.
        read_screen: read the scale from the ruler beside the ultrasound, and the ECG.

    Raises:
        ParameterError: the region is none of these.
        SourceError: the recording cannot be read.
    """
    from echo_rt.sources.feed import Feed
    from echo_rt.sources.recorded import Recorded
    from echo_rt.sources.screen.beside import look_at_ruler, look_beside
    from echo_rt.sources.screen.look import look
    from echo_rt.sources.screen.region import Keep
    from echo_rt.sources.screen.roi import FixedCut, WatchedCut, parse_roi
    from echo_rt.sources.screen.scaled import Scaled

    cut = parse_roi(roi, keep or Keep.ULTRASOUND)()
    if isinstance(source, Feed):
        return Framing(cut, scaled=Scaled() if read_screen else None)
    if isinstance(cut, FixedCut) or cut is None:
        reads = read_screen and not isinstance(source, Recorded)
        roi_found = None if cut is None else Roi(*cut.box, ASKED)
        return Framing(cut, roi_found, scaled=look_at_ruler(source) if reads else None)
    if isinstance(source, Recorded):
        return _as_followed(source, keep)
    with source:
        seen = look(source)
        if seen is None:
            return Framing()
        beside = look_beside(seen, source) if read_screen else None
    rows, columns = seen.shape
    if not seen.sectors:
        return Framing(roi=Roi(0, 0, columns, rows, NOT_FOUND), scaled=beside)
    sector, why = _choose(seen, engine)
    crop = _crop(sector, keep, () if beside is None else beside.strips(seen.shape))
    return Framing(crop if sector.fills else WatchedCut(sector, crop), _roi(sector), why, beside)


def _as_followed(take: Recorded, keep: Keep | None) -> Framing:
    """A recording of a live feed is followed as the feed was, to the same readings."""
    from echo_rt.sources.screen.region import Crop, Keep

    with take:
        if (cut := take.cut) is None:
            return Framing()
    return Framing(Crop(cut, keep=keep is Keep.SCREEN), Roi(*cut.box, ASKED if take.asked else FOUND))


def _roi(sector: Sector) -> Roi:
    rows, columns = sector.shape
    return Roi(0, 0, columns, rows, FILLS) if sector.fills else Roi(*sector.region.box, FOUND)


def _crop(sector: Sector, keep: Keep | None, strips: tuple[Box, ...] = ()) -> Crop:
    """Cut to the sector, or where it fills the picture leave that as it is; what is kept is the sector and the strips
    that belong to it."""
    from echo_rt.sources.screen.region import Crop, Keep, Region

    rows, columns = sector.shape
    if keep is Keep.SCREEN:
        return Crop(None if sector.fills else sector.region, keep=not sector.fills)
    if sector.fills:
        return Crop(None, Region((0, 0, columns, rows), sector.outline, strips), keep=keep is not None)
    return Crop(sector.region, sector.region.with_strips(strips), keep=bool(keep and strips))


def _choose(seen: Look, engine: Engine) -> tuple[Sector, str | None]:
    """The sector to follow: the largest that shows an apical view; and what to say where there are several."""
    if len(seen.sectors) == 1:
        return seen.sectors[0], None
    from echo_rt.sources.screen.region import Crop

    usable = [_usable([Crop(sector.region)(frame) for frame in seen.examples], engine) for sector in seen.sectors]
    apical = [number for number, share in enumerate(usable) if share >= 0.5]
    said = "the largest that shows an apical view" if apical else "the largest; none shows an apical view"
    largest = seen.sectors[(apical or [0])[0]]
    alike = [number for number in apical or [0] if seen.sectors[number].area >= ALIKE * largest.area]
    chosen = seen.sectors[max(alike, key=lambda number: usable[number])]
    x, y, width, height = chosen.region.box
    there = f"{len(seen.sectors)} ultrasound pictures on the screen"
    return chosen, f"{there}: followed the one at {x},{y} of {width}x{height}, {said}"


def _usable(frames: list[Frame], engine: Engine) -> float:
    """Share of the frames that show an apical view, as they stand or upside down."""
    from echo_rt.cardiac.monitor import Monitor

    judge = Monitor(engine.spec)

    def usable(shown: Iterable[Frame]) -> int:
        count = 0
        for frame in shown:
            judge.reset()
            count += judge.update(engine.segment(frame.image), frame).quality.ok
        return count

    return max(usable(frames), usable(map(upside_down, frames))) / max(1, len(frames))


def upside_down(frame: Frame) -> Frame:
    """The frame with its first row last."""
    kept = frame.kept
    if kept is not None:
        rows = len(kept.image)
        outline = kept.outline
        if outline is not None:
            outline = outline.copy()
            outline[:, 1] = rows - 1 - outline[:, 1]
        kept = replace(kept, image=kept.image[::-1].copy(), y=rows - kept.y - len(frame.image), outline=outline)
    return replace(frame, image=frame.image[::-1].copy(), kept=kept)
