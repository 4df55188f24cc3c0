"""Those who look at a feed: a window, a page in a browser, or a line on the terminal.

May import the ground floor, `outputs` for its drawing, and `live` for what passes between a feed and its viewers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from echo_rt.errors import ParameterError

if TYPE_CHECKING:
    from echo_rt.live.commands import LiveControl
    from echo_rt.live.outputs import Viewer

__all__ = ["VIEWS", "open_viewer"]

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
