"""Who may send to the node, and where its reports go."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from echo_rt.errors import ParameterError

DICOM_PORT = 104
"""The port that DICOM has by default (PS3.8 9.1.3)."""

_TITLE = re.compile(r"(?=.*\S)[ -\[\]-~]{1,16}")  # PS3.5 6.2, AE: ASCII without backslash, not blanks alone
_ADDRESS = re.compile(r"(\[[^\[\]]+\]|[^\[\]:@\s]+)(?::(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Peer:
    """Another DICOM application.

    Attributes:
        title: its AE title.
        host: its name or address; None: it may send from anywhere, and nothing goes back to it.
        port: on which it takes what goes back.
    """

    title: str
    host: str | None = None
    port: int = DICOM_PORT

    def is_at(self, address: str) -> bool:
        """Whether it sends from that address; without a host from any."""
        return self.host is None or _plain(address) in _addresses(self.host)


def check_title(title: str) -> str:
    """The AE title without blanks around it.

    Raises:
        ParameterError: it cannot be one.
    """
    if not _TITLE.fullmatch(title):
        raise ParameterError(f"expected an AE title of 1 to 16 ASCII characters without a backslash, found {title!r}")
    return title.strip()


def parse_peer(text: str) -> Peer:
    """The peer that `AETITLE[@HOST[:PORT]]` names; an IPv6 address stands in brackets.

    Raises:
        ParameterError: it names none.
    """
    title, at, address = text.rpartition("@") if "@" in text else (text, "", "")
    found = _ADDRESS.fullmatch(address) if at else None
    port = int(found[2] or DICOM_PORT) if found else DICOM_PORT
    if (at and not found) or not 0 < port < 2**16:
        raise ParameterError(f"--peer: expected AETITLE@HOST:PORT, such as ARCHIVE@10.0.0.5:104, found {text!r}")
    return Peer(check_title(title), found[1].strip("[]") if found else None, port)


class Peers:
    """All of them.

    Raises:
        ParameterError: there is none.
    """

    def __init__(self, peers: Sequence[Peer]) -> None:
        if not peers:
            raise ParameterError("expected --peer AETITLE@HOST:PORT, found none; name each application that may send")
        self._peers = tuple(peers)

    def admits(self, title: str, address: str) -> bool:
        """Whether an application of that AE title may send from that address."""
        return any(peer.title == title.strip() and peer.is_at(address) for peer in self._peers)

    def home(self, title: str, address: str) -> Peer | None:
        """Where the reports go on what was sent so; None where the peer was given without a host."""
        known = [peer for peer in self._peers if peer.title == title.strip() and peer.host is not None]
        here = [peer for peer in known if peer.is_at(address)]
        return next(iter(here or known), None)


def _addresses(host: str) -> set[str]:
    try:
        return {_plain(str(info[4][0])) for info in socket.getaddrinfo(host, None)}
    except OSError:
        return set()  # a name that nobody knows now is nobody's


def _plain(address: str) -> str:
    """The same for an IPv4 address and for its form in IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(found, "ipv4_mapped", None) or found)
