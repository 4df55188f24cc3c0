"""Images over OpenIGTLink, from a server such as PLUS, or from a sender that dials in.

pyigtl unpacks the messages. The connection is our own: pyigtl's client waits for ever for a server that has gone,
believes any size that a header says, and prints tracebacks.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from echo_rt.errors import SourceError, SourceFormatError, printable
from echo_rt.sources.base import one_line
from echo_rt.sources.feed import Feed, plausible_spacing
from echo_rt.sources.igtl_address import IgtlAddress
from echo_rt.sources.igtl_image import igtl_messages, unpacked
from echo_rt.sources.scale import is_placeholder

if TYPE_CHECKING:
    from echo_rt.sources.feed import FeedPicture

CONNECT_S, READ_S, IMAGE_S = 5.0, 2.0, 10.0
"""Time-outs: for the connection, for anything at all, and for a whole image."""

TURN_S = 0.1
"""How long the wait for a sender goes without looking whether anybody still wants it."""

NO_SCALE = "the sender's matrix does not give a scale that fits its image"
PLACEHOLDER = "the sender's matrix has pixels of exactly 1 mm, which senders write that know no scale"

HEADER_BYTES = 58
MOST_BYTES = 64 * 2**20
"""Of one message: an image of 4096 x 2160 in colour has 26 MB."""

MOST_NAMED = 8
"""Of the devices that are not taken, so many are named."""


class IgtlImages(Feed):
    """``igtl://host:port`` dials a server. ``igtl://:port`` waits for a sender, on this machine's loopback unless
    ``?listen=`` names another of its addresses.

    One sender at a time: the port is closed while one sends, so that a second one is refused. When the sender has gone,
    the feed ends; opened again, it waits for the next. ``/Image_Probe`` or ``?device=Image_Probe`` takes the images of
    that device. Without a name the first device that sends an image is taken; `note` names the others.

    Images of one slice, uint8, grey, RGB or RGBA. The spacing is that of the message's matrix, where it makes an image
    of the size of a chest and is not exactly 1 mm square. Other messages are passed over.

    Attributes:
        port: that it dials or listens on; known once it was entered.

    Raises, when it is made, entered or read:
        ParameterError: the address is none.
        MissingExtraError: pyigtl is not installed.
        SourceError: no such host, no server there, the port is taken, or the sender is silent or gone.
        SourceFormatError: what comes is not OpenIGTLink, or no image that can be used.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self._address = IgtlAddress.of(uri)
        self.port = self._address.port
        self.spacing_note = NO_SCALE
        self._socket: socket.socket | None = None  # that listens, then that of the sender
        self._left = False
        self._until_s = 0.0  # an image has to be here
        self._device, self._others = self._address.device, list[str]()

    def interrupt(self) -> None:
        """Wake whoever waits for a message; the feed ends there. From any thread."""
        self._left = True
        if (connection := self._socket) is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _open(self) -> None:
        igtl_messages()
        self._left = False
        self._device, self._others = self._address.device, []
        if self._address.host:
            self._dial()
        else:
            self._listen()

    def _dial(self) -> None:
        try:
            self._use(socket.create_connection((self._address.host, self.port), CONNECT_S))
        except OSError as error:
            raise SourceError(
                f"{self.uri}: expected an OpenIGTLink server, found {one_line(error)}; see `echo-rt doctor {self.uri}`"
            ) from None

    def _listen(self) -> None:
        at = self._address.listen
        try:
            family, *_, place = socket.getaddrinfo(at, self._address.port, type=socket.SOCK_STREAM)[0]
            self._socket = socket.create_server(place[:2], family=family)
        except OSError as error:
            raise SourceError(
                f"{self.uri}: expected to listen on {at} port {self._address.port}, found {one_line(error)}; "
                "end what uses the port, or choose another"
            ) from None
        self.port = int(self._socket.getsockname()[1])
        self.note, self.patience_s = f"waits for a sender on {at} port {self.port}", math.inf

    def _accept(self) -> bool:
        """Wait for the sender, and let no other in. False where nobody wants it any more."""
        with (listening := self._listening()):
            listening.settimeout(TURN_S)
            while not self._left:
                try:
                    sender, _ = listening.accept()
                except TimeoutError:
                    continue
                except OSError as error:
                    if self._left:
                        break
                    raise SourceError(
                        f"{self.uri}: expected a sender, found {one_line(error)}; check the network"
                    ) from None
                self._use(sender)
                self.note = None
                return True
        return False

    def _listening(self) -> socket.socket:
        assert self._socket is not None
        return self._socket

    def _use(self, sender: socket.socket) -> None:
        self._socket = sender
        sender.settimeout(READ_S)
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _pictures(self) -> Iterator[FeedPicture]:
        if not self._address.host and not self._accept():
            return
        self._until_s = time.monotonic() + IMAGE_S
        while True:
            header = self._read(HEADER_BYTES)
            if header is None:
                return
            fields, crc = self._header(header)
            body = self._read(fields["body_size"], begun=True)
            assert body is not None
            if fields["message_type"] != "IMAGE" or not self._wanted(fields["device_name"]):
                continue
            yield self._picture(fields, body, crc)
            self._until_s = time.monotonic() + IMAGE_S

    def _wanted(self, device: str) -> bool:
        """Whether images of this device are taken; the first one is, where the address names none."""
        self._device = self._device or device
        if device == self._device:
            return True
        if device not in self._others and len(self._others) < MOST_NAMED:
            self._others.append(device)
            if not self._address.device:
                self.note = f"images of {self._device!r} are taken, not of {self._names()}; ?device=NAME takes another"
        return False

    def _names(self) -> str:
        return ", ".join(repr(printable(name)) for name in self._others)

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, count: int, begun: bool = False) -> bytearray | None:
        """That many bytes, or None where the server closed before a message. `begun`: in the middle of one."""
        assert self._socket is not None
        found = bytearray(count)
        view, have = memoryview(found), 0
        while have < count:
            if time.monotonic() > self._until_s:
                raise self._no_image()
            try:
                more = self._socket.recv_into(view[have:])
            except TimeoutError:
                raise SourceError(
                    f"{self.uri}: expected messages, found none for {READ_S:g} s; check that the sender is running"
                ) from None
            except OSError as error:
                raise SourceError(
                    f"{self.uri}: expected messages, found {one_line(error)}; check the sender and the network"
                ) from None
            if not more:
                if have or begun:
                    raise SourceError(
                        f"{self.uri}: expected a whole message, found the connection closed in the middle of one"
                    )
                return None
            have += more
        return found

    def _no_image(self) -> SourceError:
        if self._others:
            return SourceError(
                f"{self.uri}: expected an image of {self._device!r}, found those of {self._names()} alone "
                f"in {IMAGE_S:g} s; name one of them"
            )
        return SourceError(f"{self.uri}: expected an image, found none in {IMAGE_S:g} s; check what the sender sends")

    def _header(self, header: bytearray) -> tuple[dict[str, Any], int]:
        version, kind = struct.unpack_from(">H12s", header)
        try:
            if version not in (1, 2, 3) or not kind.rstrip(b"\0 ").decode("ascii").isprintable():
                raise ValueError
            fields = igtl_messages().MessageBase.parse_header(bytes(header))
        except ValueError:  # UnicodeDecodeError is one
            raise SourceFormatError(
                f"{self.uri}: expected OpenIGTLink messages, found something else on that port; check the address"
            ) from None
        if fields["body_size"] > MOST_BYTES:
            raise SourceFormatError(
                f"{self.uri}: expected a message of at most {MOST_BYTES} bytes, found one of {fields['body_size']}; "
                "is it OpenIGTLink?"
            )
        return fields, int.from_bytes(header[50:58], "big")

    def _picture(self, fields: dict[str, Any], body: bytearray, crc: int) -> FeedPicture:
        picture, stated = unpacked(self.uri, fields, body, crc)
        spacing_mm = plausible_spacing(stated, picture.shape)
        why_not = PLACEHOLDER if is_placeholder(stated) else NO_SCALE
        self.spacing_mm, self.spacing_note = spacing_mm, why_not if spacing_mm is None else None
        return picture, fields["timestamp"] or None, spacing_mm
