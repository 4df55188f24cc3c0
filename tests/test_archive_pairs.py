"""Two views of a study, followed one by one: the figures are those of both followed together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from echo_rt import process
from echo_rt.archive.pairs import PREFIX, KeptView, figure_columns, paired, view_of
from echo_rt.checked import MismatchError
from echo_rt.measures import Body
from echo_rt.together import OneView, both_views
from support.archives import document, followed
from support.hearts import A2C, A4C, SPEC, Traced


def changed(found: dict[str, Any], **pair: Any) -> dict[str, Any]:
    return {**found, "pair": {**found["pair"], **pair}}


def columns_of(summary: dict[str, Any]) -> dict[str, Any]:
    """The biplane columns as the summary of two recordings followed together has them."""
    assert summary["volume_unit"] == "mL"
    return {
        "biplane_ef_percent": summary["ef_percent"],
        "biplane_ef_low": summary["ef_low"],
        "biplane_ef_high": summary["ef_high"],
        "biplane_edv_ml": summary["edv"],
        "biplane_esv_ml": summary["esv"],
        "biplane_reason": summary["ef_reason"],
        "biplane_pairs": len(summary["biplane"]["beats"]),
        **{name: summary["measures"][name.removeprefix(PREFIX)]["value"] for name in figure_columns().values()},
    }


FAST = A2C.replace("hr=74", "hr=120")
BODY = Body(180, 80)


@pytest.mark.parametrize("a2c", [A2C, FAST])
@pytest.mark.parametrize("body", [None, BODY])
def test_both_rows_get_the_figures_of_the_two_recordings_followed_together(a2c: str, body: Body | None) -> None:
    together = process(A4C, Traced(A4C, a2c), a2c=a2c, body=body).to_dict()
    found = paired([document(a2c, body=body), document(A4C, body=body)], SPEC)
    assert (together["ef_percent"] is None) == (a2c == FAST)
    for recording, other in ((A4C, a2c), (a2c, A4C)):
        assert columns_of(together).items() <= found[recording].items()
        assert found[recording]["biplane_with"] == other
        assert found[recording].keys() == found[A4C].keys()
    if body is not None and a2c == A2C:
        assert found[A4C]["biplane_svi_ml_m2"] is not None
        assert found[A4C]["ls_mean_percent"] is not None


def test_the_columns_hold_every_measure_that_two_views_change() -> None:
    together, alone = process(A4C, Traced(A4C, A2C), a2c=A2C, body=BODY), followed(A4C, BODY)[0]
    changed = {
        figure.measure.name
        for figure, single in zip(together.figures.measures, alone.figures.measures, strict=True)
        if figure != single and figure.measure.view is None
    }
    assert changed == figure_columns().keys()


def test_not_even_the_last_bit_is_lost() -> None:
    expected = process(A4C, Traced(A4C, A2C), a2c=A2C)
    assert expected.two_views is not None
    found, figures = both_views(view_of(document(A4C)["pair"]), view_of(document(A2C)["pair"]), SPEC)
    assert (found.ef, found.edv, found.esv) == (expected.ef, expected.edv, expected.esv)
    assert figures == expected.figures


def test_a_round_trip_through_json_keeps_all_that_two_views_need() -> None:
    result, evidence = followed(A4C)
    back = view_of(document(A4C)["pair"])
    assert [picture.tolist() for picture in back.evidence.pictures] == [p.tolist() for p in evidence.pictures]
    assert replace(back.evidence, pictures=()) == replace(evidence, pictures=())
    assert back.figures == result.figures
    plain = [replace(beat, details=replace(beat.details, measures={})) for beat in result.beats if beat.accepted]
    assert list(back.beats) == plain
    assert back.calibrated
    assert OneView.of(result, evidence).calibrated


def test_the_size_of_the_patient_is_taken_from_the_other_view_of_the_same_patient() -> None:
    known, unknown = document(A2C, body=BODY), document(A4C)
    assert paired([unknown, known], SPEC)[A4C]["biplane_svi_ml_m2"] is not None
    strangers = [changed(unknown, patient="one"), changed(known, patient="two")]
    found = paired(strangers, SPEC)[A4C]
    assert found["biplane_svi_ml_m2"] is None
    assert found["biplane_reason"] == "expected two views of one patient, found two patients by their headers"


def test_of_many_recordings_the_one_with_most_beats_counts_in_whatever_order_they_come() -> None:
    whole = document(A4C, "b")
    short = changed(document(A4C, "a"), beats=whole["pair"]["beats"][1:])
    twin, unusable = document(A4C, "c"), document(A4C, "0")
    unusable["summary"]["rejected_frames"] = {"not apical": 60}
    other, failed = document(A2C, "z"), document(None, "f")
    rest = {
        "biplane_reason": "another A4C recording of the study counts: it has as many usable beats and frames, or more"
    }
    documents = [whole, short, twin, unusable, other, failed]
    for first in range(len(documents)):
        found = paired(documents[first:] + documents[:first], SPEC)
        assert (found["z"]["biplane_with"], found["b"]["biplane_with"]) == ("b", "z")
        assert found["a"] == found["c"] == found["0"] == rest
        assert "f" not in found


def test_a_study_without_the_other_view_says_which_is_missing() -> None:
    assert paired([document(A4C, "a")], SPEC) == {"a": {"biplane_reason": "no A2C recording in the study"}}
    assert paired([document(A2C, "a")], SPEC) == {"a": {"biplane_reason": "no A4C recording in the study"}}
    unclear = changed(document(A4C, "a"), said=None, seen={"A4C": 30, "A2C": 30})
    assert paired([unclear], SPEC) == {}
    seen = changed(document(A4C, "a"), said=None, seen={"A4C": 60, "A2C": 3})
    assert paired([seen, document(A2C, "b")], SPEC)["a"]["biplane_with"] == "b"


@pytest.mark.parametrize(("field", "value"), [
    ("pictures", "no base 64"),
    ("pictures", "QUJD"),
    ("beats", [{"t_ed_s": "soon"}]),
    ("calibrated", 1),
    ("more", None),
])  # fmt: skip
def test_what_is_not_ours_is_one_line(field: str, value: object) -> None:
    with pytest.raises(MismatchError) as caught:
        view_of(changed(document(A4C), **{field: value})["pair"])
    assert len(str(caught.value).splitlines()) == 1


def test_a_damaged_document_is_named_in_its_row_and_the_others_are_paired() -> None:
    odd = changed(document(A4C, "a"), beats=[{"t_ed_s": "soon"}])
    found = paired([odd, document(A4C, "b"), document(A2C, "c")], SPEC)
    assert found["a"]["biplane_reason"].startswith("its document is damaged: expected a finite number")
    assert (found["b"]["biplane_with"], found["c"]["biplane_with"]) == ("c", "b")


def test_a_measure_of_another_version_is_refused() -> None:
    found = document(A4C)["pair"]
    found["figures"]["measures"][0]["name"] = "older"
    with pytest.raises(MismatchError, match="expected a measure of this version in mm or px, found older in mm"):
        view_of(found)


def test_the_kept_fields_are_those_of_the_schema() -> None:
    assert document(A4C)["pair"].keys() == KeptView.__annotations__.keys()
