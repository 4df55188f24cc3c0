"""A folder of numbered images as a recording."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from echo_rt.errors import ParameterError
from echo_rt.sources import open_source
from support import clips
from support.reading import images_of, refused


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_images_come_in_the_order_of_their_numbers(tmp_path: Path, suffix: str) -> None:
    images = clips.grey_images(12)
    # As text frame10 sorts before frame2.
    folder = clips.write_images(tmp_path / "frames", images, f"frame{{}}.{suffix}")
    with open_source(folder, fps=50) as source:
        assert (source.name, source.frames, source.fps) == ("frames", 12, 50)
        assert (source.spacing_mm, source.view) == (None, None)
        assert source.spacing_note
        frames = list(source)
    assert [frame.t_s for frame in frames] == pytest.approx([index / 50 for index in range(12)])
    assert [frame.index for frame in frames] == list(range(12))
    shown = np.stack([frame.image for frame in frames])
    np.testing.assert_array_equal(shown[..., 0] if shown.ndim == 4 else shown, images)


def test_colours_are_bgr_and_transparency_is_dropped(tmp_path: Path) -> None:
    images = clips.colour_images(3)
    np.testing.assert_array_equal(images_of(clips.write_images(tmp_path / "bgr", images), 50), images)
    with_alpha = np.concatenate([images, np.full((*images.shape[:3], 1), 99, np.uint8)], axis=-1)
    np.testing.assert_array_equal(images_of(clips.write_images(tmp_path / "bgra", with_alpha), 50), images)


@pytest.mark.parametrize("factor", [1, 16, 257])
def test_sixteen_bits_become_eight_by_what_they_need(tmp_path: Path, factor: int) -> None:
    images = clips.grey_images(3)
    images[:, 0, 0] = 255
    folder = clips.write_images(tmp_path / "frames", images.astype(np.uint16) * factor)
    np.testing.assert_array_equal(images_of(folder, 50), images)


def test_a_later_image_is_not_stretched_to_its_own_range(tmp_path: Path) -> None:
    images = np.full((3, 20, 20), 1000, np.uint16)
    images[1], images[2] = 500, 60000
    shown = images_of(clips.write_images(tmp_path / "frames", images), 50)
    assert [int(image[0, 0]) for image in shown] == [250, 125, 255]


def test_without_fps_the_error_asks_for_it(tmp_path: Path) -> None:
    folder = clips.write_images(tmp_path / "frames", clips.grey_images(3))
    with pytest.raises(ParameterError, match="--fps"), open_source(folder):
        pass


@pytest.mark.parametrize("odd", [np.zeros((30, 64), np.uint8), np.zeros((48, 64, 3), np.uint8)])
def test_an_image_of_another_size_or_kind_is_named(tmp_path: Path, odd: np.ndarray) -> None:
    folder = clips.write_images(tmp_path / "frames", clips.grey_images(5))
    cv2.imwrite(str(folder / "frame4.png"), odd)
    message = refused(folder, 50)
    assert "frame4.png" in message
    assert "48" in message


@pytest.mark.parametrize("damage", ["empty", "half", "text"])
def test_a_damaged_image_is_named_and_nothing_is_printed(
    tmp_path: Path, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = clips.write_images(tmp_path / "frames", clips.grey_images(5))
    data = (folder / "frame3.png").read_bytes()
    (folder / "frame3.png").write_bytes(
        {"empty": b"", "half": data[: len(data) // 2], "text": b"not an image at all"}[damage]
    )
    opencv = getattr(cv2.utils, "logging", cv2)
    level = opencv.getLogLevel()
    assert "frame3.png" in refused(folder, 50)
    assert opencv.getLogLevel() == level
    if not cv2.__version__.startswith("4."):  # there libpng prints past everybody
        assert capfd.readouterr() == ("", "")


def test_floating_point_images_are_refused(tmp_path: Path) -> None:
    folder = clips.write_images(tmp_path / "frames", np.zeros((2, 20, 20), np.float32), "{}.tif")
    assert "float32" in refused(folder, 50)


def test_a_folder_of_no_or_one_image_is_refused(tmp_path: Path) -> None:
    assert "found none" in refused(tmp_path, 50)
    assert "found 1" in refused(clips.write_images(tmp_path / "one", clips.grey_images(1)), 50)


def test_two_series_in_one_folder_are_refused_rather_than_mixed(tmp_path: Path) -> None:
    clips.write_images(tmp_path, clips.grey_images(3), "image_{}.png")
    clips.write_images(tmp_path, clips.grey_images(3), "mask_{}.png")
    message = refused(tmp_path, 50)
    assert "image_#.png" in message
    assert "mask_#.png" in message


def test_a_name_with_several_numbers_is_ordered_by_the_last(tmp_path: Path) -> None:
    images = clips.grey_images(11)
    np.testing.assert_array_equal(
        images_of(clips.write_images(tmp_path / "a", images, "2024-01-02 patient 7 frame {} grey.png"), 50), images
    )


def test_images_without_a_number_and_other_files_are_left_out(tmp_path: Path) -> None:
    folder = clips.write_images(tmp_path / "frames", clips.grey_images(3))
    cv2.imwrite(str(folder / "legend.png"), np.zeros((9, 9), np.uint8))
    (folder / "notes 1.txt").write_text("notes")
    assert len(images_of(folder, 50)) == 3
