"""From what a user named to the recordings of an archive, here and on a server."""

from __future__ import annotations

import os
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.fileset import FileSet
from pydicom.uid import generate_uid

from echo_rt.archive.listing import Listed, listed
from echo_rt.archive.places import open_place
from echo_rt.errors import ParameterError, SourceError, SourceNotFoundError
from echo_rt.sources import find_recordings
from echo_rt.sources.known import ARCHIVE
from support import clips
from support.s3_server import files, s3_server

fsspec = pytest.importorskip("fsspec", reason="needs the archive extra")
from support.made_up_stores import MadeUp, MadeUpPages  # noqa: E402


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies in archives: every kind of recording, and what is none."""
    pytest.importorskip("nibabel", reason="needs the volumes extra")
    from support import volumes

    root = tmp_path_factory.mktemp("archive") / "data"
    for folder in ("deep/er", "volumes", "take", "results/clip", "old/files/ab", ".hidden"):
        (root / folder).mkdir(parents=True)
    patient = {"PatientID": "1", "PatientName": "A", "StudyDate": "20260101", "StudyTime": "120000", "StudyID": "1"}
    study = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), "Modality": "US"}
    clip = clips.dicom_dataset(clips.grey_images(2), **patient, **study, SeriesNumber=1, InstanceNumber=1)
    for name in ("b.dcm", "deep/IM_0001", "deep/er/1.2.840.10008", ".hidden/c.dcm", "deep/notes.txt.dcm"):
        clips.write_dicom(root / name, clip)
    disk = FileSet()
    with disk._stage["t"]:  # else it warns when it is collected
        disk.add(dcmread(root / "b.dcm"))
        disk.write(root / "disk")
    disk._stage["t"].cleanup()  # writing begins another one
    clips.write_video(root / "deep" / "clip10.avi", clips.grey_images(2), codec="mjpeg", pix_fmt="yuvj420p")
    clips.write_images(root / "frames", clips.grey_images(3))
    clips.write_images(root / "pictures", clips.grey_images(1), "diagram.png")
    clips.write_images(root / "both", clips.grey_images(3))
    (root / "both" / "notes.txt").write_text("these are frames with a note")
    volumes.nifti(root / "volumes" / "patient0001_4CH_half_sequence.nii.gz", volumes.along_x(clips.grey_images(12)))
    volumes.nifti(root / "volumes" / "patient0001_4CH_half_sequence_gt.nii.gz", volumes.along_x(clips.grey_images(12)))
    volumes.nifti(root / "volumes" / "patient0001_4CH_ED.nii.gz", clips.grey_images(1)[0])
    volumes.metaimage(root / "volumes" / "sweep.mhd", data="sweep.raw")
    for name in ("recording.json", "frames.mkv", "readings.jsonl"):
        (root / "take" / name).write_text("{}")
    for name in ("summary.json", "readings.csv", "overlay.mp4"):
        (root / "results" / "clip" / name).write_text("{}")
    for name in (ARCHIVE, "files/ab/overlay.mp4"):
        (root / "old" / name).write_text("{}")
    for name in ("notes.txt", ".clip.avi", "Thumbs.db", "empty", "short"):
        (root / name).write_text("" if name == "empty" else "notes")
    (root / "a[1].dcm").write_bytes((root / "b.dcm").read_bytes())
    return root


@pytest.fixture(scope="module")
def bucket(tree: Path) -> Iterator[str]:
    """The same tree on a server."""
    with s3_server() as address:
        store = files()
        for path in tree.rglob("*"):
            if path.is_file():
                store.pipe_file(f"{address}/data/{path.relative_to(tree).as_posix()}", path.read_bytes())
        store.pipe_file(f"{address}/data/", b"")  # what a console makes of a folder
        store.pipe_file(f"{address}/data/deep/", b"")
        yield f"{address}/data"


EVERYTHING = [
    "a[1].dcm", "b.dcm", "deep/IM_0001", "deep/clip10.avi", "deep/er/1.2.840.10008", "deep/notes.txt.dcm", "frames",
    "take", "volumes/patient0001_4CH_half_sequence.nii.gz", "volumes/sweep.mhd",
]  # fmt: skip


def names(found: Iterator[Listed], root: str | Path) -> list[str]:
    return [entry.address.removeprefix(f"{root}").lstrip("/") for entry in found]


def in_disk(name: str) -> bool:
    return name.startswith("disk/") and not name.endswith("DICOMDIR")


def test_a_folder_holds_the_same_recordings_here_and_on_a_server_and_for_echo_rt_file(tree: Path, bucket: str) -> None:
    here, there = names(listed([str(tree)]), tree), names(listed([bucket]), bucket)
    assert here == there
    assert [name for name in here if not in_disk(name)] == EVERYTHING
    assert sum(map(in_disk, here)) == 1
    assert {str(tree / name) for name in here} == {str(path) for path in find_recordings([tree])}


def test_how_much_of_a_folder_is_looked_at_at_once_changes_nothing(
    tree: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = {root: list(listed([root])) for root in (str(tree), bucket)}
    store, asked = files(), []

    def in_small_pages(method: str, **kwargs: Any) -> Any:
        asked.append(method)
        return type(store).call_s3(store, method, **kwargs, MaxKeys=2)

    monkeypatch.setattr(store, "call_s3", in_small_pages)
    monkeypatch.setattr("echo_rt.sources.trees.HELD", 1)
    monkeypatch.setattr("echo_rt.sources.trees.TOGETHER", 2)
    for root, found in expected.items():
        assert list(listed([root])) == found
    assert len(asked) > 20


@pytest.mark.parametrize(
    "glob",
    ["*", "*.dcm", "deep/*", "deep/*/*", "**/*.avi", "**/IM_*", "de*/**/1.2*", "*/frame*", "**", "deep/**", "[ab]*.dcm",
     "*/../b.dcm", ".*/*.dcm", "*/none", "none*/x", "?ictures", "results/*/*.mp4", "a[1].dcm", "frames/*1.png"],
)  # fmt: skip
def test_a_glob_stands_for_the_same_here_and_on_a_server_and_for_echo_rt_file(
    tree: Path, bucket: str, glob: str
) -> None:
    here = set(names(listed([f"{tree}/{glob}"]), tree))
    by_file = {os.path.relpath(path, tree) for path in find_recordings([f"{tree}/{glob}"])}
    # A DICOMDIR stands for its folder in an archive; `echo-rt file` gives it, and says what it is.
    assert here == {name for name in map(os.path.normpath, by_file) if not name.endswith("DICOMDIR")}
    if ".." not in glob:  # an object's name has no way up
        assert set(names(listed([f"{bucket}/{glob}"]), bucket)) == here


def test_sizes_and_versions_tell_one_content_from_another(tree: Path, bucket: str, tmp_path: Path) -> None:
    first, *_ = listed([f"{tree}/b.dcm"])
    assert first.size == (tree / "b.dcm").stat().st_size
    for root in (str(tree), bucket):
        assert list(listed([f"{root}/frames"])) == [entry for entry in listed([root]) if entry.address.endswith("mes")]
        assert all(entry.version and entry.size for entry in listed([root]))
    clips.write_images(tmp_path / "frames", clips.grey_images(3))
    (before,) = listed([str(tmp_path / "frames")])
    os.utime(tmp_path / "frames" / "frame2.png", (1, 1))
    (after,) = listed([str(tmp_path / "frames")])
    assert (before.address, before.size) == (after.address, after.size)
    assert before.version != after.version
    store = files()
    changing = bucket.removesuffix("/data") + "/changing/a.dcm"
    versions = set()
    for content in (b"one", b"two", b"one"):
        store.pipe_file(changing, content)
        versions |= set(listed([changing]))
    assert {entry.size for entry in versions} == {3}
    assert len(versions) == 2


def test_a_dicomdir_stands_for_the_folder_it_lies_in(tree: Path, bucket: str) -> None:
    for root in (str(tree), bucket):
        (one,) = listed([f"{root}/disk/DICOMDIR"])
        assert in_disk(one.address.removeprefix(f"{root}/"))


def test_a_list_names_sources_one_a_line(
    tree: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["# a comment", "", f"  {tree}/frames  ", f"{bucket}/b.dcm", f"{bucket}/missing.dcm", f"{bucket}/take",
             f"{tree}/deep/*.avi", "phantom:?ef=55", "relative.dcm"]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("some.list").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    found = list(listed(["@some.list"]))
    assert [entry.address for entry in found] == [
        f"{tree}/frames", f"{bucket}/b.dcm", f"{bucket}/missing.dcm", f"{bucket}/take", f"{tree}/deep/clip10.avi",
        "phantom:?ef=55", str(tmp_path / "relative.dcm"),
    ]  # fmt: skip
    assert [bool(entry.version) for entry in found] == [True, True, False, True, True, True, False]
    files().pipe_file(f"{bucket}/some.list", Path("some.list").read_bytes())
    assert list(listed([f"@{bucket}/some.list"])) == found
    for wrong in ("@some.list", "gopher://x/y", "rtsp://camera/1", "s3://key:secret@bucket/x"):
        Path("wrong.list").write_text(f"# first\n{wrong}\n")
        with pytest.raises(ParameterError, match=r"^@wrong.list, line 2: "):
            list(listed(["@wrong.list"]))
    with pytest.raises(SourceNotFoundError, match=r"found no file none\.list"):
        listed(["@none.list"])


def test_what_is_missing_or_holds_nothing_is_given_so_that_it_gets_its_own_error(tree: Path, bucket: str) -> None:
    for root in (str(tree), bucket):
        hopeless = [f"{root}/{name}" for name in ("missing.avi", "*.nothing", "pictures", "notes.txt", "none/of/it")]
        assert [entry.address for entry in listed(hopeless)] == hopeless
        assert [bool(entry.version) for entry in listed(hopeless)] == [False, False, True, True, False]


def test_what_cannot_be_an_archive_is_refused_before_anything_is_listed(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong, why in {
        "rtsp://camera/1": "found a live feed", "": "an empty name", "file://": "an empty name",
        "0": "found a live feed", "s3://*/x": "name the bucket", "https://host/a.dcm": "found a live feed",
        "gopher://x/y": "s3://", "s3://": "found none", "s3://key:secret@bucket/x": "found a password or key in it",
        "s3://bucket/x?X-Amz-Signature=secret": "found a password or key in it",
    }.items():  # fmt: skip
        with pytest.raises(ParameterError, match=why) as caught:
            listed([str(tree), wrong])
        assert "secret" not in str(caught.value).replace("without a secret", "")
        assert "\n" not in str(caught.value)

    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ParameterError, match="run  pip install gcsfs"):
        listed(["gs://bucket/x"])


def test_the_folder_of_the_results_is_left_out_of_the_archive_around_it(tree: Path, bucket: str) -> None:
    for root in (str(tree), bucket):
        place = open_place(f"{root}/deep")
        left = [name for name in EVERYTHING if not name.startswith("deep/")]
        assert [name for name in names(listed([root], place), root) if not in_disk(name)] == left
        assert not [name for name in names(listed([f"{root}/**"], place), root) if name.startswith("deep/")]
        for source in (f"{root}/deep", f"{root}/deep/er/", f"{root}/deep/IM_0001"):
            with pytest.raises(ParameterError, match="choose another folder for the results"):
                listed([source], place)
    place = open_place(tree)
    assert names(listed([bucket], place), bucket) == names(listed([bucket]), bucket)


def test_a_link_leads_to_the_same_recording_and_never_round_in_a_circle(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(tree)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "round").symlink_to(tmp_path)
    (inside / "b.dcm").symlink_to(tree / "b.dcm")
    (inside / "gone.dcm").symlink_to(tmp_path / "gone.dcm")
    assert list(listed([str(tmp_path / "linked")])) == list(listed([str(tree)]))
    assert list(listed([str(tmp_path / "l*/b.dcm")])) == list(listed([str(tree / "b.dcm")]))
    assert [entry.address for entry in listed([str(inside)])] == [f"{tree}/b.dcm", f"{tmp_path}/gone.dcm"]


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> type[MadeUp]:
    fsspec.register_implementation("madeup", MadeUp, clobber=True)
    fsspec.register_implementation("madeuppages", MadeUpPages, clobber=True)
    monkeypatch.setattr(MadeUp, "clips", 0)
    monkeypatch.setattr(MadeUp, "refused", None)
    return MadeUp


def peak_of_listing(source: str) -> tuple[int, int]:
    """How many are listed, and the most memory that this takes."""
    tracemalloc.start()
    try:
        return sum(1 for _ in listed([source])), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("source", ["madeup://archive", "madeuppages://archive"])
def test_a_hundred_times_as_many_recordings_take_no_more_memory(made_up: type[MadeUp], source: str) -> None:
    list(listed([source]))
    made_up.clips = 1_000
    few, small = peak_of_listing(source)
    made_up.clips = 100_000
    many, large = peak_of_listing(source)
    assert (few, many) == (1_000, 100_000)
    # What is held of the level above: the names of 1,000 folders. Of a bucket: one page.
    assert large < small + 2**20


def test_a_store_that_fails_ends_the_listing_and_one_that_refuses_a_folder_gives_it(made_up: type[MadeUp]) -> None:
    made_up.refused = TimeoutError
    with pytest.raises(SourceError, match="run the same command again"):
        list(listed(["madeup://archive"]))
    made_up.refused = PermissionError
    assert [entry.address for entry in listed(["madeup://archive"])] == ["madeup://archive"]
