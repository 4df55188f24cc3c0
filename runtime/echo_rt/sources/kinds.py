"""What a file is, by its first bytes: names lie, and FFmpeg finds a video in almost anything."""

from __future__ import annotations

import codecs
import re
import tarfile
import zlib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from echo_rt.sources.limits import open_regular

HEAD_BYTES = 36 * 1024
"""The mark of a CD image, the latest of those below, stands at 32 KiB."""

INNER_BYTES = 4096
"""Of what is in a gzip file, enough for every other mark."""

UNPACK = "unpack it and give its recordings"
CHECK = "check that it is the right file"
EXPORT = "export the recording as DICOM or as H.264 in MP4"
AGAIN = "copy or download it again"


class Volume(Enum):
    """The formats of research software that hold an image of three or more axes. The values are for people."""

    NIFTI = "a NIfTI image"
    METAIMAGE = "a MetaImage"
    NRRD = "an NRRD image"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is that is neither DICOM nor a video.

    Attributes:
        name: with its article, such as "a zip archive".
        todo: what its owner can do.
        volume: its format where it is one that `sources.volumes` reads.
        packed: whether the whole file is packed by gzip.
    """

    name: str
    todo: str = CHECK
    volume: Volume | None = None
    packed: bool = False


def head_of(path: Path) -> bytes:
    """The first bytes of a file, as many as `kind_of` looks at.

    Raises:
        OSError: it cannot be read, or is a pipe or a device.
    """
    with open_regular(path) as file:
        return file.read(HEAD_BYTES)


def kind_of(head: bytes) -> Kind | None:
    """What a file with these first bytes is; None where it may be a video.

    The marks are those of the formats' own specifications, most of them as collected in the ``magic`` files of `file`.
    """
    if not head:
        return Kind("an empty file", AGAIN)
    if not any(head):
        return Kind("a file that begins with zeros alone", "it was not copied to its end; " + AGAIN)
    volume = _volume(head)
    if volume is not None:
        return Kind(volume.value, volume=volume)
    if head.startswith(b"\x1f\x8b"):
        return _gzip(head)
    if head.startswith(b"PK") and head[2:4] in (b"\3\4", b"\5\6", b"\7\x08"):
        return _zip(head)
    if _is_tar(head):
        return Kind("a tar archive", UNPACK)
    if b"acTL" in head[:INNER_BYTES]:  # an animated PNG
        return None
    if head[8:16] == b"WEBPVP8X" and b"ANIM" in head[:INNER_BYTES]:
        return Kind("an animated WebP", "convert it to MP4, or save its pictures as numbered images in a folder")
    for at, mark, kind in _MARKS:
        if head.startswith(mark, at):
            return kind
    return _program(head) or _text(head)


def _volume(head: bytes) -> Volume | None:
    # The size of the header comes first, in the byte order of the file.
    size = {int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")}
    if (348 in size and head[344:348] in (b"n+1\0", b"ni1\0")) or (540 in size and head[4:7] in (b"n+2", b"ni2")):
        return Volume.NIFTI
    if re.match(rb"NRRD000\d\r?\n", head):
        return Volume.NRRD
    first = rb"(ObjectType\s*=\s*Image|NDims\s*=\s*\d+|Comment\s*=[^\n]*)\s*\n"
    if re.match(first, head) and re.search(rb"\nDimSize\s*=", head):
        return Volume.METAIMAGE
    return None


def inflated(head: bytes, size: int = INNER_BYTES) -> bytes:
    """The first bytes of what a gzip file holds, as far as its own first bytes give them."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, size)
    except zlib.error:
        return b""


def _gzip(head: bytes) -> Kind:
    inner = inflated(head)
    if (volume := _volume(inner)) is not None:
        return Kind(volume.value, volume=volume, packed=True)
    if _is_tar(inner):
        return Kind("a tar archive packed by gzip", UNPACK)
    what = "a DICOM file packed by gzip" if inner[128:132] == b"DICM" else "a file packed by gzip"
    return Kind(what, "unpack it (gunzip) and give what is in it")


def _zip(head: bytes) -> Kind:
    if b"[Content_Types].xml" in head or re.search(rb"PK\x03\x04.{26}(word|ppt|xl)/", head, re.DOTALL):
        return Kind("an Office document", "save the film in it as a file of its own")
    if head[30:38] == b"mimetype":
        return Kind("an OpenDocument or EPUB file", "save the film in it as a file of its own")
    # The name of the first file in it: numpy.savez writes nothing else.
    name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if name.endswith(b".npy"):
        return Kind("NumPy arrays (.npz)", EXPORT)
    return Kind("a zip archive", UNPACK)


def _is_tar(head: bytes) -> bool:
    # The check sum of the first entry's header tells also archives of before POSIX, which have no mark.
    try:
        return len(head) >= tarfile.BLOCKSIZE and bool(
            tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "replace").name
        )
    except tarfile.HeaderError:
        return False


def _program(head: bytes) -> Kind | None:
    at = int.from_bytes(head[60:64], "little")
    if head.startswith(b"MZ") and head.startswith(b"PE\0\0", at):
        return Kind("a Windows program", "where it unpacks itself, run it and give its recordings")
    return None


_HDF5 = Kind("an HDF5 file", EXPORT)
_SOUND = Kind("a sound file")
PICTURE = Kind("a picture", "a still image has no ejection fraction")
_PROGRAM = Kind("a program")

_MARKS: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"7z\xbc\xaf\x27\x1c", Kind("a 7z archive", UNPACK)),
    (0, b"Rar!\x1a\x07", Kind("a rar archive", UNPACK)),
    (4, b"1AY&SY", Kind("a file packed by bzip2", UNPACK)),
    (0, b"\xfd7zXZ\0", Kind("a file packed by xz", UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", Kind("a file packed by zstd", UNPACK)),
    (0, b"\x04\x22\x4d\x18", Kind("a file packed by lz4", UNPACK)),
    (0, b"\x1f\x9d", Kind("a file packed by compress", UNPACK)),
    (0, b"MSCF\0\0\0\0", Kind("a cabinet archive", UNPACK)),
    (2, b"-lh", Kind("an LHA archive", UNPACK)),
    (32769, b"CD001", Kind("an image of a CD or DVD", "open it and give the recordings on it")),
    (0, b"\x89HDF\r\n\x1a\n", _HDF5),
    (512, b"\x89HDF\r\n\x1a\n", _HDF5),
    (0, b"MATLAB 5.0 MAT-file", Kind("a MATLAB file", EXPORT)),
    (0, b"\x93NUMPY", Kind("a NumPy array", EXPORT)),
    (0, b"KRETZ", Kind("a volume of a GE scanner", EXPORT)),
    (0, b"SQLite format 3\0", Kind("a database (SQLite)")),
    (0, b"%PDF-", Kind("a PDF document", "save the film in it as a file of its own")),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind("an Office document", "save the film in it as a file of its own")),
    (0, b"%!PS", Kind("a PostScript document")),
    (0, b"L\0\0\0\x01\x14\x02\0", Kind("a Windows shortcut", "give the file that it points to")),
    (0, b"\0\x05\x16\x07", Kind("the sidecar of a macOS file", "give the file without ._ before its name")),
    (0, b"\x7fELF", _PROGRAM),
    (0, b"\xcf\xfa\xed\xfe", _PROGRAM),
    (0, b"\xce\xfa\xed\xfe", _PROGRAM),
    (0, b"\xca\xfe\xba\xbe", _PROGRAM),
    (8, b"WAVEfmt ", _SOUND),
    (0, b"ID3", _SOUND),
    (0, b"fLaC", _SOUND),
    (0, b"MThd\0\0\0\x06", _SOUND),
    (8, b"AIFF", _SOUND),
    (8, b"WEBPVP8", PICTURE),
    (0, b"II*\0", PICTURE),
    (0, b"MM\0*", PICTURE),
    (0, b"8BPS\0\x01", PICTURE),
    (0, b"\0\0\0\x0cjP  \r\n", PICTURE),
    (4, b"ftypheic", PICTURE),
    (4, b"ftypmif1", PICTURE),
    (4, b"ftypavif", PICTURE),
    (0, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", PICTURE),
)  # fmt: skip

_TEXTS: tuple[tuple[str, Kind], ...] = (
    (r"<!doctype html|<html", Kind("a web page", "the download gave a page in place of the file; download it again")),
    (r"<\?xml|<[a-z]+[ >]", Kind("an XML file")),
    (r"[{\[]", Kind("a JSON file")),
    (r"#extm3u", Kind("a playlist", "give the address of the stream to `echo-rt live`")),
    (r"version https://git-lfs|/annex/objects/", Kind("a pointer of Git", "fetch the file itself with Git")),
    (r"\{\\rtf", Kind("an RTF document")),
    (r"#!", Kind("a script")),
)
"""How a text begins, in small letters, and what it is then."""

_TEXT_BYTES = 1024

MOSTLY = 0.85
"""Share of ASCII in a text of an older encoding, of which any byte is a letter."""


def _text(head: bytes) -> Kind | None:
    start = head[:_TEXT_BYTES]
    if start.startswith(b"YUV4MPEG2 "):  # grey levels may be letters
        return None
    text = _decoded(start)
    if text is None or any((ord(letter) < 32 and letter not in "\t\n\f\r\x1b") or letter == "\x7f" for letter in text):
        return None
    begin = text.lstrip("\ufeff \t\r\n").lower()
    return next((kind for mark, kind in _TEXTS if re.match(mark, begin)), Kind("a text file"))


def _decoded(start: bytes) -> str | None:
    """A text in UTF-16 with its mark, in UTF-8, or mostly in ASCII; the last letter may be cut."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = start[: len(start) // 2 * 2].decode("utf-16", "replace")
        return None if "\ufffd" in text else text
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        ascii_letters = sum(byte < 0x80 for byte in start)
        return start.decode("latin-1") if ascii_letters >= MOSTLY * len(start) else None
