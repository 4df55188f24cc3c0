"""From what a user typed to recordings, and from an address to its source."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_rt.errors import EchoRtError, ParameterError, SourceFormatError, SourceNotFoundError
from echo_rt.frame import Frame
from echo_rt.sources import find_recordings, is_feed, open_source
from echo_rt.sources.base import Recording
from echo_rt.sources.paths import natural_key
from support import clips


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A folder with every kind of recording, and with what is none."""
    folder = tmp_path / "study"
    clips.write_images(folder / "frames", clips.grey_images(3))
    (folder / "deep" / "er").mkdir(parents=True)
    clips.write_video(folder / "deep" / "er" / "clip10.avi", clips.grey_images(2), codec="mjpeg", pix_fmt="yuvj420p")
    clips.write_video(folder / "deep" / "er" / "clip2.MP4", clips.grey_images(2)).rename(
        folder / "deep" / "er" / "clip2.MP4"
    )
    clips.write_dicom(folder / "deep" / "IM_0001", clips.dicom_dataset(clips.grey_images(2)))
    clips.write_dicom(folder / "b.dcm", clips.dicom_dataset(clips.grey_images(2)))
    (folder / "DICOMDIR").write_bytes((folder / "b.dcm").read_bytes())
    (folder / "notes.txt").write_text("notes")
    (folder / ".hidden.avi").write_text("a sidecar file of macOS")
    clips.write_images(folder / "pictures", clips.grey_images(1), "diagram.png")
    (folder / "results").mkdir()
    for name in ("summary.json", "readings.csv", "overlay.mp4"):
        (folder / "results" / name).write_text("{}")
    return folder


def names(found: list[Path | str], root: Path) -> list[str]:
    return [str(item).replace(str(root), "").replace("\\", "/").lstrip("/") for item in found]


EVERYTHING = ["b.dcm", "deep/IM_0001", "deep/er/clip2.MP4", "deep/er/clip10.avi", "frames"]


def test_a_folder_is_searched_for_every_kind_of_recording_and_for_nothing_else(study: Path) -> None:
    assert names(find_recordings([str(study)]), study) == EVERYTHING


def test_every_recording_that_was_found_can_be_read(study: Path) -> None:
    for path in find_recordings([str(study)]):
        with open_source(path, fps=25) as source:
            assert len(list(source)) >= 2


def test_a_recording_that_is_named_twice_is_found_once(study: Path) -> None:
    again = [
        str(study),
        str(study / "b.dcm"),
        str(study / "deep" / ".." / "b.dcm"),
        str(study / "frames"),
        str(study / "**" / "*.avi"),
    ]
    assert names(find_recordings(again), study) == EVERYTHING


def test_a_folder_of_numbered_images_is_one_recording(study: Path) -> None:
    assert find_recordings([str(study / "frames")]) == [study / "frames"]


def test_a_glob_stands_for_its_matches(study: Path) -> None:
    assert names(find_recordings([str(study / "deep" / "er" / "*")]), study) == [
        "deep/er/clip2.MP4",
        "deep/er/clip10.avi",
    ]
    assert names(find_recordings([str(study / "**" / "*.dcm")]), study) == ["b.dcm"]
    assert names(find_recordings([str(study / "*")]), study) == ["DICOMDIR", "b.dcm", *EVERYTHING[1:], "notes.txt"]


def test_what_cannot_be_a_recording_stays_so_that_opening_it_says_why(study: Path) -> None:
    hopeless = [str(study / "missing.avi"), str(study / "*.nothing"), str(study / "pictures"), str(study / "notes.txt")]
    found = find_recordings(hopeless)
    assert sorted(map(str, found)) == sorted(hopeless)
    for path in found:
        with pytest.raises(EchoRtError) as caught, open_source(path, fps=25) as source:
            list(source)
        assert "\n" not in str(caught.value)
        assert "expected" in str(caught.value)
    assert isinstance(caught.value, SourceFormatError | SourceNotFoundError)


def test_addresses_are_passed_on_as_they_are(study: Path) -> None:
    assert find_recordings(["phantom:?ef=55&hr=70", str(study / "b.dcm")]) == [study / "b.dcm", "phantom:?ef=55&hr=70"]


def test_nothing_gives_nothing() -> None:
    assert find_recordings([]) == []


@given(st.lists(st.integers(0, 10**6), min_size=2, unique=True))
def test_numbers_in_names_sort_as_numbers(numbers: list[int]) -> None:
    found = sorted((f"img{number}_x.png" for number in numbers), key=natural_key)
    assert found == [f"img{number}_x.png" for number in sorted(numbers)]


@given(st.text(max_size=20), st.text(max_size=20))
def test_natural_order_tells_different_names_apart(one: str, other: str) -> None:
    assert (natural_key(one) == natural_key(other)) == (one == other)


def test_a_missing_path_is_not_found(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.avi", tmp_path / "*.avi", tmp_path / ("x" * 5000), ""):
        with pytest.raises(SourceNotFoundError, match="found nothing") as caught:
            open_source(path)
        assert isinstance(caught.value, FileNotFoundError)


def test_an_unknown_scheme_is_named_beside_the_known_ones() -> None:
    with pytest.raises(ParameterError, match=r"phantom:.*found gopher:"):
        open_source("gopher://somewhere/clip")


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf")])
def test_fps_must_be_a_positive_number(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ParameterError, match="--fps"):
        open_source(tmp_path, fps)


def test_a_glob_opens_its_only_match_and_refuses_to_choose(study: Path) -> None:
    with open_source(str(study / "*.dcm")) as source:
        assert source.name == "b.dcm"
    with pytest.raises(ParameterError, match="found 2 matches"):
        open_source(str(study / "deep" / "er" / "*"))


def test_the_phantom_is_opened_by_its_own_module_which_is_loaded_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("echo_rt.phantom")
    module.open_phantom = lambda uri: ("phantom", uri)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "echo_rt.phantom", module)
    assert open_source("phantom:?ef=55") == ("phantom", "phantom:?ef=55")
    assert open_source("PHANTOM:") == ("phantom", "PHANTOM:")
    with pytest.raises(ParameterError, match="no --fps"):
        open_source("phantom:", fps=30)


def test_importing_the_sources_imports_no_reader() -> None:
    heavy = ("pydicom", "av", "cv2", "numpy", "PIL", "echo_rt.phantom")
    code = (
        f"import sys, echo_rt.sources as s; s.find_recordings(['.']); print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Fixed(Recording):
    """A recording of images that are given."""

    images: list = []  # noqa: RUF012

    def _open(self, resources: object) -> Iterator:
        resources.callback(self.images.append, "closed")  # type: ignore[attr-defined]
        return iter([(index, index / 10, image) for index, image in enumerate(self.images)])


def test_no_frame_is_given_of_a_recording_that_turns_out_to_be_a_still_image() -> None:
    given_frames: list[Frame] = []
    source = Fixed(Path("a"))
    source.images = [clips.grey_images(1)[0]]
    with pytest.raises(SourceFormatError, match="found 1"), source:
        given_frames.extend(source)
    assert given_frames == []
    assert source.images[-1] == "closed"


def test_a_recording_whose_frames_change_their_size_is_refused() -> None:
    source = Fixed(Path("a"))
    source.images = [*clips.grey_images(2), clips.grey_images(1, 30, 64)[0]]
    with pytest.raises(SourceFormatError, match=r"64x48 grey like the first, found frame 2 of 64x30"), source:
        list(source)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize(
    "name", ["http:study.mp4", "rtsp:x", "phantom:.mp4", ":x:.mp4", "C:a.mp4", "[1].mp4", b"\xff.mp4"]
)
def test_a_file_that_is_named_like_an_address_or_like_nothing_is_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    clips.write_video(tmp_path / "a.mp4", clips.grey_images(3)).rename(os.fsdecode(name))
    (found,) = find_recordings([os.fsdecode(name)])
    assert isinstance(found, Path)
    assert not is_feed(os.fsdecode(name))
    with open_source(os.fsdecode(name)) as source:
        assert len(list(source)) == 3
