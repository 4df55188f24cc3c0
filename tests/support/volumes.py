"""Sequences in NIfTI, MetaImage and NRRD, as others write them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from echo_rt.sources import open_source
from echo_rt.sources.base import Source
from support import clips

nibabel = pytest.importorskip("nibabel")
nrrd = pytest.importorskip("nrrd")

IMAGES = clips.grey_images(12)
COLOUR = clips.colour_images(12)
ELEMENTS = {"u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "f4": "MET_FLOAT"}


def stamps(seconds: list[float], separator: str = " = ", bad: tuple[int, ...] = ()) -> str:
    """PLUS's fields of each frame."""
    return "".join(
        f"Seq_Frame{n:04d}_Timestamp{separator}{t_s:.5f}\n"
        f"Seq_Frame{n:04d}_ImageStatus{separator}{'INVALID' if n in bad else 'OK'}\n"
        for n, t_s in enumerate(seconds)
    )


STEADY = [100 + n / 40 for n in range(12)]


def metaimage(
    path: Path, images: np.ndarray = IMAGES, more: str = "", spacing: str = "1.5 1.5 1", dims: str = "", **how: Any
) -> Path:
    """A MetaImage of (N, H, W) or (N, H, W, channels) images, `compressed` or not, its samples in a file of their own
    where `data` names one."""
    kind = images.dtype.str[1:]
    samples = images.tobytes()
    if how.get("compressed"):
        samples = zlib.compress(samples)
    dims = dims or f"{images.shape[2]} {images.shape[1]} {len(images)}"
    header = (
        f"ObjectType = Image\nNDims = {len(dims.split())}\nBinaryData = True\n"
        f"BinaryDataByteOrderMSB = {images.dtype.str[0] == '>'}\nCompressedData = {bool(how.get('compressed'))}\n"
        f"ElementSpacing = {spacing}\nDimSize = {dims}\nElementType = {ELEMENTS[kind]}\n"
        + ("ElementNumberOfChannels = 3\n" if images.ndim == 4 else "")
        + more
        + f"ElementDataFile = {how.get('data', 'LOCAL')}\n"
    )
    if "data" in how:
        (path.parent / how["data"]).write_bytes(samples)
        samples = b""
    path.write_bytes(header.encode() + samples)
    return path


def nifti(path: Path, axes: np.ndarray, units: tuple[str, str] | None = None, zooms: tuple[float, ...] = ()) -> Path:
    """A NIfTI file of samples in the order of its axes, (x, y, ...)."""
    image = nibabel.Nifti1Image(axes, np.diag([1.5, 1.5, 1, 1]))
    if units is not None:
        image.header.set_xyzt_units(*units)
    if zooms:
        image.header.set_zooms(zooms)
    nibabel.save(image, path)
    return path


def nrrd_file(path: Path, axes: np.ndarray, **header: Any) -> Path:
    """An NRRD file of samples in the order of its axes."""
    nrrd.write(str(path), axes, {name.replace("space_", "space "): value for name, value in header.items()})
    return path


def along_x(images: np.ndarray) -> np.ndarray:
    """(N, H, W) as (x, y, t)."""
    return images.transpose(2, 1, 0)


def opened(path: Path, fps: float | None = None) -> tuple[Source, list[Any]]:
    with open_source(path, fps) as source:
        return source, list(source)


DIRECTIONS = [[np.nan] * 3, [1.5, 0, 0], [0, 1.5, 0], [0, 0, 1]]

WRITTEN: dict[str, Callable[[Path], Path]] = {
    "PLUS": lambda to: metaimage(to / "a.igs.mha", more=stamps(STEADY)),
    "PLUS, compressed": lambda to: metaimage(to / "a.seq.mha", more=stamps(STEADY), compressed=True),
    "PLUS, in two files": lambda to: metaimage(to / "a.mhd", more=stamps(STEADY), data="a.raw"),
    "PLUS, in two files, compressed": lambda to: metaimage(
        to / "a.mhd", more=stamps(STEADY), data="a.zraw", compressed=True
    ),
    "PLUS, four axes": lambda to: metaimage(
        to / "a.mha", more=stamps(STEADY), dims="64 48 1 12", spacing="1.5 1.5 1 1"
    ),
    "PLUS, no ending": lambda to: metaimage(to / "IM1", more=stamps(STEADY)),
    "PLUS, Windows lines": lambda to: metaimage(to / "a.mha", more=stamps(STEADY).replace("\n", "\r\n")),
    "NIfTI, seconds": lambda to: nifti(to / "a.nii", along_x(IMAGES)[:, :, None], ("mm", "sec"), (1.5, 1.5, 1, 0.025)),
    "NIfTI, milliseconds": lambda to: nifti(
        to / "a.nii.gz", along_x(IMAGES)[:, :, None], ("mm", "msec"), (1.5, 1.5, 1, 25)
    ),
    "NIfTI, microns and microseconds": lambda to: nifti(
        to / "a.nii.gz", along_x(IMAGES)[:, :, None], ("micron", "usec"), (1500, 1500, 1000, 25_000)
    ),
    "Slicer": lambda to: nrrd_file(
        to / "a.seq.nrrd", IMAGES.transpose(0, 2, 1)[..., None], space="right-anterior-superior",
        kinds=["list", "domain", "domain", "domain"], space_directions=DIRECTIONS,
        **{"axis 0 index type": "numeric", "axis 0 index values": " ".join(f"{t_s:.3f}" for t_s in STEADY)},
    ),
    "Slicer, milliseconds": lambda to: nrrd_file(
        to / "a.seq.nrrd", IMAGES.transpose(0, 2, 1)[..., None], space="right-anterior-superior",
        kinds=["list", "domain", "domain", "domain"], space_directions=DIRECTIONS, units=["ms", "", "", ""],
        **{"axis 0 index values": " ".join(f"{1000 * t_s:.0f}" for t_s in STEADY)},
    ),
    "NRRD with an axis of time": lambda to: nrrd_file(
        to / "a.nrrd", along_x(IMAGES), kinds=["domain", "domain", "time"], spacings=[1.5, 1.5, 0.025],
        units=["mm", "mm", "s"], encoding="raw",
    ),
    "PLUS in NRRD": lambda to: nrrd_file(
        to / "a.igs.nrrd", along_x(IMAGES), kinds=["domain", "domain", "list"], spacings=[1.5, 1.5, 1],
        **dict(line.split(":=") for line in stamps(STEADY, ":=").splitlines()),
    ),
}  # fmt: skip
