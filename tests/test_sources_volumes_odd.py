"""Files in NIfTI, MetaImage and NRRD that are damaged, huge, no sequences or not wanted."""

from __future__ import annotations

import gzip
import math
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from echo_rt.errors import MissingExtraError, SourceFormatError
from echo_rt.sources import find_recordings
from support.reading import read, refused
from support.volumes import COLOUR, IMAGES, WRITTEN, along_x, metaimage, nifti, nrrd_file


def header_of(path: Path, **changes: tuple[str, str]) -> Path:
    text = path.read_bytes()
    for old, new in changes.values():
        assert old.encode() in text
        text = text.replace(old.encode(), new.encode(), 1)
    path.write_bytes(text)
    return path


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("share", [0.35, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str, share: float) -> None:
    path = WRITTEN[form](tmp_path)
    data = next((found for end in ("raw", "zraw") if (found := path.with_suffix(f".{end}")).is_file()), path)
    whole = data.read_bytes()
    start = whole.index(b"LOCAL\n") + 6 if b"LOCAL\n" in whole else 0
    data.write_bytes(whole[: start + int((len(whole) - start) * share)])
    with pytest.raises(SourceFormatError, match=r"expected .*, found .*; .*copy it again") as caught:
        read(path, fps=40)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("write", "found"),
    [
        (lambda to: metaimage(to / "a.mha", dims="64 48 6 2"), "4 axes of 64 x 48 x 6 x 2; give one slice"),
        (lambda to: nifti(to / "a.nii", along_x(IMAGES)[..., None].repeat(4, 3)), "4 axes of 64 x 48 x 12 x 4"),
        (lambda to: metaimage(to / "a.mha", dims="64 48 1"), "at least 2 frames, found 1"),
        (lambda to: metaimage(to / "a.mha", dims="0 0 12"), "a header without any"),
        (lambda to: metaimage(to / "a.mha", dims="64000 48000 12"), "pixels a frame"),
        (lambda to: metaimage(to / "a.mha", IMAGES // 80), "the labels 0 to 2 of a mask"),
        (lambda to: metaimage(to / "a.mha", IMAGES * 0), "one level alone"),
        (lambda to: metaimage(to / "a.mha", more="UltrasoundImageType = RF_REAL\n"), "the echoes themselves"),
        (lambda to: metaimage(to / "a.mha", more="UltrasoundImageOrientation = FM\n"), "a scan line in each row"),
        (lambda to: metaimage(to / "a.mhd", more="X = 1\n", data="../a.raw"), "none; copy it there"),
        (lambda to: header_of(metaimage(to / "a.mha"), kind=("MET_UCHAR", "MET_STRING")), "MET_STRING"),
        (lambda to: header_of(metaimage(to / "a.mha"), size=("DimSize = 64", "DimSize = many")), "something else"),
        (lambda to: nifti(to / "a.nii", along_x(IMAGES) * (1 + 1j)), "complex ones"),
        (lambda to: header_of(nrrd_file(to / "a.nrrd", along_x(IMAGES)), sizes=("sizes: 64", "sizes: 6x")), "damaged"),
    ],
)
def test_what_is_no_sequence_of_pictures_is_named_in_a_line(
    tmp_path: Path, write: Callable[[Path], Path], found: str
) -> None:
    (tmp_path / "sub").mkdir()
    path = write(tmp_path / "sub")
    if path.name == "a.mhd":  # what lies outside of its folder is not read
        assert (tmp_path / "a.raw").is_file()
    assert found in refused(path, fps=40)


def test_nothing_that_a_header_asks_for_is_allocated_before_it_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECHO_RT_MAX_FRAME_PIXELS", "1000")
    for form in WRITTEN.values():
        assert "pixels a frame" in refused(form(tmp_path))


def test_a_folder_is_searched_for_sequences_but_not_for_masks_and_single_images(tmp_path: Path) -> None:
    for name in ("b.nii.gz", "b_gt.nii.gz"):
        nifti(tmp_path / name, along_x(IMAGES))
    nifti(tmp_path / "b_ED.nii.gz", along_x(IMAGES[:1]))
    metaimage(tmp_path / "c.mhd", data="c.raw")
    metaimage(tmp_path / "d.MHA")
    metaimage(tmp_path / "e.mha", COLOUR[:1])
    nrrd_file(tmp_path / "f.seq.nrrd", IMAGES.transpose(0, 2, 1), kinds=["list", "domain", "domain"])
    nrrd_file(tmp_path / "f.seg.nrrd", along_x(IMAGES))
    (tmp_path / "g.nii").write_bytes(b"")
    found = [Path(path).name for path in find_recordings([str(tmp_path)])]
    assert found == ["b.nii.gz", "c.mhd", "d.MHA", "f.seq.nrrd", "g.nii"]


@pytest.mark.parametrize(("write", "kind"), [("NIfTI, seconds", "a NIfTI image"), ("Slicer", "an NRRD image")])
def test_without_the_library_a_line_names_the_kind_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str, kind: str
) -> None:
    path = WRITTEN[write](tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] in ("nibabel", "nrrd")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("nibabel", "nrrd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"{kind} .*pip install 'echo-rt\[volumes\]'"):
        read(path)
    assert len(read(WRITTEN["PLUS, compressed"](tmp_path))) == 12, "needs none"


def test_a_damaged_header_prints_nothing(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", along_x(IMAGES))
    data = bytearray(path.read_bytes())
    data[80:92] = bytes(12)  # pixels of no size, which nibabel mends and says so
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(data))
    code = (
        "from echo_rt.sources import open_source\n"
        f"with open_source({str(tmp_path / 'a.nii.gz')!r}, 40) as source: assert len(list(source)) == 12\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_samples_scaled_by_no_number_are_refused_by_their_header(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", along_x(IMAGES))
    data = bytearray(path.read_bytes())
    data[112:120] = struct.pack("<ff", 1.0, math.nan)  # scl_slope and scl_inter
    path.write_bytes(data)
    assert "a NIfTI header, found a damaged one" in refused(path, fps=40)


@pytest.mark.parametrize("sound", [6000, 30000])
def test_a_packed_file_that_is_damaged_behind_its_header_is_refused(tmp_path: Path, sound: int) -> None:
    path = nifti(tmp_path / "a.nii", along_x(IMAGES))
    packer = zlib.compressobj(0, wbits=31)
    packed = packer.compress(path.read_bytes()[:sound]) + packer.flush(zlib.Z_FULL_FLUSH)
    (tmp_path / "a.nii.gz").write_bytes(packed + b"\x07" * 100)  # a block of a kind that there is not
    assert "copy it again" in refused(tmp_path / "a.nii.gz", fps=40)
