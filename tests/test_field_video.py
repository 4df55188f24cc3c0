"""Turned videos, archives, research formats and recordings over HTTP, as people really have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from echo_rt import process
from echo_rt.engine import Engine, open_engine
from echo_rt.sources import open_source
from support.reading import images_of, read, refused
from support.web import Waited, web


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_engine(device="cpu") as engine:
        yield engine


def test_a_turned_video_is_the_upright_one(field: Path) -> None:
    upright = images_of(field / "display-matrix" / "upright.mp4")
    for name, degrees in (("turned90.mp4", 90), ("turned180.mp4", 180)):
        with open_source(field / "display-matrix" / name) as source:
            turned = np.stack([frame.image for frame in source])
        assert turned.shape == upright.shape
        assert np.abs(turned.astype(int) - upright).mean() < 3  # each is compressed on its own
        assert source.notes == [f"turned by {degrees} degrees clockwise, as its display matrix says"]


def test_a_turned_video_has_the_ejection_fraction_of_the_upright_one(field: Path, engine: Engine) -> None:
    result = process(field / "display-matrix" / "turned180.mp4", engine)
    assert result.ef.percent == pytest.approx(39, abs=1.5)
    assert result.heart_rate_bpm == pytest.approx(75, abs=1.5)
    assert result.provenance.notes[0] == "turned by 180 degrees clockwise, as its display matrix says"


@pytest.mark.parametrize("fps", [None, 25])
def test_an_archive_of_two_patients_is_no_recording(field: Path, fps: float | None) -> None:
    message = refused(field / "zip-of-dicom" / "two_patients.zip", fps)
    assert "found a zip archive; unpack it and give its recordings" in message


@pytest.mark.parametrize(
    ("name", "fps"), [("sweep.igs.mha", None), ("patient0001_4CH_half_sequence.nii.gz", 20)]
)  # fmt: skip
def test_formats_of_research_give_the_ejection_fraction_and_the_volume(
    field: Path, engine: Engine, name: str, fps: float | None
) -> None:
    pytest.importorskip("nibabel")
    result = process(field / "medical-containers" / name, engine, fps=fps)
    assert result.frames.total == 14
    assert result.ef.percent == pytest.approx(40, abs=3)
    assert (result.edv, result.volume_unit) == (pytest.approx(106, rel=0.06), "mL")


def test_the_same_frames_in_two_formats_are_the_same_frames(field: Path) -> None:
    pytest.importorskip("nibabel")
    folder = field / "medical-containers"
    of_camus = read(folder / "patient0001_4CH_half_sequence.nii.gz", fps=20)
    for one, other in zip(read(folder / "sweep.igs.mha"), of_camus, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.t_s == pytest.approx(other.t_s, abs=1e-5)


def test_a_recording_over_http_is_that_of_the_file_at_its_own_pace(
    field: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = field / "http-in-bursts"
    waited = Waited(monkeypatch)
    with (
        web(folder) as address,
        open_source(f"{address}/clip.mp4") as feed,
        open_source(folder / "clip.mp4") as file,
    ):
        assert feed.ends
        count = 0
        for one, other in zip(feed, file, strict=True):
            assert one.t_s == pytest.approx(other.t_s, abs=1e-6)
            assert count % 100 or (one.image == other.image).all()
            count += 1
    assert count == 600
    assert sum(waited.waits) == pytest.approx(599 / 30, abs=1e-3)
