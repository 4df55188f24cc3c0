"""Two recordings that are not two views of one heart give no biplane EF, and the reason; what is odd is said."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.examples import get_path

from echo_rt import open_source, process
from echo_rt.cardiac.two_views import Pictures, ViewEvidence, alike, doubts, why_not
from echo_rt.frame import Frame
from echo_rt.phantom import open_phantom
from echo_rt.phantom.dicom_file import write_dicom
from echo_rt.provenance import Identity
from echo_rt_train.data import open_data
from support.hearts import A2C, A4C, Traced

ANYBODY = Identity()


def evidence(said: str | None = None, identity: Identity = ANYBODY, seen: dict[str, int] | None = None) -> ViewEvidence:
    return ViewEvidence(said, identity, seen or {}, ())


def small(images: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    pictures = Pictures()
    for k, image in enumerate(images):
        pictures.update(Frame(image, k / 25, k, None))
    return pictures.kept()


@pytest.mark.parametrize(("one", "other", "reason"), [
    (evidence("A4C"), evidence("A4C"), "expected A4C and A2C, found A4C and A4C by their headers"),
    (evidence("A2C"), evidence("A4C"), "found A2C and A4C by their headers; give them the other way round"),
    (evidence("A2C"), evidence(), "found A2C and an unknown view by their headers"),
    (evidence(seen={"A4C": 50}), evidence(seen={"A4C": 45, "A2C": 5}), "found A4C and A4C by the model"),
    (evidence(seen={"A2C": 50}), evidence(seen={"A4C": 50}), "found A2C and A4C by the model; give them the other way"),
    (evidence("A4C"), evidence(seen={"A4C": 50}), "found A4C and A4C by the model"),
    (evidence(identity=Identity.of("one", "")), evidence(identity=Identity.of("two", "")), "found two patients"),
])  # fmt: skip
def test_two_recordings_that_cannot_be_the_two_views_of_one_heart_are_refused(one, other, reason) -> None:
    found = why_not(one, other)
    assert found is not None
    assert reason in found


@pytest.mark.parametrize(("one", "other"), [
    (evidence(), evidence()),
    (evidence("A4C"), evidence("A2C")),
    (evidence("A4C", seen={"A2C": 50}), evidence("A2C", seen={"A4C": 50})),  # a header outweighs the model
    (evidence(seen={"A4C": 9}), evidence(seen={"A4C": 9})),  # too few frames
    (evidence(seen={"A4C": 50}), evidence(seen={"A4C": 26, "A2C": 24})),  # not clear
    (evidence(identity=Identity.of("ONE ", "")), evidence(identity=ANYBODY)),
    (evidence(identity=Identity.of("Doe^J", "")), evidence(identity=Identity.of("DOE^J", ""))),
])  # fmt: skip
def test_what_is_not_known_to_be_wrong_is_not_refused(one, other) -> None:
    assert why_not(one, other) is None


def test_a_view_that_looks_like_the_other_and_another_study_are_doubts() -> None:
    one = evidence("A4C", Identity.of("x", "1.2"), {"A2C": 50})
    other = evidence("A2C", Identity.of("x", "1.3"), {"A2C": 50})
    study, view = doubts(one, other)
    assert "different studies" in study
    assert view == "the A4C recording looks like A2C to the model"
    assert doubts(other, other) == ()


def test_an_identity_says_nothing_of_the_patient() -> None:
    assert "Doe" not in repr(Identity.of("Doe^John", "1.2.840"))
    assert "1.2.840" not in repr(Identity.of("Doe^John", "1.2.840"))


def test_the_two_views_of_real_patients_are_never_the_same_pictures(camus) -> None:
    of = {(s.patient, s.view, s.phase): s.read()[0] for s in open_data({"root": str(camus)}).samples("val")}
    patients = sorted({patient for patient, _, _ in of})
    assert len(patients) == 50
    for patient in patients:
        a4c, a2c = (small([of[patient, view, "ED"]]) for view in ("4CH", "2CH"))
        assert not alike(a4c, a2c), patient
        assert alike(a4c, small([stored_anew(of[patient, "4CH", "ED"])])), patient


def stored_anew(image: np.ndarray) -> np.ndarray:
    """Smaller, and compressed strongly."""
    fewer = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", fewer, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR))


def test_a_real_cine_is_known_again_also_cut_shorter() -> None:
    with open_source(str(get_path("ybr_color"))) as source:
        images = [frame.image.copy() for frame in source]
    assert alike(small(images), small([stored_anew(image) for image in images[6:]]))


def test_one_recording_given_twice_has_no_biplane_ef_and_keeps_its_own(tmp_path: Path) -> None:
    twice = process(A4C, Traced(A4C, A4C), a2c=A4C, out=tmp_path, overlay=False).to_dict()
    assert twice["ef_percent"] is None
    assert twice["ef_reason"] == "expected two views, found the same pictures in both recordings"
    assert twice["a4c"]["ef_percent"] == pytest.approx(40, abs=1.5)


def test_two_patients_by_their_dicom_headers_have_no_biplane_ef(tmp_path: Path) -> None:
    paths = []
    for uri in (A4C, A2C):
        paths.append(tmp_path / f"{len(paths)}.dcm")
        write_dicom(open_phantom(uri), paths[-1])
    engine = Traced(A4C, A2C, A4C, A2C)
    strangers = process(paths[0], engine, a2c=paths[1])
    assert strangers.ef.reason == "expected two views of one patient, found two patients by their headers"
    data = pydicom.dcmread(paths[1])
    data.PatientID = pydicom.dcmread(paths[0]).PatientID
    data.save_as(paths[1])
    friends = process(paths[0], engine, a2c=paths[1])
    assert friends.ef.percent == pytest.approx(45, abs=4)
    assert friends.to_dict()["biplane"]["doubts"] == [
        "the two views are of different studies: heart and blood pressure may have changed"
    ]
