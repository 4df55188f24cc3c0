"""Why a feed does not open: looked at step by step, from the name of the host to the first picture."""

from __future__ import annotations

import socket
import threading
import time
from urllib.parse import urlsplit

from echo_rt.doctor.machine import Finding
from echo_rt.errors import EchoRtError
from echo_rt.sources import is_feed, open_source
from echo_rt.sources.feed import as_live

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "igtl": 18944}
CONNECT_S, PICTURE_S = 4.0, 15.0


def examine_source(uri: str) -> list[Finding]:
    """The steps up to the first frame, or to the first that fails. Nothing that hangs holds it up for long."""
    findings = []
    scheme = uri.partition(":")[0].lower()
    if is_feed(uri) and scheme in PORTS:
        try:
            parts = urlsplit(uri)
            host, port = parts.hostname or "", parts.port or PORTS[scheme]
        except ValueError:
            place = uri.partition("//")[2].partition("/")[0].rpartition("@")[2]
            return [_failed("address", f"expected a host and a port from 1 to 65535, found {place}; check the address")]
        if host or scheme != "igtl":  # without a host it waits for a sender, and there is nobody to reach
            findings += _reach(host, port)
    if all(finding.ok for finding in findings):
        findings.append(_first_frame(uri))
    return findings


def _reach(host: str, port: int) -> list[Finding]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return [_failed("host", f"no such host: {host!r}; check its spelling and the network, or give its number")]
    host_found = Finding("host", True, f"{host} is {found[0][4][0]}")
    try:
        with socket.create_connection((host, port), CONNECT_S):
            return [host_found, Finding("port", True, f"{port} answers")]
    except ConnectionRefusedError:
        why = f"{host} refuses connections to port {port}: nothing listens there; start the sender, or check the port"
    except TimeoutError:
        why = f"no answer from {host} port {port} in {CONNECT_S:g} s; check cable, address and firewall"
    except OSError as error:
        why = f"{host} port {port} cannot be reached: {error.strerror}; check the network"
    return [host_found, _failed("port", why)]


def _first_frame(uri: str) -> Finding:
    # In a thread: a camera's driver may hang, and this shall say so.
    result: list[Finding] = []

    def look() -> None:
        started_s = time.monotonic()
        try:
            with as_live(open_source(uri)) as source:
                if (frame := next(source, None)) is None:
                    result.append(_failed("picture", "the feed opens and ends without a picture; check the sender"))
                    return
                height, width = frame.image.shape[:2]
                kind = "grey" if frame.image.ndim == 2 else "colour"
                spacing = "scale unknown" if frame.spacing_mm is None else f"{frame.spacing_mm[0]:.3g} mm a pixel"
                found = f"{width}x{height} {kind}, {spacing}, first picture after {time.monotonic() - started_s:.1f} s"
                result.append(Finding("picture", True, f"{found}; {source.note}" if source.note else found))
        except EchoRtError as error:
            result.append(_failed("picture", str(error)))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(PICTURE_S)
    advice = "check that the sender is running, and for udp:// that it sends to this machine and port"
    silent = f"it opens, but no picture came; {advice} (waited {PICTURE_S:g} s)"
    return result[0] if result else _failed("picture", silent)


def _failed(step: str, why: str) -> Finding:
    return Finding(step, ok=False, text=why, needed=True)
