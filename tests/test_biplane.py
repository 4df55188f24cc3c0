"""Two views of one heart: whose beats are paired, what they come to, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_rt import process
from echo_rt.cardiac.biplane import biplane
from echo_rt.cardiac.monitor import Monitor
from echo_rt.chambers import BeatDisks, Disks
from echo_rt.errors import ParameterError, SourceNotFoundError
from echo_rt.frame import Frame
from echo_rt.reading import Beat, BeatDetails
from echo_rt.result import Biplane
from support.hearts import A2C, A4C, SPEC, Traced, volume_at
from support.program import echo_rt
from support.shapes import labels_of, segmentation_of


def beat(
    rate: float, ed: float = 40.0, es: float = 30.0, length: float = 90.0, start: float = 0.0, accepted: bool = True
) -> Beat:
    """One whose ventricle is a cylinder of the given diameters."""
    volumes = [np.pi / 4 * d * d * length / 1000 for d in (ed, es)]
    end = start + 60 / rate
    disks = BeatDisks(*(Disks((d,) * 20, length) for d in (ed, es)))
    reason = None if accepted else "too short"
    return Beat(start, start + 0.3, end, *volumes, 1.0, 0.5, 50.0, 50.0, reason, BeatDetails(disks))


def paired(a4c: list[Beat], a2c: list[Beat], calibrated: tuple[bool, bool] = (True, True)) -> Biplane:
    return biplane(a4c, a2c, calibrated=calibrated, error_points=1.5)


def test_a_disk_is_an_ellipse_with_a_diameter_from_each_view_and_the_longer_axis_is_the_length() -> None:
    found = paired([beat(60, 40, 30, 90)], [beat(62, 50, 36, 80)])
    assert found.edv == pytest.approx(np.pi / 4 * 40 * 50 * 90 / 1000)
    assert found.esv == pytest.approx(np.pi / 4 * 30 * 36 * 90 / 1000)
    assert found.ef.percent == pytest.approx(100 * (1 - 30 * 36 / (40 * 50)))
    assert (found.ef.method, found.ef.beats, found.volume_note) == ("biplane", 1, None)


def test_a_view_paired_with_itself_gives_its_single_plane_figures() -> None:
    beats = [beat(60, 40, 30 + i, start=float(i)) for i in range(3)]
    found = paired(beats, beats)
    assert found.edv == pytest.approx(beats[0].edv)
    assert found.ef.percent == pytest.approx(100 * (1 - (31 / 40) ** 2))


def test_without_a_scale_in_one_view_there_is_an_ef_and_no_volume_and_the_reason() -> None:
    known, pixels = [beat(60, 40, 30, 90)], [beat(60, 500, 360, 1000)]
    found = paired(known, pixels, (True, False))
    assert (found.edv, found.esv, found.beats[0].edv) == (None, None, None)
    assert found.volume_note == "no biplane volumes: A2C without a scale"
    assert found.ef.percent == pytest.approx(100 * (1 - 30 * 360 / (40 * 500)))
    assert "A4C and A2C" in str(paired(pixels, pixels, (False, False)).volume_note)


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.floats(20, 39), st.floats(20, 49), st.floats(60, 120))
def test_ef_does_not_depend_on_the_scale_of_either_view(one, other, es_a4c, es_a2c, length) -> None:
    plain = paired([beat(60, 40, es_a4c, length)], [beat(60, 50, es_a2c, 85)], (False, False))
    scaled = paired(
        [beat(60, one * 40, one * es_a4c, one * length)],
        [beat(60, other * 50, other * es_a2c, other * 85)],
        (False, False),
    )
    assert scaled.ef.percent == pytest.approx(plain.ef.percent, abs=1e-6)


@given(st.floats(0.1, 10))
def test_volumes_grow_with_the_cube_of_the_scale_of_both_views(scale: float) -> None:
    plain, scaled = (
        paired([beat(60, s * 40, s * 30, s * 90)], [beat(60, s * 50, s * 36, s * 80)]) for s in (1.0, scale)
    )
    assert plain.edv is not None
    assert scaled.edv == pytest.approx(scale**3 * plain.edv)
    assert scaled.ef.percent == pytest.approx(plain.ef.percent)


def test_the_pairs_are_those_nearest_in_heart_rate_and_no_beat_is_used_twice() -> None:
    a4c = [beat(rate, start=float(i)) for i, rate in enumerate((60, 75, 90))]
    a2c = [beat(rate, start=float(i)) for i, rate in enumerate((91, 61, 62, 140))]
    found = paired(a4c, a2c)
    rates = [(round(pair.a4c.heart_rate_bpm), round(pair.a2c.heart_rate_bpm)) for pair in found.beats]
    assert rates == [(60, 61), (90, 91)]


def test_of_many_pairs_the_five_nearest_count() -> None:
    found = paired(
        [beat(60 + i, start=float(i)) for i in range(8)], [beat(60 + i + 0.1 * i, start=float(i)) for i in range(8)]
    )
    assert len(found.beats) == found.ef.beats == 5
    assert [pair.a4c.t_ed_s for pair in found.beats] == sorted(pair.a4c.t_ed_s for pair in found.beats)


def test_rates_more_than_a_tenth_apart_are_not_paired_and_both_are_named() -> None:
    found = paired([beat(60)], [beat(66.1)])
    assert found.ef.percent is None
    assert (
        found.ef.reason
        == "expected beats of heart rates within 10% of each other, found 60 bpm in A4C and 66 bpm in A2C"
    )
    assert paired([beat(60)], [beat(65.9)]).ef.percent is not None


def test_a_recording_without_an_accepted_beat_is_named() -> None:
    assert paired([beat(60)], [beat(60, accepted=False)]).ef.reason == "no accepted beat in the A2C recording to pair"
    assert "A4C and A2C" in str(paired([], []).ef.reason)


def watched(radius: float, length: float, fps: float = 25.0) -> list[Beat]:
    """Three seconds and a half of a ventricle whose width beats, as a monitor sees them at 0.8 mm a pixel."""
    monitor, found = Monitor(SPEC), []
    for k, volume in enumerate(volume_at(np.arange(0.6, 4.1, 1 / fps), edv=1.0, ef=50)):
        labels = labels_of((240, 240), length, radius * np.sqrt(volume), 14, (120.0, 150.0))
        reading = monitor.update(segmentation_of(labels), Frame(labels, k / fps, k, (0.8, 0.8)))
        found += [reading.beat] if reading.beat is not None else []
    return found


def test_the_beats_of_a_monitor_keep_the_disks_that_give_the_volume_of_an_elliptic_ventricle() -> None:
    a4c, a2c = watched(40, 120), watched(30, 115)
    for one in a4c:
        assert one.details.disks is not None
        assert np.pi / 4 * np.sum(
            np.square(one.details.disks.ed.diameters)
        ) * one.details.disks.ed.length / 20000 == pytest.approx(one.edv, rel=0.01)
    found = paired(a4c, a2c)
    assert found.edv == pytest.approx(2 / 3 * np.pi * 40 * 30 * 120 * 0.8**3 / 1000, rel=0.02)
    assert found.ef.percent == pytest.approx(50, abs=1.5)


def process_traced(a4c: str = A4C, a2c: str = A2C, **options) -> dict:
    return process(a4c, Traced(a4c, a2c), a2c=a2c, overlay=False, **options).to_dict()


def test_the_summary_has_biplane_figures_beside_those_of_both_views(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    result = process_traced(out=tmp_path, progress=lambda done, expected: seen.append((done, expected)))
    assert result["ef_method"] == "biplane"
    assert result["a4c"]["ef_method"] == result["a2c"]["ef_method"] == "disks"
    assert result["a4c"]["ef_percent"] == pytest.approx(40, abs=1.5)
    assert result["a2c"]["ef_percent"] == pytest.approx(50, abs=1.5)
    assert 41 < result["ef_percent"] < 49
    assert result["ef_low"] < result["ef_percent"] < result["ef_high"]
    assert result["volume_unit"] == "mL"
    assert {"edv", "esv", "ef_percent", "beats"} <= set(result["biplane"])
    assert result["biplane"]["edv"] == result["edv"] == pytest.approx(120, rel=0.15)
    assert all(
        abs(pair["heart_rate_a4c_bpm"] / pair["heart_rate_a2c_bpm"] - 1) < 0.1 for pair in result["biplane"]["beats"]
    )
    assert seen == [(done, 240) for done in range(1, 241)]
    one, other = sorted(tmp_path.iterdir())
    assert json.loads((one / "summary.json").read_text()) == result
    assert json.loads((other / "summary.json").read_text()) == result["a2c"]
    assert {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}


def test_rates_too_different_leave_both_views_their_figures_and_say_why() -> None:
    fast = A2C.replace("hr=74", "hr=120")
    result = process_traced(a2c=fast)
    assert (result["ef_percent"], result["edv"], result["ef_method"]) == (None, None, "biplane")
    assert "heart rates within 10%" in result["ef_reason"]
    assert result["a2c"]["ef_percent"] == pytest.approx(50, abs=2.5)


def test_an_a2c_recording_that_cannot_be_opened_stops_before_the_first_frame(tmp_path: Path) -> None:
    frames: list[int] = []
    with pytest.raises(SourceNotFoundError, match=r"missing\.dcm"):
        process(A4C, Traced(A4C), a2c="missing.dcm", out=tmp_path, progress=lambda done, expected: frames.append(done))
    assert not frames
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "message"), [
    ({"ef_method": "biplane"}, "expected an A2C recording"),
    ({"a2c": A2C, "ef_method": "area"}, "made of disks"),
])  # fmt: skip
def test_methods_that_do_not_go_with_the_recordings_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        process(A4C, Traced(A4C), **options)


def test_the_command_line_shows_the_biplane_figure_over_both_views_and_names_what_is_missing(tmp_path: Path) -> None:
    clip = "height=240&width=320&fps=25&variety=0.2&seconds="
    run = echo_rt(
        "file",
        f"phantom:?seed=11&{clip}4",
        "--a2c",
        f"phantom:?seed=12&named=A2C&{clip}4",
        "--out",
        tmp_path,
        "--no-overlay",
    )
    assert run.returncode == 0, run.stderr
    assert [line.split()[0] for line in run.stdout.splitlines()[1:4]][1:] == ["A4C", "A2C"]
    assert "EF by biplane" in run.stdout
    short = echo_rt("file", f"phantom:?seed=11&{clip}4", "--a2c", f"phantom:?seed=12&named=A2C&{clip}0.5")
    assert short.returncode == 2
    assert [line for line in short.stderr.splitlines() if "no accepted beat in the A2C recording" in line]
    assert len(short.stderr.strip().splitlines()) == 1
    missing = echo_rt("file", f"phantom:?seed=11&{clip}4", "--a2c", "missing.dcm")
    assert missing.returncode == 2
    assert len(missing.stderr.strip().splitlines()) == 1
    assert "missing.dcm" in missing.stderr
    two = echo_rt("file", f"phantom:?seed=11&{clip}4", f"phantom:?seed=12&{clip}4", "--a2c", "missing.dcm")
    assert "expected one A4C recording beside --a2c, found 2" in two.stderr
