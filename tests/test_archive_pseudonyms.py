"""Pseudonyms: nothing of a patient or a path is left in what an archive writes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pydicom
import pytest

from echo_rt.archive.pairs import evidence_fields, paired
from echo_rt.archive.pseudonyms import OWN_WORDS, Pseudonyms
from echo_rt.archive.rows import row_of
from echo_rt.errors import EchoRtError, ParameterError
from echo_rt.phantom import open_phantom
from echo_rt.phantom.write import write
from echo_rt.pipeline import follow_one
from support.archives import document
from support.hearts import A2C, A4C, SPEC, Traced

SECRET = Pseudonyms(b"8d0fb2c14e6a97f3")
WHO = {
    "PatientName": "Quixote^Dulcinea",
    "PatientID": "MRN-4711-0815",
    "StudyDescription": "Windmills",
    "InstitutionName": "Mancha General",
    "AccessionNumber": "ACC998877",
}
FOLDERS = ("ward Toboso", "Rocinante")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Both views of a study, as DICOM files that say whose they are; and the phantoms that they show."""
    folder = tmp_path_factory.mktemp("Sancho").joinpath(*FOLDERS)
    folder.mkdir(parents=True)
    found = []
    for name, phantom in (("Panza-4.dcm", A4C), ("Panza-2.dcm", A2C)):
        with open_phantom(phantom) as heart:
            write(heart, folder / name, masks=False)
        header = pydicom.dcmread(folder / name)
        for keyword, value in WHO.items():
            setattr(header, keyword, value)
        header.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.4711"
        header.save_as(folder / name)
        found.append((str(folder / name), phantom))
    return found


def documents(recordings: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """What an archive has of them before names are replaced, and of one that failed."""
    made = []
    for path, phantom in recordings:
        result, evidence = follow_one(path, Traced(phantom))
        summary = result.to_dict()
        summary["notes"].append("the header says Quixote^Dulcinea, the screen something else")
        found = {"summary": summary, "pair": evidence_fields(result, evidence), "study": evidence.identity.study}
        made.append(document(A4C, path, **found))
    folder = Path(recordings[0][0]).parent
    damaged = folder / "Panza-9.dcm"
    damaged.write_bytes(Path(recordings[0][0]).read_bytes()[:2000])
    with pytest.raises(EchoRtError) as caught:
        follow_one(damaged, Traced(A4C))
    assert "Panza-9" in str(caught.value)
    return [*made, document(None, str(damaged), reason=str(caught.value))]


def test_nothing_of_patient_or_path_is_left_in_documents_and_rows(recordings: list[tuple[str, str]]) -> None:
    before = documents(recordings)
    hidden = [SECRET.hidden(found) for found in before]
    pairs = paired(hidden, SPEC)
    rows = [row_of(found, pairs.get(found["recording"])) for found in hidden]
    # Not even what an attacker could compute from a name, without the key.
    ids = {found["summary"]["recording_id"] for found in before[:2]} | {found["study"] for found in before[:2]}
    ids |= {found["pair"]["patient"] for found in before[:2]}
    names = {part for value in WHO.values() for part in value.split("^")} | {*FOLDERS, "Panza", "Sancho", "4711", *ids}
    assert None not in ids
    assert names & words(before, names) >= {"Quixote", "Panza", *FOLDERS, *ids}
    assert not words(hidden, names)
    assert not words(rows, names)


def words(found: object, names: set[str]) -> set[str]:
    """Which of the names are anywhere in it."""
    text = json.dumps(found, default=str, ensure_ascii=False).casefold()
    return {name for name in names if name.casefold() in text}


def test_figures_kinds_and_the_study_stay(recordings: list[tuple[str, str]]) -> None:
    before = documents(recordings)
    hidden = [SECRET.hidden(found) for found in before]
    assert hidden[0]["study"] == hidden[1]["study"] != before[0]["study"]
    plain, pseudonymous = paired(before, SPEC), paired(hidden, SPEC)
    for old, new in zip(before, hidden, strict=True):
        changed = {"recording", "study", "reason", "host", "notes", "spacing_note", "biplane_with"}
        rows = row_of(old, plain.get(old["recording"])), row_of(new, pseudonymous.get(new["recording"]))
        one, other = ({name: value for name, value in row.items() if name not in changed} for row in rows)
        assert one == other
    for name in ("beats", "measures", "wall", "rejected_frames"):
        assert hidden[0]["summary"][name] == before[0]["summary"][name]
    assert hidden[0]["pair"]["figures"] == before[0]["pair"]["figures"]
    assert hidden[0]["summary"]["recording"] == hidden[0]["recording"]
    assert pseudonymous[hidden[0]["recording"]]["biplane_with"] == hidden[1]["recording"]
    assert hidden[2]["kind"] == "damaged"
    assert hidden[2]["reason"].startswith("p-")


def test_why_there_is_no_ef_stays_as_it_is_of_the_heart_and_not_of_the_file() -> None:
    found = document(A4C, status="no-ef", reason="no beat could be accepted; 60 of 60 frames: not apical")
    assert SECRET.hidden(found)["reason"] == found["reason"]


def test_a_text_that_is_new_is_hidden_until_somebody_says_that_it_is_harmless() -> None:
    found = document(A4C)
    found["summary"]["brand_new"] = ["Quixote", {"deeper": "Quixote"}]
    assert not words(SECRET.hidden(found), {"Quixote"})


def test_the_words_that_stay_are_fields_of_a_document() -> None:
    seen: set[str] = set()

    def walk(value: object, name: str) -> None:
        seen.add(name)
        for each, part in value.items() if isinstance(value, dict) else ():
            walk(part, each)
        for part in value if isinstance(value, list) else ():
            walk(part, name)

    found = document(A4C)
    found["summary"]["roi"] = {"found": "as asked for"}
    walk(found, "")
    assert seen >= OWN_WORDS


def test_pseudonyms_are_the_same_everywhere_and_others_by_another_key(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"  8d0fb2c14e6a97f3\n")
    same = pickle.loads(pickle.dumps(Pseudonyms.read(file)))
    address = "/heart/caf\udce9.dcm"
    assert same.of(address) == SECRET.of(address) == SECRET.of(SECRET.of(address))
    assert Pseudonyms(b"another key of any length").of(address) != SECRET.of(address)
    assert SECRET.hidden(SECRET.hidden(document(A4C))) == SECRET.hidden(document(A4C))
    assert "8d0f" not in repr(SECRET)


@pytest.mark.parametrize(("key", "found"), [
    (b"", "found 0 that are easy to guess"),
    (b"short", "found 5 that are easy to guess"),
    (b"a" * 64, "found 64 that are easy to guess"),
    (b"0123456789abcdef" * 300, "found more"),
    (None, "No such file"),
])  # fmt: skip
def test_a_key_that_protects_nothing_is_one_line(key: bytes | None, found: str, tmp_path: Path) -> None:
    if key is not None:
        (tmp_path / "key").write_bytes(key)
    with pytest.raises(ParameterError) as caught:
        Pseudonyms.read(tmp_path / "key")
    assert found in str(caught.value)
    assert str(caught.value).endswith("make one:  openssl rand -hex 32 > FILE")
