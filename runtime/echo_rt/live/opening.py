"""From an address to what a live feed opens, again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from echo_rt.live.reader import Opening

if TYPE_CHECKING:
    from echo_rt.sources import FeedOptions, Source


def opening_of(
    uri: str,
    *,
    realtime: bool = True,
    camera: FeedOptions | None = None,
    roi: str = "auto",
    keep_screen: bool = False,
    read_screen: bool = True,
) -> Opening:
    """How a live feed opens an address.

    Args:
        uri: what `open_source` takes.
        realtime: a file or the phantom comes at its own pace.
        camera: size, rate and pixel format that a camera is asked for; of a file its rate replaces the clock.
        roi: ``auto`` finds the ultrasound on a scanner's screen, ``x,y,w,h`` sets it, ``none`` takes all.
        keep_screen: keep all of the screen in recordings, not the ultrasound alone.
        read_screen: read the scale from the ruler on the screen.

    Raises:
        ParameterError, SourceNotFoundError, SourceFormatError: it cannot be one, or there is no such file. A feed may
            still come.
    """
    from echo_rt.framing import live_cut
    from echo_rt.sources import FeedOptions, is_feed, open_source
    from echo_rt.sources.network import shown
    from echo_rt.sources.pace import Paced
    from echo_rt.sources.screen.region import Keep
    from echo_rt.sources.screen.scaled import ScaledCut

    lasting, keep, asked = is_feed(uri), Keep.SCREEN if keep_screen else Keep.ULTRASOUND, camera or FeedOptions()

    def make() -> Source:
        if lasting:
            return open_source(uri, feed=asked)
        return open_source(uri, asked.fps)

    def paced() -> Source:
        return Paced(make()) if realtime and not lasting else make()

    paced()
    cut = live_cut(roi, keep, None if lasting else make)
    return Opening(shown(uri), paced, lasting, lambda: ScaledCut(cut()) if read_screen else cut())
