"""How `echo-rt live` follows several feeds at once, and what it says of them at the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import typer

from echo_rt.commands.ending import ending
from echo_rt.commands.live_following import (
    TERMINAL,
    cameras_found,
    check_kept,
    model_of,
    open_feed,
    open_takers,
    settings_of,
    summary_line,
    unkept_of,
)
from echo_rt.commands.live_options import LiveOptions
from echo_rt.errors import EchoRtError, ParameterError, printable

if TYPE_CHECKING:
    from echo_rt.live.biplane import RollingBiplane
    from echo_rt.live.feeds import Feeds
    from echo_rt.live.outputs import Taker


def follow_feeds(options: LiveOptions, sources: Mapping[str, str], biplane: bool) -> None:
    """Follow several feeds until all have ended, and print what each came to.

    Args:
        options: of all of them.
        sources: their addresses, by their names.
        biplane: they are A4C and A2C of one heart.

    Raises:
        EchoRtError: an option is not as it should be, or a source, the engine or an output cannot be opened.
    """
    from echo_rt.engine import open_engine
    from echo_rt.live.feeds import Feeds
    from echo_rt.live.memory import limit_heaps

    _check(options, sources, biplane)
    each = {name: options.of_feed(name, source, place) for place, (name, source) in enumerate(sources.items())}
    for name, of_feed in each.items():
        open_feed(sources[name], of_feed)  # what is misspelt ends here, before the model is loaded
    limit_heaps()
    takers: list[tuple[Taker, str, int]] = []
    with ExitStack() as opened:
        engine = opened.enter_context(open_engine(options.model, options.device))
        feeds = Feeds(engine)
        opened.callback(feeds.close)
        for name, of_feed in each.items():
            own = open_takers(of_feed, model_of(engine), engine.description)
            takers += own
            opening, settings = partial(open_feed, options=of_feed), settings_of(of_feed, engine)
            feed = feeds.add(name, of_feed.source, opening, settings, cameras_found)
            for taker, kind, depth in own:
                feed.outputs.add_taker(taker, kind, depth)
        joined = _join(feeds, options, opened) if biplane else None
        _show(feeds, options, joined, opened)
        opened.enter_context(ending.gently(feeds.end))
        ended = feeds.run()
    ending.done()
    unkept = unkept_of(takers)
    for name, status in ended.items():
        line = str(status) if isinstance(status, EchoRtError) else summary_line(status, feeds.feeds[name], not unkept)
        typer.echo(printable(f"{name}: {line}"))
    if joined is not None:
        from echo_rt.viewer.terminal import biplane_text

        typer.echo(printable(biplane_text(joined.current)))
    check_kept(unkept)
    if failed := [name for name, status in ended.items() if isinstance(status, EchoRtError)]:
        raise EchoRtError(f"expected all feeds to be opened, found that {', '.join(failed)} could not; see above")


def _check(options: LiveOptions, sources: Mapping[str, str], biplane: bool) -> None:
    from echo_rt.live.biplane import check_two

    if biplane:
        check_two(len(sources), options.ef_method)
    if options.view.kind == "window":
        raise ParameterError(f"--view: expected web or none for {len(sources)} sources, found 'window'; use --view web")
    if options.igtl.to is not None:
        raise ParameterError(
            f"--igtl-to: expected one feed with it, found {len(sources)}: a receiver could not tell them apart; "
            "use --igtl-out, which gives each feed a port"
        )
    if options.body is not None and not biplane:
        raise ParameterError(
            "expected one feed with --height-cm and --weight-kg, or two of one heart with --biplane, "
            f"found {len(sources)}: they may be of several patients; leave both out"
        )


def _join(feeds: Feeds, options: LiveOptions, opened: ExitStack) -> RollingBiplane:
    """The biplane EF of the two feeds, and its file where they are recorded."""
    joined = feeds.join_views()
    if options.record is not None:
        from echo_rt.outputs.biplane_log import BiplaneLog

        log = BiplaneLog(options.record)
        opened.callback(log.close)
        joined.listeners.append(log.write)
    return joined


def _show(feeds: Feeds, options: LiveOptions, joined: RollingBiplane | None, opened: ExitStack) -> None:
    """Give each feed its viewer."""
    from echo_rt.viewer import open_viewers

    view = options.view
    viewers = open_viewers(view.kind, feeds.feeds, joined, host=view.host, port=view.port, token=view.token)
    opened.callback(viewers.close)
    for feed, viewer in zip(feeds.feeds.values(), viewers.each, strict=True):
        feed.outputs.add_viewer(viewer, TERMINAL if view.kind == "none" else "viewer")
