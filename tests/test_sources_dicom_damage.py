"""Damaged DICOM files give whole frames or an error of ours, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from echo_rt.errors import SourceFormatError
from echo_rt.sources import open_source
from support import clips
from support.dicom_files import notes_of
from support.reading import read, refused


@pytest.mark.parametrize("syntax", clips.SYNTAXES, ids=lambda uid: uid.keyword)
def test_a_number_of_frames_that_cannot_be_true_is_never_allocated(tmp_path: Path, syntax: UID) -> None:
    ds = clips.dicom_dataset(clips.grey_images(2))
    if syntax.is_compressed and not syntax.is_deflated:
        ds.compress(syntax, generate_instance_uid=False)
    ds.NumberOfFrames = 2**31 - 1
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(
        tmp_path / "a.dcm",
        enforce_file_format=True,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
    )
    if syntax.is_encapsulated:
        assert len(read(tmp_path / "a.dcm")) == 2
        assert notes_of(tmp_path / "a.dcm") == ["the header says 2147483647 frames, the file holds 2"]
    else:
        assert "too short" in refused(tmp_path / "a.dcm")


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_gives_frames_or_an_error_of_ours_and_nothing_else(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ds = clips.dicom_dataset(
        clips.colour_images(3), "RGB", SequenceOfUltrasoundRegions=[clips.ultrasound_region()], ViewName="A4C"
    )
    ds.PatientName = "Doe^Jane"
    whole = clips.write_dicom(tmp_path / "a.dcm", ds, clips.SYNTAXES[seed]).read_bytes()
    read_well, messages = 0, []
    for _ in range(40):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(128, 1000, rng.integers(1, 12))] = rng.integers(0, 256)
        (tmp_path / "a.dcm").write_bytes(data.tobytes())
        try:
            times = [frame.t_s for frame in read(tmp_path / "a.dcm")]
        except SourceFormatError as error:
            messages.append(str(error).removeprefix(str(tmp_path)))
        else:
            assert np.all(np.diff(times) > 0)
            read_well += 1
    assert read_well
    assert messages
    for message in messages:
        assert message.isprintable()
        assert len(message) < 400
        assert "Jane" not in message


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=lambda uid: uid.keyword
)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.97])
def test_a_truncated_dicom_is_refused_after_its_last_whole_frame(tmp_path: Path, syntax: UID, share: float) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 48, 64), np.uint8)
    path = clips.cut(clips.write_dicom(tmp_path / "a.dcm", clips.dicom_dataset(images), syntax), share)
    whole = []
    with (
        open_source(path) as source,
        pytest.raises(SourceFormatError, match=r"expected 12 frames, found \d+.* truncated"),
    ):
        whole.extend(frame.image for frame in source)
    assert len(whole) < 12 * share + 1
    np.testing.assert_array_equal(whole, images[: len(whole)])
