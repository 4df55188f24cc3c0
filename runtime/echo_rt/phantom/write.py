"""A phantom as a file, with its truth beside it."""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from echo_rt.arrays import Image
from echo_rt.errors import OutputError, ParameterError
from echo_rt.phantom.dicom_file import write_dicom
from echo_rt.phantom.phantom import Phantom

FRAME_COLUMNS = (
    "frame", "t_s", "phase", "volume_ml", "area_mm2", "length_mm",
    "apex_x_px", "apex_y_px", "septal_hinge_x_px", "septal_hinge_y_px", "lateral_hinge_x_px", "lateral_hinge_y_px",
)  # fmt: skip
BEAT_COLUMNS = ("t_ed_s", "t_es_s", "t_next_ed_s", "edv_ml", "esv_ml", "ef_percent", "heart_rate_bpm", "ectopic")


def write(phantom: Phantom, path: str | os.PathLike[str], masks: bool = True) -> list[Path]:
    """Write the clip and what is true of it, each file whole or not at all.

    Beside ``clip.avi`` (Motion JPEG), ``clip.mp4`` (H.264) or ``clip.dcm`` (ultrasound multi-frame image in JPEG, with
    its region's scale) stand ``clip.truth.csv``, a row a frame; ``clip.beats.csv``, a row a beat; and, with `masks`,
    ``clip.masks.npz``, ``labels`` (N, H, W) as in the results of ``echo-rt file``. Returns them, the clip first.

    Raises:
        ParameterError: another suffix, or an endless phantom.
        OutputError: a file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise ParameterError(f"{path}: expected a name that ends in {known}, found {path.suffix or 'no suffix'}")
    if phantom.frames is None:
        raise ParameterError("phantom: expected seconds=... for a clip, found an endless feed")
    jobs = {path: _WRITERS[path.suffix.lower()]}
    jobs |= {path.with_suffix(".truth.csv"): _truth, path.with_suffix(".beats.csv"): _beats}
    if masks:
        jobs[path.with_suffix(".masks.npz")] = _masks
    for target, job in jobs.items():
        with _whole(target) as part:
            job(phantom, part)
    return list(jobs)


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A place to write to; what was written there becomes `target` if nothing went wrong, else it is removed."""
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{target}: expected to write it, found: {reason}; choose another folder or free some space"
        ) from None


def _video(container: str, codec: str, pixels: str, options: dict[str, str], phantom: Phantom, path: Path) -> None:
    import av

    rate = Fraction(phantom.options.recording.fps).limit_denominator(1000)
    with phantom, av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate, options=options)
        stream.pix_fmt = pixels
        # H.264 in 4:2:0 has even sizes alone: an odd last row or column is repeated.
        even = pixels == "yuv420p"
        height, width = phantom.size
        stream.height, stream.width = height + height % 2 * even, width + width % 2 * even
        for number, frame in enumerate(phantom):
            image = _even(frame.image) if even else frame.image
            picture = av.VideoFrame.from_ndarray(image, "gray" if image.ndim == 2 else "bgr24").reformat(format=pixels)
            picture.pts, picture.time_base = number, 1 / rate
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


def _even(image: Image) -> Image:
    height, width = image.shape[:2]
    pad = ((0, height % 2), (0, width % 2), (0, 0))[: image.ndim]
    return np.ascontiguousarray(np.pad(image, pad, mode="edge"))


def _truth(phantom: Phantom, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FRAME_COLUMNS)
        for k in range(phantom.frames or 0):
            truth = phantom.truth(k)
            points = [*truth.apex, *truth.hinges.ravel()]
            figures = [truth.volume_ml, truth.area_mm2, truth.length_mm, *points]
            writer.writerow([k, f"{truth.t_s:.6f}", truth.phase, *(f"{figure:.4f}" for figure in figures)])


def _beats(phantom: Phantom, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(BEAT_COLUMNS)
        for beat in phantom.beats():
            figures = [getattr(beat, name) for name in BEAT_COLUMNS[:-1]]
            writer.writerow([*(f"{figure:.6f}" for figure in figures), int(beat.ectopic)])


def _masks(phantom: Phantom, path: Path) -> None:
    """Frame by frame: the labels of a long clip do not fit into memory."""
    frames = phantom.frames or 0
    height, width = phantom.size
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as archive, archive.open("labels.npy", "w", force_zip64=True) as out:
        header = {"descr": "|u1", "fortran_order": False, "shape": (frames, height, width)}
        np.lib.format.write_array_header_1_0(out, header)
        for k in range(frames):
            out.write(phantom.mask(k).tobytes())


_WRITERS: dict[str, Callable[[Phantom, Path], None]] = {
    # Quality 2 of Motion JPEG is next to lossless: the clip should test the reader, not the codec.
    ".avi": partial(_video, "avi", "mjpeg", "yuvj444p", {"qmin": "2", "qmax": "2"}),
    ".mp4": partial(_video, "mp4", "libx264", "yuv420p", {"crf": "12", "preset": "veryfast"}),
    ".dcm": write_dicom,
}
