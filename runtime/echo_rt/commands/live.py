"""`echo-rt live`: a feed followed until it ends or somebody ends it."""

from __future__ import annotations

import re
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from echo_rt.commands.ending import ending
from echo_rt.commands.engine_options import Device, Model
from echo_rt.commands.live_options import LiveOptions, ScreenOptions, ViewOptions
from echo_rt.commands.patient import HeightCm, WeightKg, patient_of
from echo_rt.errors import OutputError, ParameterError, printable

if TYPE_CHECKING:
    from echo_rt.live.outputs import Taker
    from echo_rt.live.reader import Opening
    from echo_rt.live.session import Live
    from echo_rt.live.status import LiveStatus
    from echo_rt.sources import Source

RECORDER_DEPTH, SCREEN_DEPTH = 120, 24
"""Readings that may wait for the disk, some 35 MB; with whole screens, some 150 MB. Who sees the feed over OpenIGTLink
gets the newest alone."""

TERMINAL = "terminal"
"""Shows one reading a second of many: what it leaves out is no loss."""


_Source = Annotated[
    str | None, typer.Argument(metavar="SOURCE", help="Camera, rtsp:// udp:// http:// igtl:// phantom: or a file.")
]
_View = Annotated[str, typer.Option(help="window, web, or none: a line of figures on the terminal.")]
_Host = Annotated[str, typer.Option(help="Address that the web page is served on.")]
_Port = Annotated[int, typer.Option(help="Port of the web page.")]
_Token = Annotated[
    str | None,
    typer.Option(envvar="ECHO_RT_TOKEN", help="What the web page asks for; made up where none is given."),
]
_Roi = Annotated[str, typer.Option(help="auto finds the ultrasound on a scanner's screen; x,y,w,h sets it; none.")]
_KeepScreen = Annotated[bool, typer.Option(help="Record all of the screen, not the ultrasound alone.")]
_ReadScreen = Annotated[bool, typer.Option(help="Read the scale from the ruler on the screen.")]
_Record = Annotated[Path | None, typer.Option(help="Keep frames and readings in this folder.")]
_IgtlOut = Annotated[int | None, typer.Option(help="Serve mask and EF to OpenIGTLink clients on this port.")]
_Realtime = Annotated[
    bool, typer.Option(help="Play a file or the phantom at its own pace; else every frame, as fast as it goes.")
]
_Size = Annotated[str | None, typer.Option(metavar="WxH", help="Ask the camera for this size.")]
_Fps = Annotated[float | None, typer.Option(help="Ask the camera for this rate; of a file, replace its clock.")]
_PixelFormat = Annotated[str | None, typer.Option(help="Ask the camera for this format, such as MJPG or YUYV.")]
_EfMethod = Annotated[str, typer.Option(help="What EF is made of: disks, area-length, area.")]
_ForgetAfter = Annotated[
    float | None, typer.Option(help="Seconds without frames after which EF starts afresh; never without it.")
]
_List = Annotated[bool, typer.Option("--list", help="List the cameras found, and end.")]


def live(
    source: _Source = None,
    model: Model = None,
    device: Device = "auto",
    view: _View = "window",
    host: _Host = "127.0.0.1",
    port: _Port = 8080,
    token: _Token = None,
    roi: _Roi = "auto",
    record: _Record = None,
    keep_screen: _KeepScreen = False,
    read_screen: _ReadScreen = True,
    igtl_out: _IgtlOut = None,
    realtime: _Realtime = True,
    size: _Size = None,
    fps: _Fps = None,
    pixel_format: _PixelFormat = None,
    ef_method: _EfMethod = "disks",
    height_cm: HeightCm = None,
    weight_kg: WeightKg = None,
    forget_after: _ForgetAfter = None,
    devices: _List = False,
) -> None:
    """Follow a live feed: always the newest frame, with its contour and the rolling ejection fraction.

    \b
    EXAMPLES
      echo-rt live 0 --view window              the first camera, in a window
      echo-rt live rtsp://host/path --view web  a network stream, on a page
      echo-rt live phantom: --record takes      a simulated heart, kept in takes
      echo-rt live --list                       the cameras and capture cards found
    """
    if devices:
        _list_cameras()
        return
    if source is None:
        raise ParameterError(
            "expected a source, such as 0, rtsp://host/path or phantom:?ef=55, found none; "
            "`echo-rt live --list` has cameras"
        )
    from echo_rt.sources import FeedOptions

    shown = ViewOptions(view, host, port, token)
    camera = FeedOptions(_size(size), fps, pixel_format)
    screen, body = ScreenOptions(roi, keep_screen, read_screen), patient_of(height_cm, weight_kg)
    options = source, model, device, shown, record, igtl_out, realtime, camera, ef_method, forget_after, screen, body
    follow_feed(LiveOptions(*options))


def follow_feed(options: LiveOptions) -> None:
    """Follow the feed to its end and print what it came to.

    Raises:
        EchoRtError: an option is not as it should be, or source, engine or an output cannot be opened.
    """
    from echo_rt.engine import open_engine
    from echo_rt.live.memory import limit_heaps
    from echo_rt.live.outputs import Recording
    from echo_rt.live.session import Live, Settings
    from echo_rt.sources import is_feed
    from echo_rt.viewer import open_viewer

    opening = partial(open_feed, options=options)
    opening(options.source)  # what is misspelt ends here, before the model is loaded
    view = options.view
    limit_heaps()
    with ExitStack() as opened:
        engine = opened.enter_context(open_engine(options.model, options.device))
        model = f"{engine.spec.name} {engine.spec.version}"
        takers = open_takers(options, model, engine.description)
        settings = Settings(
            every_frame=not options.realtime and not is_feed(options.source),
            forget_after_s=options.forget_after_s,
            recording=options.record,
            model=model,
            snapshots=options.record or Path("snapshots"),
            ef_method=options.ef_method,
            body=options.body,
        )
        feed = Live(options.source, opening, engine, settings, _cameras)
        opened.callback(feed.close)  # a thread that still reads when the interpreter ends takes the process down
        for taker, name, depth in takers:
            feed.outputs.add_taker(taker, name, depth)
        viewer = open_viewer(view.kind, feed, host=view.host, port=view.port, token=view.token)
        feed.outputs.add_viewer(viewer, TERMINAL if view.kind == "none" else "viewer")
        opened.enter_context(ending.gently(feed.end))
        status = feed.run()
    unkept = [line for taker, *_ in takers if isinstance(taker, Recording) for line in taker.unkept()]
    typer.echo(printable(summary_line(status, feed, whole=not unkept)))
    if unkept:
        more = f" (and {len(unkept) - 1} more)" if len(unkept) > 1 else ""
        raise OutputError(f"not all is recorded: {unkept[0]}{more}")


def open_takers(options: LiveOptions, model: str, engine: str) -> list[tuple[Taker, str, int]]:
    """What takes every reading: each with its name for people, and how many readings may wait for it.

    A new one is an option above and an `if` here.
    """
    takers: list[tuple[Taker, str, int]] = []
    if options.record is not None:
        from echo_rt import __version__
        from echo_rt.outputs.recorder import Recorder

        about = {"roi": options.screen.roi, "model": model, "engine": engine, "ef_method": options.ef_method}
        depth = SCREEN_DEPTH if options.screen.keep else RECORDER_DEPTH
        takers.append((Recorder(options.record, {**about, "version": __version__}), "recorder", depth))
    if options.igtl_out is not None:
        from echo_rt.outputs.igtl import IgtlServer

        takers.append((IgtlServer(options.igtl_out), "OpenIGTLink", 1))
    return takers


def open_feed(uri: str, options: LiveOptions) -> Opening:
    """How `echo-rt live` opens an address: a file or the phantom at its own pace where `realtime` is set.

    Raises:
        ParameterError, SourceNotFoundError, SourceFormatError: it cannot be one, or there is no such file. A feed may
            still come.
    """
    from echo_rt.framing import live_cut
    from echo_rt.live.reader import Opening
    from echo_rt.sources import is_feed, open_source
    from echo_rt.sources.network import shown
    from echo_rt.sources.pace import Paced
    from echo_rt.sources.screen.region import Keep
    from echo_rt.sources.screen.scaled import ScaledCut

    lasting, keep = is_feed(uri), Keep.SCREEN if options.screen.keep else Keep.ULTRASOUND

    def make() -> Source:
        if lasting:
            return open_source(uri, feed=options.camera)
        return open_source(uri, options.camera.fps)

    def paced() -> Source:
        return Paced(make()) if options.realtime and not lasting else make()

    paced()
    cut = live_cut(options.screen.roi, keep, None if lasting else make)
    return Opening(shown(uri), paced, lasting, lambda: ScaledCut(cut()) if options.screen.read else cut())


def _cameras() -> list[str]:
    from echo_rt.sources.camera import cameras

    # On Linux the system has a list; elsewhere each camera would be opened, in the middle of a feed.
    return [address for address, _ in cameras()] if sys.platform.startswith("linux") else []


def _list_cameras() -> None:
    from echo_rt.sources.camera import cameras

    found = cameras()
    for address, name in found:
        typer.echo(printable(f"{address}  {name}"))
    if not found:
        typer.echo(
            "no cameras or capture cards found; any address works too: rtsp://, udp://, http://, igtl://host:port, "
            "phantom:"
        )


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    numbers = re.fullmatch(r"(\d+)[xX](\d+)", text)
    if numbers is None or not (int(numbers[1]) and int(numbers[2])):
        raise ParameterError(f"--size: expected width x height in pixels, such as 1280x720, found {text!r}")
    return int(numbers[1]), int(numbers[2])


def summary_line(status: LiveStatus, feed: Live, whole: bool = True) -> str:
    """What a followed feed came to; `whole` says whether all of it is recorded."""
    counts, timing = status.counts, status.timing
    dropped = ", ".join(f"{n} {why.value}" for why, n in counts.dropped.items()) or "none"
    parts = [f"{status.source}: {counts.frames} readings, dropped: {dropped}", f"reopened {counts.reopened} times"]
    if timing.age_p50_ms is not None:
        parts.append(f"age {timing.age_p50_ms:.0f} ms (p99 {timing.age_p99_ms:.0f})")
    if (ef := feed.ef) is not None:
        parts.append(f"EF {ef.percent:.0f} %" if ef.percent is not None and not ef.stale else f"no EF: {ef.reason}")
    if lost := [f"{name} {n}" for name, n in counts.lost.items() if name != TERMINAL]:
        parts.append("lost by " + ", ".join(lost))
    if status.recording is not None and whole and counts.frames:
        parts.append(f"recorded in {status.recording}")
    return "; ".join(filter(None, (*parts, status.message)))
