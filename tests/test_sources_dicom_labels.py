"""Transfer syntaxes that name another data set than the file has: deflated or not, and which byte comes first."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from support import clips
from support.reading import images_of, refused

IMAGES = clips.grey_images(5)
FIRST = b"\x08\0\x16\0UI"  # the first element of the data set


def label(syntax: UID) -> bytes:
    """The element that names a transfer syntax."""
    text = syntax.encode()
    text += b"\0" * (len(text) % 2)
    return b"\x02\0\x10\0UI" + len(text).to_bytes(2, "little") + text


def relabelled(path: Path, written: UID, named: UID) -> Path:
    clips.write_dicom(path, clips.dicom_dataset(IMAGES), written)
    data = path.read_bytes()
    assert data.count(label(written)) == 1
    path.write_bytes(data.replace(label(written), label(named)))
    return path


@pytest.mark.parametrize("written", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("named", [ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_the_first_element_tells_what_the_label_does_not(tmp_path: Path, written: UID, named: UID) -> None:
    path = relabelled(tmp_path / "a.dcm", written, named)
    if written.is_deflated and named == ExplicitVRBigEndian:
        assert "copy it again" in refused(path) or "the right file" in refused(path)
    else:
        np.testing.assert_array_equal(images_of(path), IMAGES)


@pytest.mark.parametrize("written", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("named", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_implicit_and_explicit_are_told_apart_by_the_element(tmp_path: Path, written: UID, named: UID) -> None:
    np.testing.assert_array_equal(images_of(relabelled(tmp_path / "a.dcm", written, named)), IMAGES)


@pytest.mark.parametrize("named", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_a_deflated_data_set_may_have_the_head_of_a_zlib_stream(tmp_path: Path, named: UID) -> None:
    path = relabelled(tmp_path / "a.dcm", ExplicitVRLittleEndian, named)
    data = path.read_bytes()
    begin = data.index(FIRST)
    path.write_bytes(data[:begin] + zlib.compress(data[begin:]))
    np.testing.assert_array_equal(images_of(path), IMAGES)


def test_a_deflated_data_set_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = clips.cut(relabelled(tmp_path / "a.dcm", DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian), 0.6)
    assert "its deflated data are cut off" in refused(path)
