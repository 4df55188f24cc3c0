"""The folders of results: of every recording its own, under a name that every file system takes."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echo_rt.errors import OutputError
from echo_rt.outputs import RecordingFiles
from echo_rt.outputs.folder import AT_WORK
from echo_rt.outputs.names import MAX_BYTES, Names, folder_name, key, names_of
from echo_rt.outputs.owner import owner_of
from support.results import provenance, result_of

FORBIDDEN = set('/\\:*?"<>|\0')
"""Signs that some file system refuses in a name."""


def results(out: Path, name: str, recording: str | Path) -> Path:
    """A folder with a summary of that recording."""
    folder = out / name
    folder.mkdir(parents=True)
    summary = {"recording": str(recording), "recording_id": provenance_of(recording).recording_id}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def provenance_of(recording: str | Path):
    from echo_rt.provenance import Provenance

    return Provenance(str(recording), "toy 1", "toy engine", "0.1")


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=0, max_size=300))
def test_every_text_gives_a_name_that_every_file_system_takes(text: str) -> None:
    name = folder_name(text)
    assert 0 < len(name.encode()) <= MAX_BYTES
    assert not FORBIDDEN & set(name)
    assert all(sign.isprintable() for sign in name)
    assert name == unicodedata.normalize("NFC", name)
    assert name[0] not in ". "
    assert name[-1] not in ". "
    assert folder_name(name) == name, "a name is its own"


@pytest.mark.parametrize("text", ["con", "NUL", "Com1", "lpt9.study", "AUX.x.y", "prn", "COM²"])
def test_names_that_windows_keeps_for_devices_are_not_used(text: str) -> None:
    assert folder_name(text) == f"_{text}"


@pytest.mark.parametrize("text", ["console", "com10", "IM00001", "患者_心尖四腔", "müller", "हृदय", "a.b-c d=e"])
def test_letters_of_any_script_stay(text: str) -> None:
    assert folder_name(text) == text


def test_a_long_name_is_cut_and_stays_apart_from_one_that_begins_alike() -> None:
    one, other = (folder_name("心" * 90 + end) for end in ("a", "b"))
    assert one != other
    assert one.startswith("心" * 60)
    assert folder_name("心" * 90 + "a") == one


@pytest.mark.parametrize(
    ("one", "other"), [("Clip", "clip"), ("Straße", "STRASSE"), ("é", "e\u0301"), ("a", "a."), ("ΣΑΣ", "σας")]
)
def test_names_that_some_file_system_takes_for_one_have_one_key(one: str, other: str) -> None:
    assert key(one) == key(other)


def test_the_first_has_the_name_and_others_a_number_and_all_keep_theirs(tmp_path: Path) -> None:
    names = Names(tmp_path)
    wanted = [("IM00001", "p1/IM00001"), ("IM00001", "p2/IM00001"), ("im00001", "p3/im00001"), ("x", "x.avi")]
    chosen = [names.choose(*each) for each in wanted]
    assert [choice.name for choice in chosen] == ["IM00001", "IM00001-2", "im00001-3", "x"]
    assert [choice.holder for choice in chosen] == [None, "p1/IM00001", "p1/IM00001", None]
    assert [names.choose(*each).name for each in wanted] == [choice.name for choice in chosen]


def test_thousands_of_one_name_are_numbered_in_no_time(tmp_path: Path) -> None:
    names = Names(tmp_path)
    chosen = [names.choose("IM00001", f"p{n}/IM00001").name for n in range(3000)]
    assert len(set(chosen)) == 3000
    assert chosen[-1] == "IM00001-3000"


def test_results_of_another_recording_keep_their_folder_and_ones_own_are_found_again(tmp_path: Path) -> None:
    results(tmp_path, "IM00001", "p1/IM00001")
    choice = Names(tmp_path).choose("IM00001", "p2/IM00001")
    assert choice == ("IM00001-2", "IM00001", "p1/IM00001")
    results(tmp_path, "IM00001-2", "p2/IM00001")
    assert Names(tmp_path).choose("IM00001", "p2/IM00001").name == "IM00001-2"
    assert Names(tmp_path).choose("IM00001", "p1/IM00001").name == "IM00001"
    assert Names(tmp_path).choose("IM00001", "p3/IM00001").name == "IM00001-3"
    assert Names(tmp_path).choose("im00001", "p4/im00001").name == "im00001-3", "one name on many file systems"
    (tmp_path / "IM00001" / "summary.json").unlink()
    assert Names(tmp_path).choose("IM00001", "p2/IM00001") == ("IM00001-2", "IM00001", None), "it stays where it is"


def test_a_path_is_the_same_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for patient in ("p1", "p2"):
        (tmp_path / patient).mkdir()
        (tmp_path / patient / "IM00001").touch()
    results(tmp_path / "out", "IM00001", tmp_path / "p1" / "IM00001")
    names = Names(tmp_path / "out")
    monkeypatch.chdir(tmp_path / "p1")
    assert names.choose("IM00001", "IM00001").name == "IM00001"
    assert names.choose("IM00001", "../p1/./IM00001").name == "IM00001"
    monkeypatch.chdir(tmp_path / "p2")
    assert names.choose("IM00001", "IM00001").name == "IM00001-2", "the same text, and another file"


def test_results_of_an_older_echo_rt_are_known_by_their_path(tmp_path: Path) -> None:
    folder = results(tmp_path, "clip", "x")
    (folder / "summary.json").write_text(json.dumps({"recording": str(tmp_path / "clip.avi")}))
    assert Names(tmp_path).choose("clip", str(tmp_path / "clip.avi")).name == "clip"
    assert Names(tmp_path).choose("clip", str(tmp_path / "p2" / "clip.avi")).name == "clip-2"


@pytest.mark.parametrize("summary", ["", "{}", "[1]", '{"recording": ', "\xff"])
def test_a_summary_that_says_nothing_is_not_replaced(summary: str, tmp_path: Path) -> None:
    (results(tmp_path, "clip", "x") / "summary.json").write_text(summary, encoding="latin-1")
    assert Names(tmp_path).choose("clip", "clip.avi").name == "clip-2"


def test_a_folder_without_results_is_nobodys_and_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "IM00001").touch()
    assert Names(tmp_path).choose("clip", "clip.avi").name == "clip"
    assert Names(tmp_path).choose("IM00001", "IM00001").name == "IM00001-2", "results beside the recordings"


def test_two_views_have_a_folder_each(tmp_path: Path) -> None:
    assert names_of(tmp_path, "a4c", ["a4c.dcm", "a2c.dcm"], ["p/a4c.dcm", "p/a2c.dcm"]) == ["a4c", "a2c.dcm"]
    assert names_of(tmp_path, None, ["x.dcm", "X.dcm"], ["4/x.dcm", "2/X.dcm"]) == ["x.dcm", "X.dcm-a2c"]
    results(tmp_path, "a2c.dcm", "q/a2c.dcm")
    assert names_of(tmp_path, "a4c", ["a4c.dcm", "a2c.dcm"], ["p/a4c.dcm", "p/a2c.dcm"]) == ["a4c", "a2c.dcm-2"]


def test_a_name_that_was_asked_for_is_refused_where_it_is_anothers(tmp_path: Path) -> None:
    folder = results(tmp_path, "clip", "p1/clip.dcm")
    before = (folder / "summary.json").read_bytes()
    with (
        pytest.raises(OutputError, match=r"those of p2/clip.dcm, found those of p1/clip.dcm"),
        RecordingFiles(tmp_path, "clip", recording="p2/clip.dcm"),
    ):
        pass
    assert (folder / "summary.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]


HOLD = """
import sys
from echo_rt.outputs import RecordingFiles
with RecordingFiles(sys.argv[1], "clip", recording=sys.argv[2]):
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_a_run_at_work_keeps_its_name_from_others_and_a_killed_one_does_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path), "p1/clip.dcm"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "writing"
        assert Names(tmp_path).choose("clip", "p2/clip.dcm") == ("clip-2", "clip", "p1/clip.dcm")
        assert Names(tmp_path).choose("clip", "p1/clip.dcm").name == "clip", "it is being written there"
        with pytest.raises(OutputError, match="another echo-rt"), RecordingFiles(tmp_path, "clip"):
            pass
        process.kill()
    (tmp_path / ".clip.part" / "overlay.mp4").write_text("half")
    assert Names(tmp_path).choose("clip", "p2/clip.dcm").name == "clip"
    with pytest.raises(KeyboardInterrupt), RecordingFiles(tmp_path, "clip", recording="p1/clip.dcm"):
        assert not (tmp_path / ".clip.part" / "overlay.mp4").exists()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [], "the next run of the same recording takes the hidden folder away"


def test_what_is_written_says_whose_it_is_and_the_mark_of_who_is_at_work_goes(tmp_path: Path) -> None:
    with RecordingFiles(tmp_path, "clip", recording="clip.dcm", leave_out=("overlay.mp4", "curve.png")) as files:
        assert (tmp_path / ".clip.part" / AT_WORK).is_file()
        result_of(source=provenance(), files=files)
    assert {path.name for path in (tmp_path / "clip").iterdir()} == {"summary.json", "readings.csv", "masks.npz"}
    owner = owner_of(tmp_path / "clip")
    assert owner is not None
    assert owner.is_("clip.dcm")
    assert not owner.is_("p2/clip.dcm")
