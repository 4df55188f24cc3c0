"""Who may look at the page."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import threading
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

TRIES, TRIES_S = 10, 60.0
"""Wrong tokens from one address in that time; further ones are not looked at."""

ALL_TRIES = 100
"""From all addresses together, in the same time."""

ADDRESSES = 1000
"""Of which tries are remembered, at most."""


class Refusal(NamedTuple):
    """Why somebody may not look: a status of HTTP, and a line for people."""

    status: int
    text: str


class Allowance:
    """So many in so long, and no more.

    Args:
        most, in_s: how many, and in how many seconds.
    """

    def __init__(self, most: int, in_s: float) -> None:
        self._most, self._in_s = most, in_s
        self._taken: deque[float] = deque(maxlen=most)
        self._lock = threading.Lock()

    def spent(self) -> bool:
        """Whether none is left now."""
        return len(self._taken) == self._most and time.monotonic() - self._taken[0] < self._in_s

    def take(self) -> bool:
        """Take one; False where none is left. From any thread."""
        with self._lock:
            if self.spent():
                return False
            self._taken.append(time.monotonic())
            return True


class Gate:
    """Lets in who comes to this machine by its own name, from the page itself, and with the token.

    Others may use this machine too, so its own address needs the token as well. Who has shown it once has a cookie with
    a secret of its own, which nobody's guesses at the token can lock out.

    Args:
        host: that the page is served on.
        token: asked for; None: one is made up.

    Attributes:
        token: as it was given, or made up.
        cookie: the name of the cookie, see `address`.
        secret: what it holds.
    """

    def __init__(self, host: str, token: str | None) -> None:
        self._local = is_local(host)
        self.token = token or secrets.token_urlsafe(16)
        self.cookie, self.secret = "echo_rt", secrets.token_urlsafe(32)
        self._tries: OrderedDict[str, Allowance] = OrderedDict()
        self._all_tries = Allowance(ALL_TRIES, TRIES_S)

    def address(self, host: str, port: int) -> str:
        """The page's address, with the token. Browsers send a cookie to every port of a machine: it is named after this
        one from now on."""
        self.cookie = f"echo_rt_{port}"
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{port}/?token={quote(self.token, safe='')}"

    def refusal(self, asked: HTTPConnection) -> Refusal | None:
        """Why somebody may not look; None where they may."""
        if (refusal := self._refusal_by_name(asked)) is not None or self._has_cookie(asked):
            return refusal
        return self._refusal_by_token(asked)

    def knows(self, asked: HTTPConnection) -> bool:
        """Whether somebody has been let in before. That costs no try."""
        return self._refusal_by_name(asked) is None and self._has_cookie(asked)

    def _has_cookie(self, asked: HTTPConnection) -> bool:
        return _same(asked.cookies.get(self.cookie, ""), self.secret)

    def _refusal_by_name(self, asked: HTTPConnection) -> Refusal | None:
        host = _host_of(asked.headers.get("host", ""))
        if host is None:
            return Refusal(400, "expected the name of a host, found none; open the address that echo-rt printed")
        # A page elsewhere may have a name that leads to this machine (DNS rebinding): it would come with that name.
        if self._local and not is_local(host):
            wrong = "expected a request to this machine by its own name, found another"
            return Refusal(403, f"{wrong}; open http://127.0.0.1")
        origin = asked.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != asked.headers.get("host"):
            return Refusal(403, "expected a request from echo-rt's own page, found one from another page")
        return None

    def _refusal_by_token(self, asked: HTTPConnection) -> Refusal | None:
        given = asked.query_params.get("token")
        if given is None:
            return Refusal(401, "expected the token, found none; open the address that echo-rt printed")
        tries = self._tries_of(asked.client.host if asked.client is not None else "")
        if tries.spent() or self._all_tries.spent():
            return Refusal(429, "expected the token, found too many others; wait a minute")
        if _same(given, self.token):
            return None
        tries.take()
        self._all_tries.take()
        return Refusal(401, "expected the token, found another; open the address that echo-rt printed")

    def _tries_of(self, address: str) -> Allowance:
        tries = self._tries.setdefault(address, Allowance(TRIES, TRIES_S))
        if len(self._tries) > ADDRESSES:
            self._tries.popitem(last=False)
        return tries


def is_local(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host_of(header: str) -> str | None:
    """The name in a header Host, empty where it has none; None where it is no address."""
    if re.search(r"[^\w.:\[\]-]", header, re.ASCII):  # such as a user before the name, or a path behind it
        return None
    try:
        parts = urlsplit(f"//{header}")
        _ = parts.port
        return parts.hostname or ""
    except ValueError:
        return None


def _same(given: str, expected: str) -> bool:
    """Whether both are the same; how long that takes says nothing of where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())
