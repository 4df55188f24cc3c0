"""Runs of `echo-rt archive` over a small study, and what came of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pydicom
from pydicom.encaps import encapsulate, generate_frames

from echo_rt.phantom.dicom_file import write_dicom
from echo_rt.phantom.phantom import open_phantom

CLIP = "seconds=1&fps=25&height=120&width=160&hr=120&ef=50&overlay=0"
TESTS = Path(__file__).resolve().parents[1]
MODEL = ("--device", "cpu", "--model", "lv-phantom", "--jobs", "2")


def table_of(out: Path | str) -> dict[str, dict[str, Any]]:
    """The rows by the recording's file name."""
    import fsspec
    from pyarrow import parquet

    files = fsspec.open_files(f"{out}/table/*.parquet")
    rows = []
    for file in files:
        with file as stream:
            rows += parquet.read_table(stream).to_pylist()
    assert len({row["recording"] for row in rows}) == len(rows), "a recording is twice in the table"
    return {row["recording"].rpartition("/")[2]: row for row in rows}


def documents(out: Path) -> dict[str, float]:
    """When each document was written."""
    return {path.name: path.stat().st_mtime for path in out.glob("recordings/*/*.json")}


def write_study(folder: Path) -> Path:
    """A study as a PACS exports it: two views, a still, a report, a DICOMDIR, and a file that is cut off."""
    folder = folder / "DICOM" / "ST0001"
    folder.mkdir(parents=True)
    for number, view in enumerate(("A4C", "A2C")):
        path = folder / f"IM{number:05}"
        write_dicom(open_phantom(f"phantom:?{CLIP}&named={view}&seed={5 + number}"), path)
        data = pydicom.dcmread(path)
        data.StudyInstanceUID, data.PatientID = "1.2.3.4", "Smith123"
        data.save_as(path, enforce_file_format=True)
    first = next(generate_frames(data.PixelData, number_of_frames=data.NumberOfFrames))
    data.PixelData, data.NumberOfFrames = encapsulate([first]), 1
    data.save_as(folder / "IM00002", enforce_file_format=True)
    data.Modality = "SR"
    del data.PixelData, data.NumberOfFrames, data.Rows
    data.save_as(folder / "IM00003", enforce_file_format=True)
    (folder / "IM00004").write_bytes((folder / "IM00000").read_bytes()[:20000])
    (folder.parent / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(100))
    (folder / "README.TXT").write_text("Viewer: run autorun.exe")
    return folder.parent


def copied(study: Path, folder: Path, names: tuple[str, ...] = ("IM00000", "IM00001", "IM00004")) -> Path:
    """Some recordings of the study, in a folder of their own."""
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes((study / "ST0001" / name).read_bytes())
    return folder


def begin(*arguments: object) -> subprocess.Popen[bytes]:
    """A run with poison in its work, in a process group of its own."""
    code = "import sys; from support.poison import drive; drive(sys.argv[1:])"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.Popen(command, env=environment, start_new_session=True, stdout=-1, stderr=-1)
