"""Which fragments of a pixel sequence are a frame, and how many frames there are, whatever the header says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from echo_rt.errors import SourceFormatError
from echo_rt.sources import open_source
from support import clips
from support.dicom_files import ITEM, compressed, heart_images, jpegs, notes_of, offsets, sequence
from support.reading import images_of, read, refused

IMAGES = np.ascontiguousarray(heart_images()[:9, ::2, ::2])
FRAMES = jpegs(IMAGES)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """(9, H, W): the JPEGs decoded."""
    return images_of(compressed(tmp_path_factory.mktemp("whole") / "a.dcm", IMAGES, FRAMES))


def split(frame: bytes, parts: int) -> list[bytes]:
    """A frame in fragments of even length."""
    size = -(-len(frame) // parts // 2) * 2 if parts > 1 else len(frame)
    return [frame[at : at + size] for at in range(0, len(frame), size)]


def in_fragments(frames: list[bytes], parts: list[int]) -> tuple[list[bytes], list[int]]:
    """All fragments, and the offset of the first of each frame."""
    pieces = [split(frame, count) for frame, count in zip(frames, parts, strict=True)]
    every = [piece for frame in pieces for piece in frame]
    starts = np.cumsum([0, *map(len, pieces)])[:-1]
    return every, [offsets(every)[start] for start in starts]


@pytest.mark.parametrize("claimed", ["11", "9", "4", "2", "1", "0", None, "2147483647"])
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("table", [True, False])
def test_the_frames_are_counted(
    tmp_path: Path, expected: np.ndarray, claimed: str | None, parts: int, table: bool
) -> None:
    fragments, starts = in_fragments(FRAMES, [parts] * 9)
    data = sequence(fragments, starts if table else [])
    path = compressed(tmp_path / "a.dcm", IMAGES, data, NumberOfFrames=claimed)
    np.testing.assert_array_equal(images_of(path), expected)
    with open_source(path) as source:
        assert source.frames == 9
        said = {"0": "no number of frames", None: "no number of frames", "1": "1 frame"}.get(
            claimed, f"{claimed} frames"
        )
        assert source.notes == ([] if claimed == "9" else [f"the header says {said}, the file holds 9"])


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("claimed", [None, "5", "40"])
def test_frames_of_every_coding_are_counted(tmp_path: Path, syntax: Any, claimed: str | None) -> None:
    ds = clips.dicom_dataset(IMAGES)
    ds.compress(syntax, generate_instance_uid=False)
    ds.NumberOfFrames = claimed
    ds.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(images_of(tmp_path / "a.dcm"), IMAGES)


STARTS = offsets(FRAMES)


@pytest.mark.parametrize(
    "table",
    [
        [start + 8 for start in STARTS], [*STARTS, STARTS[-1] + 99], [0] * 9, STARTS[::-1], STARTS[:5],
        [7 * n for n in range(9)], [0], [2**32 - 1] * 9, [*STARTS, 2**31],
    ],
)  # fmt: skip
@pytest.mark.parametrize("claimed", ["9", None])
def test_an_offset_table_that_is_wrong_is_not_used(
    tmp_path: Path, expected: np.ndarray, table: list[int], claimed: str | None
) -> None:
    path = compressed(tmp_path / "a.dcm", IMAGES, sequence(FRAMES, table), NumberOfFrames=claimed)
    np.testing.assert_array_equal(images_of(path), expected)
    fits = set(table) < set(STARTS) and sorted(set(table)) == table
    assert [note for note in notes_of(path) if "offset table" in note] == (
        [] if fits else ["the offset table does not fit the frames and is not used"]
    )


@pytest.mark.parametrize("shift", [0, 8, 1000])
def test_an_extended_offset_table_is_held_against_the_items_too(
    tmp_path: Path, expected: np.ndarray, shift: int
) -> None:
    table, lengths = (
        np.array(values, "<u8").tobytes()
        for values in ([start + shift for start in STARTS], [len(frame) for frame in FRAMES])
    )
    path = compressed(
        tmp_path / "a.dcm", IMAGES, sequence(FRAMES), ExtendedOffsetTable=table, ExtendedOffsetTableLengths=lengths
    )
    np.testing.assert_array_equal(images_of(path), expected)
    assert len(notes_of(path)) == bool(shift)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=9, max_size=9), st.integers(0, 30), st.sampled_from(["none", "right", "off"])
)
def test_frames_in_any_number_of_fragments_are_put_together(
    tmp_path_factory: pytest.TempPathFactory, expected: np.ndarray, parts: list[int], claimed: int, table: str
) -> None:
    fragments, starts = in_fragments(FRAMES, parts)
    starts = {"none": [], "right": starts, "off": [start + 8 for start in starts]}[table]
    path = tmp_path_factory.mktemp("parts") / "a.dcm"
    compressed(path, IMAGES, sequence(fragments, starts), NumberOfFrames=str(claimed))
    np.testing.assert_array_equal(images_of(path), expected)


BROKEN = {
    "zeros": bytes(400), "half": FRAMES[4][: len(FRAMES[4]) // 2], "half and zeros": FRAMES[4][:700] + bytes(900),
    "empty": b"", "another size": jpegs(IMAGES[:1, :16])[0], "text": b"not a picture at all" * 20,
}  # fmt: skip


# An empty item at the end is no frame that anybody has promised.
PLACES = {(what, place, "9") for what in BROKEN for place in (0, 4, 8)}
PLACES |= {(what, place, "1") for what, place, _ in PLACES} - {("empty", 8, "1")}


@pytest.mark.parametrize(("what", "place", "claimed"), sorted(PLACES))
def test_a_frame_that_cannot_be_decoded_is_skipped_and_counted(
    tmp_path: Path, expected: np.ndarray, what: str, place: int, claimed: str
) -> None:
    frames = list(FRAMES)
    frames[place] = BROKEN[what]
    path = compressed(tmp_path / "a.dcm", IMAGES, sequence(frames), NumberOfFrames=claimed)
    kept = [index for index in range(9) if index != place]
    with open_source(path) as source:
        found = list(source)
        assert [frame.index for frame in found] == kept
        assert [frame.t_s for frame in found] == pytest.approx([0.04 * index for index in kept])
        np.testing.assert_array_equal([frame.image for frame in found], expected[kept])
        assert (source.frames, getattr(source, "skipped", 0)) == (9, 1)
        assert "1 of 9 frames cannot be decoded and are left out" in source.notes


@pytest.mark.parametrize("claimed", ["9", "5", None])
def test_an_empty_fragment_after_each_is_no_frame(tmp_path: Path, expected: np.ndarray, claimed: str | None) -> None:
    fragments = [part for frame in FRAMES for part in (frame, b"")]
    path = compressed(tmp_path / "a.dcm", IMAGES, sequence(fragments), NumberOfFrames=claimed)
    np.testing.assert_array_equal(images_of(path), expected)
    assert [frame.t_s for frame in read(path)] == pytest.approx([0.04 * index for index in range(9)])


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("table", [True, False])
def test_rle_in_several_fragments_a_frame_is_put_together(tmp_path: Path, parts: int, table: bool) -> None:
    ds = clips.dicom_dataset(IMAGES)
    ds.compress(RLELossless, generate_instance_uid=False)
    frames = list(generate_frames(ds.PixelData, number_of_frames=9))
    fragments, starts = in_fragments(frames, [parts] * 9)
    data = sequence(fragments, starts if table else [])
    path = compressed(tmp_path / "a.dcm", IMAGES, data, RLELossless)
    np.testing.assert_array_equal(images_of(path), IMAGES)


@pytest.mark.parametrize(("broken", "refuses"), [(4, False), (5, True)])
def test_a_recording_is_refused_once_most_of_it_is_damaged(tmp_path: Path, broken: int, refuses: bool) -> None:
    frames = [bytes(300) if index < broken else frame for index, frame in enumerate(FRAMES)]
    path = compressed(tmp_path / "a.dcm", IMAGES, sequence(frames))
    if refuses:
        assert "expected 9 frames, found 5 that cannot be decoded (" in refused(path)
    else:
        assert len(read(path)) == 5


@pytest.mark.parametrize("claimed", ["9", "1", None])
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.99])
def test_a_sequence_that_is_cut_gives_its_whole_frames_and_is_refused(
    tmp_path: Path, expected: np.ndarray, claimed: str | None, parts: int, share: float
) -> None:
    data = sequence(in_fragments(FRAMES, [parts] * 9)[0])
    path = compressed(tmp_path / "a.dcm", IMAGES, data, NumberOfFrames=claimed)
    whole = path.read_bytes()
    begin = whole.index(ITEM)
    path.write_bytes(whole[: begin + int(len(data) * share)])
    found = []
    with open_source(path) as source, pytest.raises(SourceFormatError, match="the file is truncated, copy it again"):
        found.extend(frame.image for frame in source)
    assert 9 * share - 2 < len(found) < 9
    np.testing.assert_array_equal(found, expected[: len(found)])


def test_a_sequence_without_its_end_is_whole_if_the_header_agrees(tmp_path: Path, expected: np.ndarray) -> None:
    data = sequence(FRAMES, delimiter=False)
    for claimed, note in (("9", []), (None, ["the end of the pixel data is not marked; frames could be missing"])):
        path = compressed(tmp_path / "a.dcm", IMAGES, data, NumberOfFrames=claimed)
        path.write_bytes(path.read_bytes()[:-8])  # the writer's own delimiter
        np.testing.assert_array_equal(images_of(path), expected)
        assert notes_of(path)[: len(note)] == note
    path = compressed(tmp_path / "a.dcm", IMAGES, data, NumberOfFrames="11")
    path.write_bytes(path.read_bytes()[:-8])
    assert "expected 11 frames, found 9; the file is truncated" in refused(path)


def test_encoders_that_leave_out_the_end_marker_are_read(tmp_path: Path, expected: np.ndarray) -> None:
    path = compressed(tmp_path / "a.dcm", IMAGES, sequence([frame[:-2] for frame in FRAMES]), NumberOfFrames="9")
    np.testing.assert_array_equal(images_of(path), expected)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.keyword)
def test_a_missing_end_marker_is_put_before_what_made_the_length_even(tmp_path: Path, syntax: Any) -> None:
    ds = clips.dicom_dataset(IMAGES)
    ds.compress(syntax, generate_instance_uid=False)
    frames = [frame[: frame.rindex(b"\xff\xd9")] for frame in generate_frames(ds.PixelData, number_of_frames=9)]
    assert {len(frame) % 2 for frame in frames} == {0, 1}
    path = compressed(tmp_path / "a.dcm", IMAGES, sequence(frames), syntax, NumberOfFrames="9")
    np.testing.assert_array_equal(images_of(path), IMAGES)
