"""`echo-rt live`: a feed followed until it ends or somebody ends it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from echo_rt.commands.engine_options import Device, Model
from echo_rt.commands.live_options import IgtlOptions, LiveOptions, ScreenOptions, ViewOptions
from echo_rt.commands.patient import HeightCm, WeightKg, patient_of
from echo_rt.errors import ParameterError, printable

_Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SOURCE...", help="Camera, rtsp:// udp:// http:// igtl:// phantom: or a file; or NAME=SOURCE."
    ),
]
_Biplane = Annotated[
    bool, typer.Option("--biplane", help="The two sources are A4C and A2C of one heart: show their biplane EF.")
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
_IgtlTo = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Send mask and EF to an OpenIGTLink receiver that listens.")
]
_IgtlPicture = Annotated[bool, typer.Option(help="Send the picture over OpenIGTLink too.")]
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
_List = Annotated[bool, typer.Option("--list", help="List the cameras found and what they offer, and end.")]


def live(
    sources: _Sources = None,
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
    igtl_to: _IgtlTo = None,
    igtl_picture: _IgtlPicture = False,
    realtime: _Realtime = True,
    size: _Size = None,
    fps: _Fps = None,
    pixel_format: _PixelFormat = None,
    ef_method: _EfMethod = "disks",
    height_cm: HeightCm = None,
    weight_kg: WeightKg = None,
    forget_after: _ForgetAfter = None,
    biplane: _Biplane = False,
    devices: _List = False,
) -> None:
    """Follow a live feed: always the newest frame, with its contour and the rolling ejection fraction.

    \b
    EXAMPLES
      echo-rt live 0 --view window              the first camera, in a window
      echo-rt live rtsp://host/path --view web  a network stream, on a page
      echo-rt live phantom: --record takes      a simulated heart, kept in takes
      echo-rt live bed1=0 bed2=1 --view web     two feeds, as tiles on a page
      echo-rt live --list                       the cameras and capture cards found
    """
    if devices:
        _list_cameras()
        return
    from echo_rt.live.names import named
    from echo_rt.sources import FeedOptions

    feeds = named(sources or _no_source())
    source = next(iter(feeds.values()))
    shown = ViewOptions(view, host, port, token)
    camera = FeedOptions(_size(size), fps, pixel_format)
    screen, body = ScreenOptions(roi, keep_screen, read_screen), patient_of(height_cm, weight_kg)
    igtl = IgtlOptions(igtl_out, igtl_to, igtl_picture)
    given = source, model, device, shown, record, igtl, realtime, camera, ef_method, forget_after, screen, body
    options = LiveOptions(*given)
    if len(feeds) == 1 and not biplane:
        from echo_rt.commands.live_following import follow_feed

        follow_feed(options)
    else:
        from echo_rt.commands.live_several import follow_feeds

        follow_feeds(options, feeds, biplane)


def _no_source() -> list[str]:
    raise ParameterError(
        "expected a source, such as 0, rtsp://host/path or phantom:?ef=55, found none; "
        "`echo-rt live --list` has cameras"
    )


def _list_cameras() -> None:
    from echo_rt.sources.camera import cameras, offered_modes

    found = cameras()
    for address, name in found:
        typer.echo(printable(f"{address}  {name}"))
        for mode in offered_modes(address):
            typer.echo(printable(f"    {mode}"))
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
