"""How `echo-rt live` follows one feed, and what it says of it at the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import typer

from echo_rt.commands.ending import ending
from echo_rt.commands.live_options import LiveOptions
from echo_rt.errors import OutputError, printable

if TYPE_CHECKING:
    from echo_rt.engine import Engine
    from echo_rt.live.outputs import Taker
    from echo_rt.live.reader import Opening
    from echo_rt.live.session import Live, Settings
    from echo_rt.live.status import LiveStatus

RECORDER_DEPTH, SCREEN_DEPTH = 120, 24
"""Readings that may wait for the disk, some 35 MB; with whole screens, some 150 MB. Who sees the feed over OpenIGTLink
gets the newest alone."""

TERMINAL = "terminal"
"""Shows one reading a second of many: what it leaves out is no loss."""


def follow_feed(options: LiveOptions) -> None:
    """Follow the feed to its end and print what it came to.

    Raises:
        EchoRtError: an option is not as it should be, or source, engine or an output cannot be opened.
    """
    from echo_rt.engine import open_engine
    from echo_rt.live.memory import limit_heaps
    from echo_rt.live.session import Live
    from echo_rt.viewer import open_viewer

    opening = partial(open_feed, options=options)
    opening(options.source)  # what is misspelt ends here, before the model is loaded
    view = options.view
    limit_heaps()
    with ExitStack() as opened:
        engine = opened.enter_context(open_engine(options.model, options.device))
        takers = open_takers(options, model_of(engine), engine.description)
        feed = Live(options.source, opening, engine, settings_of(options, engine), cameras_found)
        opened.callback(feed.close)  # a thread that still reads when the interpreter ends takes the process down
        for taker, name, depth in takers:
            feed.outputs.add_taker(taker, name, depth)
        viewer = open_viewer(view.kind, feed, host=view.host, port=view.port, token=view.token)
        feed.outputs.add_viewer(viewer, TERMINAL if view.kind == "none" else "viewer")
        opened.enter_context(ending.gently(feed.end))
        status = feed.run()
    ending.done()
    unkept = unkept_of(takers)
    typer.echo(printable(summary_line(status, feed, whole=not unkept)))
    check_kept(unkept)


def model_of(engine: Engine) -> str:
    """The model, for people."""
    return f"{engine.spec.name} {engine.spec.version}"


def settings_of(options: LiveOptions, engine: Engine) -> Settings:
    """How a feed is followed."""
    from echo_rt.live.session import Settings
    from echo_rt.sources import is_feed

    return Settings(
        every_frame=not options.realtime and not is_feed(options.source),
        forget_after_s=options.forget_after_s,
        recording=options.record,
        model=model_of(engine),
        snapshots=options.snapshots,
        ef_method=options.ef_method,
        body=options.body,
    )


def unkept_of(takers: Sequence[tuple[Taker, str, int]]) -> list[str]:
    """Why some of what was to be recorded is not kept, a line each."""
    from echo_rt.live.outputs import Recording

    return [line for taker, *_ in takers if isinstance(taker, Recording) for line in taker.unkept()]


def check_kept(unkept: Sequence[str]) -> None:
    """See that all is recorded.

    Raises:
        OutputError: it is not.
    """
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
    if options.igtl.out is not None:
        from echo_rt.outputs.igtl import IgtlServer

        takers.append((IgtlServer(options.igtl.out, picture=options.igtl.picture), "OpenIGTLink", 1))
    if options.igtl.to is not None:
        from echo_rt.outputs.igtl import IgtlClient

        takers.append((IgtlClient(options.igtl.to, options.igtl.picture), "OpenIGTLink receiver", 1))
    return takers


def open_feed(uri: str, options: LiveOptions) -> Opening:
    """How `echo-rt live` opens an address: a file or the phantom at its own pace where `realtime` is set.

    Raises:
        ParameterError, SourceNotFoundError, SourceFormatError: it cannot be one, or there is no such file. A feed may
            still come.
    """
    from echo_rt.live.opening import opening_of

    screen = options.screen
    return opening_of(
        uri,
        realtime=options.realtime,
        camera=options.camera,
        roi=screen.roi,
        keep_screen=screen.keep,
        read_screen=screen.read,
    )


def cameras_found() -> list[str]:
    """The cameras that a page offers."""
    from echo_rt.sources.camera import cameras

    # On Linux the system has a list; elsewhere each camera would be opened, in the middle of a feed.
    return [address for address, _ in cameras()] if sys.platform.startswith("linux") else []


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
