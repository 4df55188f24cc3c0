"""`echo-rt live`: a feed followed until it ends or somebody ends it."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from echo_rt.errors import ParameterError

if TYPE_CHECKING:
    from echo_rt.live.capture import Opening
    from echo_rt.live.loop import Live
    from echo_rt.live.status import LiveStatus, LiveUpdate
    from echo_rt.sources import FeedOptions, Source

VIEWS = ("window", "web", "none")

RECORDER_DEPTH = 120
"""Readings that may wait for the disk, some 35 MB; who sees the feed over OpenIGTLink gets the newest alone."""

TERMINAL = "terminal"
"""Shows one reading a second of many: what it leaves out is no loss."""


def live(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Camera, rtsp:// udp:// http:// igtl:// phantom: or a file.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A shipped model's name or an .onnx file; see `echo-rt models`.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where the network runs; see `echo-rt doctor`.")] = "auto",
    view: Annotated[str, typer.Option(help="window, web, or none: a line of figures on the terminal.")] = "window",
    host: Annotated[
        str, typer.Option(help="Address that the web page is served on; any but this machine's own needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the web page.")] = 8080,
    token: Annotated[
        str | None, typer.Option(help="What the web page asks for; made up where one is needed and none given.")
    ] = None,
    roi: Annotated[
        str, typer.Option(help="auto finds the ultrasound on a scanner's screen; x,y,w,h sets it; none.")
    ] = "none",
    record: Annotated[Path | None, typer.Option(help="Keep frames and readings in this folder.")] = None,
    igtl_out: Annotated[int | None, typer.Option(help="Serve mask and EF to OpenIGTLink clients on this port.")] = None,
    realtime: Annotated[
        bool, typer.Option(help="Play a file or the phantom at its own pace; else every frame, as fast as it goes.")
    ] = True,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Ask the camera for this size.")] = None,
    fps: Annotated[
        float | None, typer.Option(help="Ask the camera for this rate; of a file, replace its clock.")
    ] = None,
    pixel_format: Annotated[
        str | None, typer.Option(help="Ask the camera for this format, such as MJPG or YUYV.")
    ] = None,
    ef_method: Annotated[str, typer.Option(help="What EF is made of: disks, area-length, area.")] = "disks",
    forget_after: Annotated[
        float | None, typer.Option(help="Seconds without frames after which EF starts afresh; never without it.")
    ] = None,
    devices: Annotated[bool, typer.Option("--list", help="List the cameras found, and end.")] = False,
) -> None:
    """Follow a live feed: always the newest frame, with its contour and the rolling ejection fraction."""
    if devices:
        _list()
        return
    if source is None:
        raise ParameterError(
            "expected a source, such as 0, rtsp://host/path or phantom:?ef=55, found none; `echo-rt live --list` has cameras"
        )
    if view not in VIEWS:
        raise ParameterError(f"--view: expected {', '.join(VIEWS)}, found {view!r}")
    if forget_after is not None and not forget_after > 0:
        raise ParameterError(f"--forget-after: expected a positive number of seconds, found {forget_after:g}")
    from echo_rt.engine import open_engine
    from echo_rt.live.loop import Live
    from echo_rt.live.settings import Settings
    from echo_rt.sources import FeedOptions, is_feed

    every_frame = not realtime and not is_feed(source)
    opening = partial(open_feed, options=FeedOptions(_size(size), fps, pixel_format), roi=roi, realtime=realtime)
    opening(source)  # what is misspelt ends here, before the model is loaded
    with ExitStack() as opened:
        engine = opened.enter_context(open_engine(model, device))
        name = f"{engine.spec.name} {engine.spec.version}"
        takers = list(
            _takers(record, igtl_out, {"roi": roi, "model": name, "engine": engine.description, "ef_method": ef_method})
        )
        snapshots = record if record is not None else Path("snapshots")
        settings = Settings(every_frame, forget_after, record, name, snapshots, ef_method)
        feed = Live(source, opening, engine, settings, _cameras)
        opened.callback(
            feed.close
        )  # a thread that still reads when the interpreter ends takes the process down with it
        for taker, kind, depth in takers:
            feed.add_taker(taker, kind, depth)
        if view != "none":
            from echo_rt.viewer import open_viewer

            feed.add_viewer(open_viewer(view, feed, host=host, port=port, token=token))
        else:
            feed.add_viewer(StatusLine(), TERMINAL)
        for number in (signal.SIGINT, signal.SIGTERM):
            before = signal.signal(number, partial(_end, feed))
            opened.callback(signal.signal, number, before)
        status = feed.run()
    typer.echo(summary_line(status, feed))


def _end(feed: Live, number: int, frame: FrameType | None) -> None:
    feed.end()


def open_feed(uri: str, options: FeedOptions, roi: str, realtime: bool) -> Opening:
    """How `echo-rt live` opens an address.

    Raises:
        ParameterError, SourceNotFoundError, SourceFormatError: it cannot be one, or there is no such file. A feed may
            still come.
    """
    from echo_rt.live.capture import Opening
    from echo_rt.sources import is_feed, open_source
    from echo_rt.sources.network import shown
    from echo_rt.sources.pace import Paced
    from echo_rt.sources.roi import parse_roi

    lasting, cut = is_feed(uri), parse_roi(roi)

    def make() -> Source:
        if lasting:
            return open_source(uri, feed=options)
        source = open_source(uri, options.fps)
        return Paced(source) if realtime else source

    make()
    return Opening(shown(uri), make, lasting, lambda: cut() if isinstance(cut, type) else cut)


def _takers(record: Path | None, igtl_out: int | None, about: dict[str, Any]) -> Any:
    if record is not None:
        from echo_rt import __version__
        from echo_rt.outputs.recorder import Recorder

        yield Recorder(record, {**about, "version": __version__}), "recorder", RECORDER_DEPTH
    if igtl_out is not None:
        from echo_rt.outputs.igtl import IgtlServer

        yield IgtlServer(igtl_out), "OpenIGTLink", 1


def _cameras() -> list[str]:
    from echo_rt.sources.camera import cameras

    # On Linux the system has a list; elsewhere each camera would be opened, in the middle of a feed.
    return [address for address, _ in cameras()] if sys.platform.startswith("linux") else []


def _list() -> None:
    from echo_rt.sources.camera import cameras

    found = cameras()
    for address, name in found:
        typer.echo(f"{address}  {name}")
    if not found:
        typer.echo(
            "no cameras or capture cards found; any address works too: rtsp://, udp://, http://, igtl://host:port, phantom:"
        )


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    numbers = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if numbers is None or not (int(numbers[1]) and int(numbers[2])):
        raise ParameterError(f"--size: expected width x height in pixels, such as 1280x720, found {text!r}")
    return int(numbers[1]), int(numbers[2])


class StatusLine:
    """A viewer for terminals: one line of figures, renewed every second; where nobody looks, only what changes the
    phase."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, soft_wrap=True)
        self._told_s = -1.0
        self._phase: object = None

    def show(self, update: LiveUpdate) -> None:
        status = update.status
        changed = (status.phase, status.message) != self._phase
        due = self._console.is_terminal and status.t_wall_s - self._told_s >= 1.0
        if not (changed or due):
            return
        self._phase, self._told_s = (status.phase, status.message), status.t_wall_s
        self._console.print(status_text(update), markup=False, highlight=False)

    def close(self) -> None:
        """Nothing is held."""


def status_text(update: LiveUpdate) -> str:
    """How a feed is, and what it shows, in one line."""
    from echo_rt.live.status import Phase

    status, reading = update.status, update.reading
    parts = [status.phase.value]
    if reading is not None and status.phase is Phase.RUNNING:
        ef = reading.ef
        if ef.percent is None:
            parts.append(f"no EF: {ef.reason}")
        else:
            interval = "" if ef.low is None or ef.high is None else f" ({ef.low:.0f}-{ef.high:.0f})"
            parts.append(f"EF {ef.percent:.0f} %{interval}" + (f", {ef.reason}" if ef.stale else ""))
        if reading.heart_rate_bpm is not None:
            parts.append(f"{reading.heart_rate_bpm:.0f} bpm")
        parts.append("usable" if reading.quality.ok else f"not used: {reading.quality.reason}")
        if status.fps is not None:
            parts.append(f"{status.fps:.0f} fps")
        if status.age_ms is not None:
            parts.append(f"{status.age_ms:.0f} ms")
    if dropped := sum(status.dropped.values()):
        parts.append(f"{dropped} dropped")
    return "  ".join([*parts, *([status.message] if status.message else [])])


def summary_line(status: LiveStatus, feed: Live) -> str:
    """What a followed feed came to."""
    counts = ", ".join(f"{n} {why}" for why, n in status.dropped.items()) or "none"
    parts = [f"{status.source}: {status.frames} readings, dropped: {counts}", f"reopened {status.reopened} times"]
    if status.age_p50_ms is not None:
        parts.append(f"age {status.age_p50_ms:.0f} ms (p99 {status.age_p99_ms:.0f})")
    if (ef := feed.ef) is not None:
        parts.append(f"EF {ef.percent:.0f} %" if ef.percent is not None and not ef.stale else f"no EF: {ef.reason}")
    if lost := [f"{name} {n}" for name, n in status.lost.items() if name != TERMINAL]:
        parts.append("lost by " + ", ".join(lost))
    if status.recording is not None:
        parts.append(f"recorded in {status.recording}")
    return "; ".join(parts) + (f"; {status.message}" if status.message else "")
