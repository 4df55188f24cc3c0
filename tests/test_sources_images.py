"""A folder of numbered images as a recording."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from echo_rt.errors import ParameterError, SourceFormatError
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
    assert [int(image[0, 0]) for image in shown] == [3, 1, 234]


@pytest.mark.parametrize("first", [0, 3, 200])
def test_a_dark_first_image_does_not_make_the_others_white(tmp_path: Path, first: int) -> None:
    images = clips.grey_images(12)
    levels = images.astype(np.uint16) << 8
    levels[0] = first
    np.testing.assert_array_equal(images_of(clips.write_images(tmp_path / "frames", levels), 50)[1:], images[1:])


def test_grey_images_among_images_in_colour_are_shown_as_the_first(tmp_path: Path) -> None:
    images = clips.grey_images(6)
    for name, colour in (("a", (0, 3)), ("b", (1, 2, 5))):
        folder = clips.write_images(tmp_path / name, images)
        for index in colour:
            cv2.imwrite(str(folder / f"frame{index + 1}.png"), cv2.cvtColor(images[index], cv2.COLOR_GRAY2BGR))
        shown = images_of(folder, 50)
        assert shown.ndim == 4 - (0 not in colour)
        np.testing.assert_array_equal(shown[..., 0] if shown.ndim == 4 else shown, images)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_images_are_upright_as_their_exif_data_say(tmp_path: Path, suffix: str, number: int) -> None:
    images = clips.grey_images(2)
    for index, image in enumerate(images):
        exif = Image.Exif()
        exif[0x0112] = number
        # As a camera stores what is upright so.
        turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}.get(number)
        stored = Image.fromarray(image) if turn is None else Image.fromarray(image).transpose(Image.Transpose(turn))
        stored.save(tmp_path / f"{index}.{suffix}", exif=exif, **({"quality": 98} if suffix == "jpg" else {}))
    shown = images_of(tmp_path, 50)
    assert shown.shape == images.shape
    assert np.abs(shown.astype(int) - images).mean() < 3


def test_one_series_may_have_its_suffix_in_capitals_and_in_small_letters(tmp_path: Path) -> None:
    images = clips.grey_images(4)
    folder = clips.write_images(tmp_path / "frames", images)
    (folder / "frame3.png").rename(folder / "frame3.PNG")
    np.testing.assert_array_equal(images_of(folder, 50), images)


def test_without_fps_the_error_asks_for_it(tmp_path: Path) -> None:
    folder = clips.write_images(tmp_path / "frames", clips.grey_images(3))
    with pytest.raises(ParameterError, match="--fps"), open_source(folder):
        pass


@pytest.mark.parametrize("odd", [np.zeros((30, 64), np.uint8), np.zeros((48, 60, 3), np.uint8)])
def test_an_image_of_another_size_is_named(tmp_path: Path, odd: np.ndarray) -> None:
    folder = clips.write_images(tmp_path / "frames", clips.grey_images(5))
    cv2.imwrite(str(folder / "frame4.png"), odd)
    message = refused(folder, 50)
    assert "frame4.png" in message
    assert "48" in message


@pytest.mark.parametrize("damage", ["empty", "half", "text"])
def test_a_damaged_image_is_skipped_and_counted_and_nothing_is_printed(
    tmp_path: Path, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = clips.write_images(tmp_path / "frames", clips.grey_images(5))
    data = (folder / "frame3.png").read_bytes()
    (folder / "frame3.png").write_bytes(
        {"empty": b"", "half": data[: len(data) // 2], "text": b"not an image at all"}[damage]
    )
    opencv = getattr(cv2.utils, "logging", cv2)
    level = opencv.getLogLevel()
    with open_source(folder, fps=50) as source:
        assert [frame.t_s for frame in source] == pytest.approx([0, 0.02, 0.06, 0.08])
        assert (source.skipped, source.notes) == (
            1,
            ["1 of 5 images cannot be read and are left out, first frame3.png"],
        )
    assert opencv.getLogLevel() == level
    if not cv2.__version__.startswith("4."):  # there libpng prints past everybody
        assert capfd.readouterr() == ("", "")


def test_a_series_of_which_most_is_damaged_is_refused_with_the_first_of_them(tmp_path: Path) -> None:
    folder = clips.write_images(tmp_path / "frames", clips.grey_images(5))
    for number in (2, 3, 5):
        (folder / f"frame{number}.png").write_bytes(b"not an image at all")
    with pytest.raises(SourceFormatError, match=r"frame2\.png: expected an image"):
        images_of(folder, 50)


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
