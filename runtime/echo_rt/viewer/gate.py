"""Who may look at the page."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

COOKIE = "echo_rt_token"


class Gate:
    """Lets in who comes to this machine by its own name, from the page itself, and with the token where there is one.

    Args:
        host: that the page is served on.
        token: asked for where it is given. Where others than this machine can reach the page and it is None, one is
            made up.

    Attributes:
        token: None where none is asked for.
    """

    def __init__(self, host: str, token: str | None) -> None:
        self._local = is_local(host)
        self.token = token or (None if self._local else secrets.token_urlsafe(16))

    def refusal(self, asked: HTTPConnection) -> str | None:
        """Why somebody may not look; None where they may."""
        headers = asked.headers
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        # A page elsewhere may have a name that leads to this machine (DNS rebinding): it would come with that name.
        if self._local and not is_local(host):
            return "expected a request to this machine by its own name, found another; open http://127.0.0.1"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host"):
            return "expected a request from echo-rt's own page, found one from another page"
        if self.token is not None:
            given = asked.query_params.get("token") or asked.cookies.get(COOKIE) or ""
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return "expected the token, found none or another; open the address that echo-rt printed"
        return None


def is_local(host: str) -> bool:
    """Whether an address reaches this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
