"""Images from an OpenIGTLink server, such as PLUS or 3D Slicer.

pyigtl packs and unpacks the messages. The connection is our own: pyigtl's client waits for ever for a server that has
gone, believes any size that a header says, and prints tracebacks.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np

from echo_rt.arrays import Image
from echo_rt.errors import MissingExtraError, ParameterError, SourceError, SourceFormatError
from echo_rt.sources.base import one_line
from echo_rt.sources.feed import Feed, plausible_spacing
from echo_rt.sources.scale import is_placeholder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from echo_rt.sources.feed import FeedPicture

PORT = 18944
"""The protocol's own."""

CONNECT_S, READ_S, IMAGE_S = 5.0, 2.0, 10.0
"""Time-outs: for the connection, for anything at all, and for a whole image."""

NO_SCALE = "the sender's matrix does not give a scale that fits its image"
PLACEHOLDER = "the sender's matrix has pixels of exactly 1 mm, which senders write that know no scale"

HEADER_BYTES = 58
MOST_BYTES = 64 * 2**20
"""Of one message: an image of 4096 x 2160 in colour has 26 MB."""


class IgtlImages(Feed):
    """``igtl://host:port``, or ``igtl://host:port/Image_Probe`` for the images of one device of several.

    Images of one slice, uint8, grey, RGB or RGBA. The spacing is that of the message's matrix, where it makes an image
    of the size of a chest and is not exactly 1 mm square. Other messages are passed over.

    Raises, when it is entered or read:
        ParameterError: the address has no host.
        MissingExtraError: pyigtl is not installed.
        SourceError: no such host, no server there, or it is silent or gone.
        SourceFormatError: what comes is not OpenIGTLink, or no image that can be used.
    """

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        try:
            parts = urlsplit(uri)
            self.host, self.port = parts.hostname or "", parts.port or PORT
        except ValueError:
            self.host = ""
        if not self.host:
            raise ParameterError(
                f"{uri}: expected igtl://host:port, found no host or no valid port; the usual port is {PORT}"
            )
        self.device = unquote(parts.path.strip("/"))
        self.spacing_note = NO_SCALE
        self._socket: socket.socket | None = None
        self._until_s = 0.0  # an image has to be here

    def interrupt(self) -> None:
        """Wake whoever waits for a message; the feed ends there. From any thread."""
        if (connection := self._socket) is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def _open(self) -> None:
        _messages()
        try:
            self._socket = socket.create_connection((self.host, self.port), CONNECT_S)
        except OSError as error:
            raise SourceError(
                f"{self.uri}: expected an OpenIGTLink server, found {one_line(error)}; see `echo-rt doctor {self.uri}`"
            ) from None
        self._socket.settimeout(READ_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _pictures(self) -> Iterator[FeedPicture]:
        self._until_s = time.monotonic() + IMAGE_S
        while True:
            header = self._read(HEADER_BYTES)
            if header is None:
                return
            fields, crc = self._header(header)
            body = self._read(fields["body_size"], begun=True)
            assert body is not None
            if fields["message_type"] != "IMAGE" or self.device not in ("", fields["device_name"]):
                continue
            yield self._image(fields, body, crc)
            self._until_s = time.monotonic() + IMAGE_S

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
                raise SourceError(
                    f"{self.uri}: expected an image, found none in {IMAGE_S:g} s; check what the sender sends"
                )
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

    def _header(self, header: bytearray) -> tuple[dict[str, Any], int]:
        version, kind = struct.unpack_from(">H12s", header)
        try:
            if version not in (1, 2, 3) or not kind.rstrip(b"\0 ").decode("ascii").isprintable():
                raise ValueError
            fields = _messages().MessageBase.parse_header(bytes(header))
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

    def _image(self, fields: dict[str, Any], body: bytearray, crc: int) -> FeedPicture:
        messages = _messages()
        if crc and messages.CRC64(bytes(body)) != crc:
            raise SourceFormatError(
                f"{self.uri}: expected a whole image, found one with a wrong checksum; check the network"
            )
        message = messages.ImageMessage()
        try:
            message.unpack(fields, bytes(body))
            image = message.image
            matrix = message.ijk_to_world_matrix
            if (
                image.dtype != np.uint8
                or image.shape[0] != 1
                or min(image.shape) < 1
                or (image.ndim == 4 and image.shape[3] not in (1, 3, 4))
            ):
                raise ValueError(f"{image.dtype} with axes {image.shape}")
        except (ValueError, KeyError, IndexError, struct.error, NotImplementedError) as error:
            raise SourceFormatError(
                f"{self.uri}: expected images of one slice, uint8, grey or RGB, found {one_line(error)}; "
                "set the sender to 8 bits"
            ) from None
        picture = _picture(image[0])
        columns = np.linalg.norm(matrix[:3, :2], axis=0)
        stated = float(columns[1]), float(columns[0])
        spacing_mm = plausible_spacing(stated, picture.shape)
        why_not = PLACEHOLDER if is_placeholder(stated) else NO_SCALE
        self.spacing_mm, self.spacing_note = spacing_mm, why_not if spacing_mm is None else None
        return picture, fields["timestamp"] or None, spacing_mm


def _picture(image: NDArray[Any]) -> Image:
    """(H, W) or (H, W, 3) BGR of (H, W) or (H, W, 1, 3 or 4), RGB."""
    if image.ndim == 3:
        image = image[..., 0] if image.shape[2] == 1 else image[..., 2::-1]
    return np.ascontiguousarray(image, np.uint8)


def _messages() -> Any:
    try:
        from pyigtl import messages
    except ImportError:
        raise MissingExtraError("OpenIGTLink", "igtl") from None
    return messages
