"""Those who look at a feed: a window, a page in a browser, or a line on the terminal.

May import the ground floor, `outputs` for its drawing, and `live` for what passes between a feed and its viewers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from echo_rt.errors import ParameterError

if TYPE_CHECKING:
    from echo_rt.live.biplane import RollingBiplane
    from echo_rt.live.commands import LiveControl
    from echo_rt.live.outputs import Viewer

__all__ = ["VIEWS", "Viewers", "open_viewer", "open_viewers"]

VIEWS = ("window", "web", "none")


def open_viewer(
    kind: str, control: LiveControl, *, host: str = "127.0.0.1", port: int = 8080, token: str | None = None
) -> Viewer:
    """A viewer that shows what `Viewer.show` is given and asks `control` for what its user wants.

    Args:
        kind: of `VIEWS`: ``none`` is a line on the terminal.
        control: of the feed.
        host, port: that the page is served on.
        token: what the page asks for; made up, and printed with the address, where none is given.

    Raises:
        ParameterError: there is no such kind.
        MissingExtraError: the web viewer's part is not installed.
        DeviceError: there is no screen for a window.
        OutputError: the port is taken, or the host is none of this machine's.
    """
    if kind == "window":
        from echo_rt.viewer.window import WindowViewer

        return WindowViewer(control)
    if kind == "web":
        from echo_rt.viewer.web import WebViewer

        return WebViewer(control, host, port, token)
    if kind == "none":
        from echo_rt.viewer.terminal import TerminalViewer

        return TerminalViewer()
    raise ParameterError(f"expected a view of {', '.join(VIEWS)}, found {kind!r}")


class Viewers(NamedTuple):
    """Those of several feeds, in their order, and what lets go of what they share."""

    each: list[Viewer]
    close: Callable[[], None]


def open_viewers(
    kind: str,
    controls: Mapping[str, LiveControl],
    joined: RollingBiplane | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    token: str | None = None,
) -> Viewers:
    """A viewer of each of several feeds.

    Args:
        kind: ``web``, one page for all, or ``none``, lines on the terminal.
        controls: of the feeds, by their names.
        joined: the biplane EF of two of them.
        host, port, token: as in `open_viewer`.

    Raises:
        EchoRtError: as in `open_viewer`; a window shows one feed.
    """
    if kind == "web":
        from echo_rt.viewer.web import WebPage

        page = WebPage(controls, host, port, token, joined)
        return Viewers([*page.viewers], page.close)
    if kind == "none":
        from echo_rt.viewer.terminal import BiplaneLine, TerminalViewer

        if joined is not None:
            joined.listeners.append(BiplaneLine().tell)
        return Viewers([TerminalViewer(name) for name in controls], lambda: None)
    raise ParameterError(f"expected a view of web or none for several feeds, found {kind!r}; use --view web")
