"""What an ``igtl://`` address says."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from echo_rt.errors import ParameterError

PORT = 18944
"""The protocol's own."""

LOOPBACK = "127.0.0.1"
"""Where a feed listens unless it is asked otherwise: this machine alone can send to it."""

NAME_BYTES = 20
"""Of a device, at most: a message's header has no room for more."""


@dataclass(frozen=True, slots=True)
class IgtlAddress:
    """Where images come from, and which of them are wanted.

    Attributes:
        host: of the server to dial; empty where senders are waited for.
        port: of that server, or to listen on. 0 listens on any free one.
        listen: this machine's address to listen on.
        device: name of the image device; empty for the first that comes.
    """

    host: str
    port: int
    listen: str = LOOPBACK
    device: str = ""

    @classmethod
    def of(cls, uri: str) -> IgtlAddress:
        """The address of ``igtl://host[:port][/DEVICE]`` or ``igtl://:port[/DEVICE]``. ``?device=`` and ``?listen=``
        may follow.

        Raises:
            ParameterError: it is none.
        """
        try:
            parts = urlsplit(uri)
            host, port = parts.hostname or "", parts.port
            asked = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise _none(uri, "no valid host, port or options") from None
        if not host and port is None:
            raise _none(uri, "neither a host nor a port")
        if host and port == 0:
            raise _none(uri, "port 0")
        if unknown := sorted(asked.keys() - {"device", "listen"}):
            raise ParameterError(f"{uri}: expected the options device and listen, found {unknown[0]!r}; leave it out")
        listen, named = asked.get("listen", [LOOPBACK])[-1], asked.get("device", [""])[-1]
        if "listen" in asked and (host or not listen):
            found = "a host to dial" if host else "nothing"
            raise ParameterError(
                f"{uri}: expected an address of this machine as listen, in igtl://:{PORT}?listen=0.0.0.0, found {found}"
            )
        inside = unquote(parts.path.strip("/"))
        if inside and named and inside != named:
            raise ParameterError(f"{uri}: expected one image device, found {inside!r} and {named!r}; name one")
        device = named or inside
        if len(device.encode()) > NAME_BYTES:
            raise ParameterError(
                f"{uri}: expected a device's name of at most {NAME_BYTES} bytes, found {len(device.encode())}; "
                "senders cut longer ones"
            )
        return cls(host, PORT if port is None else port, listen, device)


def _none(uri: str, found: str) -> ParameterError:
    return ParameterError(
        f"{uri}: expected igtl://host:port to dial a server, or igtl://:port to wait for a sender, found {found}; "
        f"the usual port is {PORT}"
    )
