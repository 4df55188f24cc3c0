"""Noise, blank screens, still pictures, colour Doppler and stills of other organs come to no number, and always to a
reason.

All of it through the engine, as `echo-rt file` goes. Real recordings of other organs are not here: some still get an
EF, docs/figures.md.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import echo_rt
from echo_rt.engine import Engine
from echo_rt.phantom import Phantom, PhantomOptions
from echo_rt.reading import Reason
from support.clips import write_video

Image = NDArray[np.uint8]
FRAMES = 50


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with echo_rt.open_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def heart() -> list[Image]:
    """2 s of a phantom that beats twice a second, BGR with the machine's graphics."""
    with Phantom(
        PhantomOptions.of(seed=11, hr=120, ef=60, fps=25, seconds=FRAMES / 25, height=240, width=320)
    ) as phantom:
        return [frame.image for frame in phantom]


@pytest.fixture
def qualities(engine: Engine, tmp_path: Path) -> Callable[[Sequence[Image]], list[str]]:
    """What each frame of these images as a recording is called. The recording must come to no EF and say why, frame by
    frame too."""

    def follow(images: Sequence[Image]) -> list[str]:
        clip = write_video(
            tmp_path / "clip.avi",
            np.stack(images),
            fps=25,
            codec="ffv1",
            pix_fmt="bgr0" if images[0].ndim == 3 else "gray",
        )
        result = echo_rt.process(clip, engine, out=tmp_path, name="results", overlay=False)
        assert result.ef.percent is None
        assert result.ef.reason
        with (tmp_path / "results" / "readings.csv").open(newline="") as file:
            table = list(csv.DictReader(file))
        assert len(table) == len(images)
        assert {row["ef_percent"] for row in table} == {""}
        return [row["quality"] for row in table]

    return follow


def pydicom_image(name: str) -> Image:
    """A single ultrasound image that comes with pydicom, BGR."""
    from pydicom import dcmread
    from pydicom.examples import get_path
    from pydicom.pixels import apply_color_lut

    ds = dcmread(get_path(name))
    pixels = ds.pixel_array
    if ds.PhotometricInterpretation == "PALETTE COLOR":
        pixels = (apply_color_lut(pixels, ds) >> 8).astype(np.uint8)
    return np.ascontiguousarray(pixels[..., ::-1])


def swaying(image: Image, depth: float = 0.06) -> list[Image]:
    """The image growing and shrinking twice a second under speckle of its own, as if it beat."""
    rng, height, width = np.random.default_rng(1), *image.shape[:2]
    shown = []
    for k in range(FRAMES):
        scale = 1 + depth * np.sin(2 * np.pi * 2 * k / 25)
        warp = cv2.getRotationMatrix2D((width / 2, height / 2), 0, scale)
        noise = rng.normal(1, 0.15, (height, width, 1) if image.ndim == 3 else (height, width))
        shown.append((cv2.warpAffine(image, warp, (width, height)) * noise).clip(0, 255).astype(np.uint8))
    return shown


def test_the_phantom_that_the_others_are_made_of_does_have_a_figure(
    engine: Engine, heart: list[Image], tmp_path: Path
) -> None:
    clip = write_video(tmp_path / "clip.avi", np.stack(heart), fps=25, codec="ffv1", pix_fmt="bgr0")
    assert list(echo_rt.stream(clip, engine))[-1].ef.percent is not None


def test_noise(qualities) -> None:
    rng = np.random.default_rng(1)
    assert "ok" not in qualities([rng.integers(0, 256, (240, 320), np.uint8) for _ in range(FRAMES)])


def test_a_black_screen(qualities) -> None:
    assert set(qualities([np.zeros((240, 320, 3), np.uint8)] * FRAMES)) == {Reason.NO_VENTRICLE}


@pytest.mark.parametrize("shown", ["phantom", "cine"])
def test_a_still_image_of_a_heart(qualities, heart: list[Image], cine: Path, shown: str) -> None:
    if shown == "phantom":
        image = heart[5]
    else:
        with echo_rt.open_source(cine) as source:
            image = next(iter(source)).image
    assert qualities([image] * FRAMES) == ["ok"] + [Reason.FROZEN] * (FRAMES - 1)


def test_a_still_image_filmed_by_a_noisy_camera(qualities, heart: list[Image]) -> None:
    rng = np.random.default_rng(1)
    qualities([(heart[5] + rng.normal(0, 4, heart[5].shape)).clip(0, 255).astype(np.uint8) for _ in range(FRAMES)])


def test_a_beating_heart_with_colour_over_it(qualities, heart: list[Image]) -> None:
    coloured = []
    for k, image in enumerate(heart):
        flow = image.copy()
        cv2.ellipse(flow, (160 + k % 7, 130), (22, 30), 10, 0, 360, ((0, 20, 230), (230, 60, 0))[k % 20 < 10], -1)
        coloured.append(flow)
    assert set(qualities(coloured)) == {Reason.COLOUR_DOPPLER}


def test_colour_doppler_of_a_lymph_node(qualities) -> None:
    assert set(qualities(swaying(pydicom_image("rgb_color")))) == {Reason.COLOUR_DOPPLER}


def test_another_organ(qualities) -> None:
    """Obstetric ultrasound, in colours of a palette, with a blue banner."""
    found = qualities(swaying(pydicom_image("palette_color")))
    assert not {"ok", Reason.COLOUR_DOPPLER} & set(found)


def test_a_still_ultrasound_image_of_another_organ(qualities) -> None:
    assert set(qualities([pydicom_image("jpeg2k")] * 10)[1:]) == {Reason.FROZEN}


def test_a_recording_with_every_frame_twice_has_the_beats_it_had(
    engine: Engine, heart: list[Image], tmp_path: Path
) -> None:
    """As a converter makes it: 25 frames a second as 50, in H.264."""
    figures = {}
    for name, times, fps in (("once", 1, 25), ("twice", 2, 50)):
        clip = write_video(tmp_path / f"{name}.mp4", np.repeat(np.stack(heart), times, axis=0), fps=fps)
        figures[name] = echo_rt.process(clip, engine).to_dict()
    once, twice = figures["once"], figures["twice"]
    assert twice["rejected_frames"].get(Reason.FROZEN, 0) >= 0.8 * FRAMES
    assert (len(twice["beats"]), twice["rejected"]) == (len(once["beats"]), once["rejected"])
    assert len(twice["beats"]) >= 2
    assert twice["ef_percent"] == pytest.approx(once["ef_percent"], abs=2)
    half_a_frame = 0.5 / 25 * 120 / 60
    assert twice["heart_rate_bpm"] == pytest.approx(once["heart_rate_bpm"], rel=half_a_frame + 0.01)
