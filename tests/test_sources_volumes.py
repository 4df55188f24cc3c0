"""Sequences in NIfTI, MetaImage and NRRD: their frames, clocks, scales and orientations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.errors import ParameterError
from echo_rt.sources import open_source
from support.reading import images_of, read
from support.volumes import (
    COLOUR,
    IMAGES,
    STEADY,
    WRITTEN,
    along_x,
    metaimage,
    nibabel,
    nifti,
    nrrd_file,
    opened,
    stamps,
)


@pytest.mark.parametrize("form", WRITTEN)
def test_every_format_gives_its_frames_times_and_scale(tmp_path: Path, form: str) -> None:
    source, frames = opened(WRITTEN[form](tmp_path))
    np.testing.assert_array_equal(np.stack([frame.image for frame in frames]), IMAGES)
    times = np.array([frame.t_s for frame in frames])
    assert times - times[0] == pytest.approx(np.arange(12) / 40, abs=2e-6)
    assert [frame.index for frame in frames] == list(range(12))
    assert (source.frames, source.fps) == (12, pytest.approx(40, rel=1e-3))
    assert frames[0].spacing_mm == source.spacing_mm == pytest.approx((1.5, 1.5))
    assert (source.spacing_note, source.notes) == (None, [])


@pytest.mark.parametrize("form", WRITTEN)
def test_a_sequence_can_be_read_again_and_left_in_the_middle(tmp_path: Path, form: str) -> None:
    source = open_source(WRITTEN[form](tmp_path))
    with source:
        next(source)
    with source:
        assert len(list(source)) == 12


@pytest.mark.parametrize(
    "write",
    [
        lambda to: nifti(to / "patient0001_4CH_half_sequence.nii.gz", along_x(IMAGES)),
        lambda to: nifti(to / "a.nii", along_x(IMAGES)[:, :, None], ("mm", "sec"), (1.5, 1.5, 1, 1)),
        lambda to: nifti(to / "a.nii", along_x(IMAGES)[:, :, None], ("mm", "sec"), (1.5, 1.5, 1, 25)),
        lambda to: nifti(to / "a.nii", along_x(IMAGES)[:, :, None], ("mm", "hz"), (1.5, 1.5, 1, 0.04)),
        lambda to: metaimage(to / "a.mha"),
        lambda to: metaimage(to / "a.mha", more=stamps(STEADY[:7])),
        lambda to: metaimage(to / "a.mha", more=stamps([5.0] * 12)),
        lambda to: metaimage(to / "a.mha", more=stamps([n * 30.0 for n in range(12)])),
        lambda to: nrrd_file(to / "a.nrrd", along_x(IMAGES)),
        lambda to: nrrd_file(
            to / "a.nrrd", IMAGES.transpose(0, 2, 1), kinds=["list", "domain", "domain"],
            **{"axis 0 index values": " ".join(map(str, range(12)))},
        ),
    ],
)  # fmt: skip
def test_without_times_that_can_be_believed_the_rate_is_asked_for_and_taken(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path)
    with pytest.raises(ParameterError, match="with --fps"):
        read(path)
    frames = read(path, fps=25)
    assert [frame.t_s for frame in frames] == pytest.approx([n / 25 for n in range(12)])
    np.testing.assert_array_equal(np.stack([frame.image for frame in frames]), IMAGES)


@pytest.mark.parametrize(
    ("orientation", "flipped", "notes"),
    [
        ("MF", lambda image: image, []), ("MFA", lambda image: image, []),
        ("UF", lambda image: image[:, ::-1], ["left to right"]), ("MN", lambda image: image[::-1], ["upside down"]),
        ("UND", lambda image: image[::-1, ::-1], ["upside down", "left to right"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["metaimage", "nrrd"])
def test_near_the_probe_is_up_and_its_marked_side_right_where_plus_says_which_is_which(
    tmp_path: Path, form: str, orientation: str, flipped: Callable[[np.ndarray], np.ndarray], notes: list[str]
) -> None:
    if form == "metaimage":
        path = metaimage(tmp_path / "a.mha", more=f"UltrasoundImageOrientation = {orientation}\n" + stamps(STEADY))
    else:
        fields = {"ultrasound image orientation": orientation}
        path = nrrd_file(tmp_path / "a.nrrd", along_x(IMAGES), kinds=["domain", "domain", "list"], **fields)
    source, frames = opened(path, fps=40)
    np.testing.assert_array_equal(frames[3].image, flipped(IMAGES[3]))
    assert source.notes == [f"flipped {how}, as its header says ({orientation})" for how in notes]


def test_images_that_are_marked_as_invalid_are_left_out_and_leave_their_time(tmp_path: Path) -> None:
    source, frames = opened(metaimage(tmp_path / "a.mha", more=stamps(STEADY, bad=(0, 4, 5))))
    kept = [1, 2, 3, 6, 7, 8, 9, 10, 11]
    assert [frame.index for frame in frames] == kept
    assert np.diff([frame.t_s for frame in frames]) == pytest.approx(np.diff([STEADY[n] for n in kept]))
    np.testing.assert_array_equal(np.stack([frame.image for frame in frames]), IMAGES[kept])
    assert source.notes == ["3 of 12 images are marked as invalid: left out"]


@pytest.mark.parametrize("form", ["metaimage", "nifti", "nrrd"])
def test_colours_become_bgr(tmp_path: Path, form: str) -> None:
    rgb = COLOUR[..., ::-1]
    if form == "metaimage":
        path = metaimage(tmp_path / "a.mha", np.ascontiguousarray(rgb), compressed=True)
    elif form == "nifti":
        axes = np.zeros((64, 48, 12), [("R", "u1"), ("G", "u1"), ("B", "u1")])
        for channel, name in enumerate("RGB"):
            axes[name] = along_x(rgb[..., channel])
        path = nifti(tmp_path / "a.nii.gz", axes)
    else:
        kinds = ["RGB-color", "domain", "domain", "list"]
        path = nrrd_file(tmp_path / "a.nrrd", rgb.transpose(3, 2, 1, 0), kinds=kinds)
    np.testing.assert_array_equal(images_of(path, fps=40), COLOUR)


WIDE = IMAGES.astype(np.uint16)


@pytest.mark.parametrize(
    ("samples", "expected", "notes"),
    [
        (WIDE * 16 + 7, IMAGES, 0), ((WIDE * 16).astype(">u2"), IMAGES, 0), (IMAGES.astype(np.int16), IMAGES, 0),
        (IMAGES.astype(np.float32), IMAGES, 0),
        (IMAGES.astype(np.float32) / 220, np.rint((IMAGES - 20.0) * 255 / 200), 1),
        (IMAGES.astype(np.int16) - 120, np.rint((IMAGES - 20.0) * 255 / 200), 1),
    ],
    ids=["12 bits", "12 bits, big end first", "8 bits in 16", "8 bits as floats", "shares", "signed"],
)  # fmt: skip
def test_levels_become_8_bits(tmp_path: Path, samples: np.ndarray, expected: np.ndarray, notes: int) -> None:
    source, frames = opened(metaimage(tmp_path / "a.mha", samples), fps=40)
    shown = np.stack([frame.image for frame in frames])
    assert np.abs(shown.astype(int) - expected).max() <= 1
    assert len(source.notes) == notes


def test_a_slope_of_nifti_is_applied(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(along_x(WIDE), np.eye(4))
    image.header.set_slope_inter(0.5, 3)
    image.to_filename(tmp_path / "a.nii")
    image.header.set_slope_inter(0.5, 3)
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[112:120] = np.array([0.5, 3], "<f4").tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    shown = images_of(tmp_path / "a.nii", fps=40)
    assert np.abs(shown.astype(int) - np.rint(IMAGES * 0.5 + 3)).max() <= 1


@pytest.mark.parametrize(
    ("spacing", "known", "note"),
    [
        ("1 1 1", None, "which is written where no scale is known"), ("1.4 1.4 1", (1.4, 1.4), None),
        ("12 12 1", None, "which no ultrasound has"), ("0 0 0", None, "does not say"), ("", None, "does not say"),
    ],
)  # fmt: skip
def test_a_scale_is_believed_where_it_can_be_one(
    tmp_path: Path, spacing: str, known: tuple[float, float] | None, note: str | None
) -> None:
    source, frames = opened(metaimage(tmp_path / "a.mha", spacing=spacing), fps=40)
    assert frames[0].spacing_mm == source.spacing_mm == known
    assert (source.spacing_note is None) == (note is None)
    assert note is None or note in source.spacing_note


def test_oblong_pixels_become_square_and_keep_their_scale(tmp_path: Path) -> None:
    source, frames = opened(metaimage(tmp_path / "a.mha", spacing="1.5 0.75 1"), fps=40)
    expected = np.stack([cv2.resize(image, (128, 48)) for image in IMAGES])
    np.testing.assert_array_equal(np.stack([frame.image for frame in frames]), expected)
    assert source.spacing_mm == (0.75, 0.75)
    assert source.notes == ["stored pixels are 2 times as wide as high: 64x48 scaled to 128x48"]
