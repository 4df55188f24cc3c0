"""The DICOM segmentation of a cine: it holds what masks.npz holds, frame by frame, and others can read it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.examples import get_path

from echo_rt import process
from echo_rt.errors import OutputError
from echo_rt.outputs.masks import MaskOutput
from echo_rt.outputs.reports import REPORTS, Asked, cine_segmentation
from echo_rt.outputs.reports.cine_segmentation import write_cine_segmentation
from echo_rt.outputs.reports.cine_segmentation_header import BINARY, LABELMAP, SegmentedSource
from echo_rt.outputs.reports.seg import SEGMENTS
from echo_rt.phantom import open_phantom
from echo_rt.phantom.dicom_file import write_dicom
from echo_rt.provenance import FOUND, TURNED, Roi
from echo_rt.result import Provenance
from support.dicom_reports import check_by_dicom_validator, errors_of_dciodvfy
from support.results import provenance, result_of
from support.synthetic import clip

KINDS = ("seg", "labelmap")
SOURCE = SegmentedSource(("1.2.840.10008.5.1.4.1.1.3.1", "1.2.3.4"), "1.2.3")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of the phantom's DICOM and of pydicom's cine."""
    folder = tmp_path_factory.mktemp("segmentations")
    phantom = folder / "clip.dcm"
    write_dicom(open_phantom("phantom:?seed=4&width=161&height=121&fps=25&seconds=2&variety=0&overlay=1"), phantom)
    for name, source in (("phantom", phantom), ("ybr_color", get_path("ybr_color"))):
        process(source, out=folder, name=name, overlay=False, reports=KINDS)
    return {"phantom": folder / "phantom", "ybr_color": folder / "ybr_color"}


def source_of(segmentation: Dataset) -> str:
    return segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID


def by_frame(path: Path) -> dict[int, NDArray[np.uint8]]:
    """Labels by the number of the source's frame, put together with pydicom alone."""
    data = pydicom.dcmread(path)
    pixels = data.pixel_array.reshape(-1, data.Rows, data.Columns)
    assert len(pixels) == data.NumberOfFrames == len(data.PerFrameFunctionalGroupsSequence)
    labels: dict[int, NDArray[np.uint8]] = {}
    for image, groups in zip(pixels, data.PerFrameFunctionalGroupsSequence, strict=True):
        frame, *rest = np.atleast_1d(groups.FrameContentSequence[0].DimensionIndexValues).tolist()
        if groups.DerivationImageSequence:
            (reference,) = groups.DerivationImageSequence[0].SourceImageSequence
            assert (reference.ReferencedFrameNumber, reference.ReferencedSOPInstanceUID) == (frame, source_of(data))
        whole = labels.setdefault(frame, np.zeros_like(image, np.uint8))
        if data.SegmentationType == LABELMAP:
            assert not rest
            whole[:] = image
        else:
            (segment,) = rest
            assert groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber == segment
            assert set(np.unique(image)) <= {0, 1}
            whole[image == 1] = segment
    return labels


def header() -> Dataset:
    data = Dataset()
    data.SOPInstanceUID, data.SeriesInstanceUID, data.StudyInstanceUID = "1.2.5", "1.2.6", "1.2.7"
    return data


def write(path: Path, frames: Any, kind: str = BINARY, source: SegmentedSource = SOURCE) -> Path:
    write_cine_segmentation(path, header(), frames, SEGMENTS, source, "toy 1", kind)
    return path


def drawn(count: int = 9, rows: int = 7, columns: int = 5) -> list[tuple[int, NDArray[np.uint8]]]:
    """Labels whose frames end within a byte."""
    rng = np.random.default_rng(3)
    return [(number, rng.integers(0, 4, (rows, columns), np.uint8)) for number in range(1, count + 1)]


@pytest.mark.parametrize("name", ["phantom", "ybr_color"])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_masks_frame_by_frame(made: dict[str, Path], kind: str, name: str) -> None:
    with np.load(made[name] / "masks.npz") as masks:
        labels, frames = masks["labels"], masks["frame"]
    found = by_frame(made[name] / REPORTS[kind].file)
    summary_roi = pydicom.dcmread(made[name] / REPORTS[kind].file)
    assert (summary_roi.Rows, summary_roi.Columns) == labels.shape[1:]
    for index, expected in zip(frames, labels, strict=True):
        np.testing.assert_array_equal(found.get(index + 1, np.zeros_like(expected)), expected)
    assert labels.any()


@pytest.mark.parametrize("name", ["phantom", "ybr_color"])
@pytest.mark.parametrize("kind", KINDS)
def test_highdicom_reads_it_by_the_frames_of_the_source(made: dict[str, Path], kind: str, name: str) -> None:
    segmentation = highdicom.seg.segread(made[name] / REPORTS[kind].file)
    with np.load(made[name] / "masks.npz") as masks:
        labels = masks["labels"]
    found = segmentation.get_pixels_by_source_frame(
        source_of(segmentation), list(range(1, len(labels) + 1)), combine_segments=True,
        assert_missing_frames_are_empty=True,
    )  # fmt: skip
    np.testing.assert_array_equal(found, labels)
    codes = [segment.segmented_property_type.value for segment in segmentation.SegmentSequence]
    assert codes == ["87878005", "49848007", "82471001"]


@pytest.mark.parametrize("name", ["phantom", "ybr_color"])
def test_dciodvfy_finds_no_error(made: dict[str, Path], name: str) -> None:
    assert errors_of_dciodvfy(made[name] / REPORTS["seg"].file) == []


@pytest.mark.parametrize("name", ["phantom", "ybr_color"])
def test_dicom_validator_finds_no_error(made: dict[str, Path], name: str) -> None:
    check_by_dicom_validator(made[name] / REPORTS["seg"].file)


def test_patient_and_study_are_those_of_the_source_in_a_new_series(made: dict[str, Path]) -> None:
    source = pydicom.dcmread(get_path("ybr_color"), stop_before_pixels=True)
    found = [pydicom.dcmread(made["ybr_color"] / REPORTS[kind].file) for kind in KINDS]
    for data in found:
        assert (data.PatientID, data.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
        assert data.LossyImageCompression == "01", "so were the frames that it was made of"
        assert "For research" in data.SeriesDescription
    uids = [data[word].value for data in found for word in ("SOPInstanceUID", "SeriesInstanceUID")]
    assert len({*uids, source.SOPInstanceUID, source.SeriesInstanceUID}) == 6


@pytest.mark.parametrize("kind", [BINARY, LABELMAP])
def test_frames_may_end_within_a_byte(tmp_path: Path, kind: str) -> None:
    frames = drawn()
    found = by_frame(write(tmp_path / "a.dcm", frames, kind))
    assert found.keys() == {number for number, _ in frames}
    for number, labels in frames:
        np.testing.assert_array_equal(found[number], labels)


@pytest.mark.parametrize("kind", [BINARY, LABELMAP])
def test_what_has_no_pixel_is_left_out(tmp_path: Path, kind: str) -> None:
    empty, ventricle = np.zeros((4, 6), np.uint8), np.ones((4, 6), np.uint8)
    data = pydicom.dcmread(write(tmp_path / "a.dcm", [(2, empty), (5, ventricle), (6, empty)], kind))
    assert data.NumberOfFrames == 1
    assert by_frame(tmp_path / "a.dcm").keys() == {5}
    none = pydicom.dcmread(write(tmp_path / "b.dcm", [(2, empty), (6, empty)], kind))
    assert none.NumberOfFrames == 1, "an image has a frame"
    assert not none.pixel_array.any()


def test_labels_that_no_segment_has_are_background(tmp_path: Path) -> None:
    labels = np.array([[1, 9, 3]], np.uint8)
    np.testing.assert_array_equal(by_frame(write(tmp_path / "a.dcm", [(1, labels)]))[1], [[1, 0, 3]])


def both(folder: Path, told: Provenance, recording: Path | None) -> tuple[NDArray[np.uint8], Path]:
    """The masks and the segmentation of a made clip."""
    frames = list(clip(12))
    result = result_of(frames, source=told)
    seg = REPORTS["seg"].open(Asked(folder / "seg.dcm", "clip", None if recording is None else str(recording)))
    with MaskOutput(folder / "masks.npz") as masks, seg:
        for output in (masks, seg):
            for frame, reading in frames:
                output.write(frame, reading)
            output.finish(result)
    with np.load(folder / "masks.npz") as found:
        return found["labels"], folder / "seg.dcm"


def screen(folder: Path, rows: int, columns: int) -> Path:
    """A DICOM header of frames of that size."""
    data = pydicom.dcmread(get_path("ybr_color"), stop_before_pixels=True)
    data.Rows, data.Columns = rows, columns
    data.save_as(folder / "screen.dcm")
    return folder / "screen.dcm"


@pytest.mark.parametrize("turned", [False, True])
def test_what_was_cut_out_or_turned_is_put_back_in_its_place(tmp_path: Path, turned: bool) -> None:
    told = provenance(roi=Roi(33, 21, 160, 120, FOUND))
    told = replace(told, orientation=TURNED) if turned else told
    labels, path = both(tmp_path, told, screen(tmp_path, 200, 300))
    for number, whole in by_frame(path).items():
        part = whole[21:141, 33:193]
        np.testing.assert_array_equal(part, labels[number - 1][::-1] if turned else labels[number - 1])
        assert whole.shape == (200, 300)
        assert np.count_nonzero(whole) == np.count_nonzero(part) > 0


def preserved(path: Path) -> set[str]:
    groups = pydicom.dcmread(path).PerFrameFunctionalGroupsSequence
    return {one.DerivationImageSequence[0].SourceImageSequence[0].SpatialLocationsPreserved for one in groups}


def test_frames_of_another_size_than_the_header_says_are_not_said_to_lie_alike(tmp_path: Path) -> None:
    for folder in ("same", "other"):
        (tmp_path / folder).mkdir()
    _, same = both(tmp_path / "same", provenance(), screen(tmp_path / "same", 120, 160))
    labels, other = both(tmp_path / "other", provenance(), screen(tmp_path / "other", 200, 300))
    assert (preserved(same), preserved(other)) == ({"YES"}, {"NO"})
    np.testing.assert_array_equal(by_frame(other)[1], labels[0])


def test_what_is_no_dicom_refers_to_nothing(tmp_path: Path) -> None:
    labels, path = both(tmp_path, provenance(), None)
    data = pydicom.dcmread(path)
    assert "ReferencedSeriesSequence" not in data
    assert data.LossyImageCompression == "00", "nothing says otherwise"
    assert data.StudyInstanceUID.startswith("2.25.")
    assert not data.PatientName
    np.testing.assert_array_equal(by_frame(path)[12], labels[11])
    assert errors_of_dciodvfy(path) == []


def test_frames_of_two_sizes_are_refused(tmp_path: Path) -> None:
    with REPORTS["seg"].open(Asked(tmp_path / "a.dcm", "clip", None)) as output:
        output.write(*next(clip(1)))
        with pytest.raises(OutputError, match="expected frames of one size"):
            output.write(*next(clip(1, image=(60, 80))))


def test_more_than_dicom_can_hold_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cine_segmentation, "LONGEST", 40)
    with pytest.raises(
        OutputError, match="expected at most 4 GB of segmentation, found more; ask for --report labelmap"
    ):
        write(tmp_path / "a.dcm", drawn())
    write(tmp_path / "b.dcm", drawn(), LABELMAP)


@pytest.mark.parametrize("kind", [BINARY, LABELMAP])
def test_the_memory_is_that_of_some_frames_however_many_there_are(tmp_path: Path, kind: str) -> None:
    image = np.zeros((200, 200), np.uint8)
    image[50:150, 50:150] = 1

    def frames(count: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        return ((number, image) for number in range(1, count + 1))

    def peak(count: int) -> int:
        tracemalloc.start()
        write(tmp_path / "a.dcm", frames(count), kind)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(2)  # what is loaded at first use
    few, many = peak(5), peak(100)
    assert many < few + image.nbytes, "100 frames need hardly more than 5"


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="choose a folder that can be written to"):
        REPORTS["seg"].open(Asked(tmp_path / "missing" / "a.dcm", "clip", None))
