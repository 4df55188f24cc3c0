"""Pictures of OpenIGTLink's IMAGE messages. pyigtl unpacks them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from echo_rt.arrays import Image
from echo_rt.errors import MissingExtraError, SourceFormatError
from echo_rt.sources.base import one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray


def unpacked(uri: str, fields: dict[str, Any], body: bytearray, crc: int) -> tuple[Image, tuple[float, float]]:
    """The picture in an IMAGE message, (H, W) or (H, W, 3) BGR, and its pixels' height and width in mm.

    Args:
        uri: of its sender.
        fields, body, crc: the message: fields as pyigtl reads them from the header; a checksum of 0 is none.

    Raises:
        SourceFormatError: the checksum is wrong, or it is no image of one slice and 8 bits.
    """
    messages = igtl_messages()
    if crc and messages.CRC64(bytes(body)) != crc:
        raise SourceFormatError(f"{uri}: expected a whole image, found one with a wrong checksum; check the network")
    message = messages.ImageMessage()
    try:
        message.unpack({**fields, "header_version": 1}, _content(fields["header_version"], body))
        image = message.image
        if (
            image.dtype != np.uint8
            or image.shape[0] != 1
            or min(image.shape) < 1
            or (image.ndim == 4 and image.shape[3] not in (1, 3, 4))
        ):
            raise ValueError(f"{image.dtype} with axes {image.shape}")
    except (ValueError, KeyError, IndexError, struct.error, NotImplementedError) as error:
        raise SourceFormatError(
            f"{uri}: expected images of one slice, uint8, grey or RGB, found {one_line(error)}; "
            "set the sender to 8 bits"
        ) from None
    columns = np.linalg.norm(message.ijk_to_world_matrix[:3, :2], axis=0)
    return _picture(image[0]), (float(columns[1]), float(columns[0]))


def _content(version: int, body: bytearray) -> bytes:
    """The image in a body. From version 2 on the sender's own notes stand around it, in any encoding; nobody reads
    them here."""
    if version == 1:
        return bytes(body)
    extended, names, values = struct.unpack_from(">HHI", body)
    return bytes(body[extended : len(body) - names - values])


def _picture(image: NDArray[Any]) -> Image:
    """(H, W) or (H, W, 3) BGR of (H, W) or (H, W, 1, 3 or 4), RGB."""
    if image.ndim == 3:
        image = image[..., 0] if image.shape[2] == 1 else image[..., 2::-1]
    return np.ascontiguousarray(image, np.uint8)


def igtl_messages() -> Any:
    """pyigtl's module of messages.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from pyigtl import messages
    except ImportError:
        raise MissingExtraError("OpenIGTLink", "igtl") from None
    return messages
