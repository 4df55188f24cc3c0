"""Height and weight of the patient: from the options or the header, and what is told per body surface."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest

import echo_rt
from echo_rt import Body, Monitor
from echo_rt.commands.job import Follow, Job, Opening, Options
from echo_rt.commands.live import live
from echo_rt.commands.workers import Workers
from echo_rt.errors import ParameterError
from echo_rt.live import session
from echo_rt.live.session import Settings
from echo_rt.result import RecordingResult
from echo_rt.sources import open_source
from echo_rt.sources.dicom_header import body
from support import program
from support.dicom_files import header_only as header
from support.hearts import A2C, A4C, SPEC, Traced
from support.live_parts import Given, Running, frames
from support.monitored import beating, readings

PATIENT = Body(170, 70)

INDEXED = {"svi": "sv", "ci": "co", "edvi": "edv", "esvi": "esv", "lavi": "lav_max"}
"""Each indexed measure, and what is divided by the body surface."""


def test_the_body_surface_is_that_of_du_bois() -> None:
    assert PATIENT.surface_m2 == pytest.approx(1.81, abs=0.005), "as in their nomogram"
    assert Body(50, 3.5).surface_m2 == pytest.approx(0.21, abs=0.005)
    assert Body(170).surface_m2 is Body(weight_kg=70).surface_m2 is Body().surface_m2 is None


@pytest.mark.parametrize("height_cm", [0, -170, 1.7, 29, 251, 1700, float("nan"), float("inf")])
def test_a_height_that_no_patient_has_is_refused(height_cm: float) -> None:
    with pytest.raises(ParameterError, match=r"expected a height of 30 to 250 cm, found .*; give it in cm"):
        Body(height_cm, 70)


@pytest.mark.parametrize("weight_kg", [0, -70, 0.9, 401, 3500, float("nan")])
def test_a_weight_that_no_patient_has_is_refused(weight_kg: float) -> None:
    with pytest.raises(ParameterError, match=r"expected a weight of 1 to 400 kg, found .*; give it in kg"):
        Body(170, weight_kg)


def test_height_and_weight_that_are_swapped_are_refused() -> None:
    with pytest.raises(ParameterError, match="body mass index of 351; look whether they are swapped"):
        Body(70, 172)


IN_CM, HEIGHT, WEIGHT, BOTH = (
    "is used as cm",
    "height in the header is none",
    "weight in the header is none",
    "do not fit",
)


@pytest.mark.parametrize(
    ("size", "weight", "found", "said"),
    [
        ("1.72", "70", Body(172, 70), []),
        ("0.5", "3.4", Body(50, 3.4), []),
        ("172", "70", Body(172, 70), [IN_CM]),
        (None, None, Body(), []),
        ("", "", Body(), []),
        ("1.72", None, Body(172, None), []),
        ("0", "0", Body(), [HEIGHT, WEIGHT]),
        ("-1.72", "70", Body(None, 70), [HEIGHT]),
        ("2.51", "70", Body(None, 70), [HEIGHT]),
        ("0.29", "70", Body(None, 70), [HEIGHT]),
        ("1720", "70", Body(None, 70), [HEIGHT]),
        ("1.72", "401", Body(172, None), [WEIGHT]),
        ("1.72", "70000", Body(172, None), [WEIGHT]),
        ("0.7", "172", Body(), [BOTH]),
    ],
)
def test_a_header_is_believed_where_a_patient_can_be_so(
    size: str | None, weight: str | None, found: Body, said: list[str]
) -> None:
    elements = {"PatientSize": size, "PatientWeight": weight}
    known, notes = body(header(**{name: value for name, value in elements.items() if value is not None}))
    assert known.height_cm == pytest.approx(found.height_cm)
    assert known.weight_kg == pytest.approx(found.weight_kg)
    assert [words in note for words, note in zip(said, notes, strict=True)] == [True] * len(said)
    assert not any(letter.isdigit() for note in notes for letter in note), (
        "notes are kept, and the patient's figures not"
    )


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small heart as DICOM, without height and weight."""
    from echo_rt.phantom import PhantomOptions
    from echo_rt.phantom.phantom import Phantom
    from echo_rt.phantom.write import write

    heart = Phantom(PhantomOptions.of(seconds=2.5, height=160, width=200, fps=30, seed=1, ef=40, hr=75, overlay=0))
    return write(heart, tmp_path_factory.mktemp("body") / "heart.dcm", masks=False)[0]


HEART = "phantom:?seconds=2.5&height=160&width=200&fps=30&seed=1&ef=40&hr=75&overlay=0"


def of_patient(recording: Path, folder: Path, **elements: str) -> Path:
    """The recording with these elements in its header."""
    data = pydicom.dcmread(recording)
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data.save_as(folder / "patient.dcm")
    return folder / "patient.dcm"


def followed(path: str | Path, given: Body | None = None, **options) -> RecordingResult:
    return echo_rt.process(path, Traced(HEART), body=given, roi="none", overlay=False, **options)


def surface_told(result: RecordingResult) -> float:
    """The body surface that the indexed measures were divided by; the same for all of them."""
    told = {"edv": result.edv, "esv": result.esv}
    surfaces = [
        (told.get(whole) or result.figures[whole].value) / result.figures[name].value
        for name, whole in INDEXED.items()
        if result.figures[name].value is not None
    ]
    assert len(surfaces) >= 4
    assert surfaces == pytest.approx([surfaces[0]] * len(surfaces), rel=1e-6)
    return surfaces[0]


def test_what_was_given_makes_the_indexed_figures() -> None:
    result = followed(HEART, PATIENT)
    assert surface_told(result) == pytest.approx(PATIENT.surface_m2)
    assert result.to_dict()["body_surface_m2"] == 1.81


def test_a_header_makes_the_same_figures_and_neither_height_nor_weight_is_kept(recording: Path, tmp_path: Path) -> None:
    path = of_patient(recording, tmp_path, PatientSize="171.37", PatientWeight="73.19")
    result = followed(path, out=tmp_path / "out")
    assert surface_told(result) == pytest.approx(Body(171.37, 73.19).surface_m2)
    assert [note for note in result.to_dict()["notes"] if IN_CM in note]
    kept = b"".join(file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.suffix in (".json", ".csv"))
    assert b"body_surface_m2" in kept
    assert b"171.37" not in kept
    assert b"73.19" not in kept


def test_what_was_given_outranks_the_header_and_takes_the_other_from_it(recording: Path, tmp_path: Path) -> None:
    path = of_patient(recording, tmp_path, PatientSize="1.50", PatientWeight="50")
    assert surface_told(followed(path, PATIENT)) == pytest.approx(PATIENT.surface_m2)
    assert surface_told(followed(path, Body(height_cm=170))) == pytest.approx(Body(170, 50).surface_m2)
    assert surface_told(followed(path, Body(weight_kg=70))) == pytest.approx(Body(150, 70).surface_m2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Body(height_cm=170), "found the height alone; give the weight in kg too"),
        (Body(weight_kg=70), "found the weight alone; give the height in cm too"),
    ],
)
def test_one_of_the_two_alone_is_an_error_before_the_first_frame(given: Body, said: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=said):
        followed(HEART, given, out=tmp_path)
    with pytest.raises(ParameterError, match=said):
        next(echo_rt.stream(HEART, Traced(HEART), body=given))
    assert not list(tmp_path.iterdir())


def test_without_height_and_weight_the_reason_stands_in_the_place_of_the_figure() -> None:
    result = followed(HEART)
    assert {name: result.figures[name].reason for name in INDEXED} == dict.fromkeys(
        INDEXED, "height and weight are not known"
    )
    assert result.to_dict()["body_surface_m2"] is None


def test_a_stream_tells_the_figures_of_its_file(recording: Path, tmp_path: Path) -> None:
    path = of_patient(recording, tmp_path, PatientSize="1.70", PatientWeight="70")
    *_, last = echo_rt.stream(path, Traced(HEART), roi="none")
    assert last.rolling["svi"].value == pytest.approx(last.rolling["sv"].value / PATIENT.surface_m2)


def test_two_views_of_one_heart_are_of_one_patient() -> None:
    result = echo_rt.process(A4C, Traced(A4C, A2C), a2c=A2C, overlay=False, body=PATIENT)
    assert result.figures["svi"].value == pytest.approx((result.edv - result.esv) / PATIENT.surface_m2)
    assert result.two_views.a2c.figures["edvi"].value == pytest.approx(result.two_views.a2c.edv / PATIENT.surface_m2)


def test_the_header_of_one_view_counts_for_the_other_of_the_same_patient_alone(recording: Path, tmp_path: Path) -> None:
    from echo_rt.together import bodies

    (tmp_path / "other").mkdir()
    whole = of_patient(recording, tmp_path, PatientSize="1.70", PatientWeight="70", PatientID="A")
    for patient, expected in (("A", PATIENT), ("", PATIENT), ("B", Body())):
        elements = {"PatientID": patient} if patient else {"PatientID": "", "PatientName": ""}
        with (
            open_source(str(whole)) as one,
            open_source(str(of_patient(recording, tmp_path / "other", **elements))) as other,
        ):
            assert bodies(None, [one, other]) == [PATIENT, expected]
            assert bodies(None, [other, one]) == [expected, PATIENT]
            assert bodies(Body(weight_kg=80), [one, other])[0] == Body(170, 80)


def test_a_process_of_its_own_is_told_the_patient(recording: Path) -> None:
    with Workers(1, Opening(None, "cpu", 1), Follow(Options(overlay=False, roi="none", body=PATIENT))) as workers:
        workers.submit(Job(0, str(recording), ""))
        ((_, result),) = workers.outcomes(lambda number, done, expected: None)
    assert isinstance(result, RecordingResult)
    assert result.figures.body == PATIENT


def test_the_command_line_passes_both_on_and_refuses_them_for_recordings_of_several_patients(recording: Path) -> None:
    options = ("--height-cm", "170", "--weight-kg", "70")
    run = program.echo_rt("file", recording, *options, "--json")
    assert json.loads(run.stdout)[0]["body_surface_m2"] == 1.81
    for arguments, said in (
        (("file", recording, HEART, *options), "found 2: they may be of several patients"),
        (("file", recording, "--height-cm", "1.7"), "expected a height of 30 to 250 cm, found 1.7"),
        (("file", recording, "--height-cm", "170"), "found the height alone; give the weight in kg too"),
        (("live", HEART, "--view", "none", "--weight-kg", "70"), "found --weight-kg alone; add --height-cm"),
    ):
        run = program.echo_rt(*arguments)
        assert run.returncode == 2
        assert said in run.stderr
        assert len(run.stderr.strip().splitlines()) == 1


def test_a_live_feed_is_of_the_patient_of_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(Exception):
        pass

    def asked(*about: object) -> None:
        raise Asked(*(one.body for one in about if isinstance(one, Settings)))

    monkeypatch.setattr(session, "Live", asked)
    with pytest.raises(Asked) as found:
        live([HEART], view="none", height_cm=170, weight_kg=70)
    assert found.value.args == (PATIENT,)
    with pytest.raises(Asked) as found:
        live([HEART], view="none")
    assert found.value.args == (None,)


def test_every_reading_of_a_live_feed_is_of_its_patient() -> None:
    running = Running(lambda: Given(frames(3)), lasting=False, settings=Settings(every_frame=True, body=PATIENT))
    with running:
        running.wait()
    told = [update.reading.rolling.body for update in running.looker.updates if update.reading is not None]
    assert set(told) == {PATIENT}


def test_another_patient_on_the_same_feed_has_another_height_and_weight() -> None:
    running = Running(lambda: Given(frames(10_000), 0.01, None), settings=Settings(body=PATIENT))
    with running:
        first = running.until(lambda update: update.reading is not None)
        running.feed.reset()
        later = running.until(lambda update: update.reading is not None and update.reading.rolling.body != PATIENT)
    assert first.reading.rolling.body == PATIENT
    assert later.reading.rolling.body == Body()


def test_a_reset_of_the_monitor_alone_keeps_the_patient() -> None:
    clip, monitor = beating(4.0), Monitor(SPEC, body=PATIENT)
    readings(monitor, clip, (0.5, 0.5))
    monitor.reset()
    last = readings(monitor, clip, (0.5, 0.5))[-1]
    assert last.rolling["svi"].value == pytest.approx(last.rolling["sv"].value / PATIENT.surface_m2)
