"""docs/measures.md says what the table of measures says, and its example of a new one works."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from echo_rt.cardiac.measures import rolling, table
from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.cardiac.measures.rolling import RollingMeasures
from echo_rt.cardiac.measures.table import MEASURES, measured
from echo_rt.cardiac.monitor import Monitor
from echo_rt.cardiac.rhythm import Rhythm
from echo_rt.chambers import Scale
from echo_rt.following import follow
from echo_rt.measures import Body, Measure, Unknown
from echo_rt.phantom import open_phantom
from echo_rt.reading import Beat
from support.hearts import A4C, SPEC, Traced

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "measures.md").read_text(encoding="utf-8")


class Row(NamedTuple):
    """What the page says of a measure."""

    group: str
    unit: str
    what: str
    needs: frozenset[str]
    usual: str
    source: str


def rows() -> list[tuple[str, Row]]:
    """Those of the tables of measures, by the name in outputs, in the order of the page."""
    found = []
    for section in PAGE.split("\n## ")[1:]:
        for line in re.findall(r"^\| (`.*) \|$", section, re.MULTILINE):
            names, unit, what, needs, usual, source = (cell.strip() for cell in re.split(r"(?<!\\)\|", line))
            row = Row(section.splitlines()[0], unit, what, frozenset(filter(None, needs.split(", "))), usual, source)
            found += [(name, row) for name in re.findall(r"`(\w+)`", names)]
    return found


SAID = dict(rows())
BY_NAME = {measure.column(Scale.MM): measure for measure in MEASURES}


def short(source: str) -> str:
    """Such as "Lang 2015"."""
    found = re.search(r"(\w+)(?: et al\.)?, [^:]*:[-\d]+, (\d{4})$", source)
    assert found is not None, source
    return f"{found[1]} {found[2]}"


def usual(measure: Measure) -> str:
    if (normal := measure.normal) is None:
        return ""
    if normal.low is not None and normal.high is not None:
        return f"{normal.low:g} to {normal.high:g}"
    return f"≤ {normal.high:g}" if normal.low is None else f"≥ {normal.low:g}"


def test_the_page_has_every_measure_once() -> None:
    names = [name for name, _ in rows()]
    assert sorted(names) == sorted(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_page_says_of_a_measure_what_the_table_says(name: str) -> None:
    measure, row = BY_NAME[name], SAID[name]
    assert (row.group, row.unit, row.usual) == (measure.group, measure.unit, usual(measure))
    source, range_of = short(measure.source), measure.normal and short(measure.normal.source)
    assert row.source == (source if range_of in (None, source) else f"{source}, range {range_of}")
    assert row.what
    assert row.needs & {"A4C", "A2C"} == ({measure.view} if measure.view else set())


def test_every_source_is_given_in_full() -> None:
    given = re.findall(r"^- (.*\d{4})$", PAGE.split("\n## Sources\n")[1], re.MULTILINE)
    cited = {source for m in MEASURES for source in (m.source, *([m.normal.source] if m.normal else []))}
    assert given == sorted({source.split(": ")[-1] for source in cited})


@pytest.fixture(scope="module")
def beat() -> BeatSamples:
    """The first beat that counts of a small heart, with all that a measure takes."""
    known: list[BeatSamples] = []
    update = RollingMeasures.update

    def kept(measures: RollingMeasures, samples: BeatSamples) -> Beat:
        known.append(samples)
        return update(measures, samples)

    with pytest.MonkeyPatch.context() as patched, open_phantom(A4C) as source:
        patched.setattr(RollingMeasures, "update", kept)
        for _, reading in follow(source, Traced(A4C), Monitor(SPEC, view="A4C")):
            if reading.beat is not None and reading.beat.accepted:
                break
    return changed(known[-1], body=Body(170, 70))


def changed(beat: BeatSamples, fps: float = 50.0, **parts: object) -> BeatSamples:
    """The beat with other parts, as if of so many frames a second: a small phantom has fewer than all measures need."""
    found = replace(beat, **parts)
    found.__dict__["fps"] = fps
    return found


def without_atrium(beat: BeatSamples) -> BeatSamples:
    unseen = (np.nan, np.nan)
    return changed(beat, samples=[replace(sample, atrium_volumes=unseen) for sample in beat.samples])


WITHOUT: dict[str, Callable[[BeatSamples], BeatSamples]] = {
    "scale": lambda beat: changed(beat, scale=Scale.PX),
    "patient": lambda beat: changed(beat, body=Body()),
    "atrium": without_atrium,
    "wall": lambda beat: changed(beat, wall=None),
    "speckle": lambda beat: changed(beat, wall=replace(beat.wall, along_percent=np.nan)),
    "systole": lambda beat: changed(beat, systole=None),
    "30 fps": lambda beat: changed(beat, fps=29.0),
    "40 fps": lambda beat: changed(beat, fps=39.0),
}
"""A beat without what some measures need."""

MORE = {"wall": {"wall", "speckle"}, "30 fps": {"30 fps", "40 fps"}}
"""Whatever needs the second needs the first."""


@pytest.mark.parametrize("need", WITHOUT)
@pytest.mark.parametrize("view", ["A4C", "A2C"])
def test_without_what_it_needs_a_measure_has_the_reason_that_the_page_names(
    need: str, view: str, beat: BeatSamples
) -> None:
    seen = changed(beat, view=view)
    whole, part = measured(seen), measured(WITHOUT[need](seen))
    known = {name for name, value in whole.items() if isinstance(value, float)}
    lost = {name: without_figures(part[name]) for name in known if isinstance(part[name], str)}
    words = MORE.get(need, {need})
    assert lost.keys() == {m.name for column, m in BY_NAME.items() if m.name in known and SAID[column].needs & words}
    assert lost
    assert set(lost.values()) <= reasons(words)


def reasons(words: set[str]) -> set[str]:
    """Those that the page has for what is needed."""
    needs = PAGE.split("\n## What a measure needs\n")[1].split("\n## ")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in needs.splitlines() if line.startswith("| ")]
    return {
        without_figures(reason)
        for word, _, said in lines
        if words & set(word.split(", "))
        for reason in said.split("; ")
    }


def without_figures(reason: object) -> str:
    return re.sub(r"\d+", "0", str(reason))


def test_all_that_needs_nothing_special_has_a_figure(beat: BeatSamples) -> None:
    found = measured(beat)
    for name, measure in BY_NAME.items():
        if not SAID[name].needs & {"A2C", "both views"}:
            assert isinstance(found[measure.name], float), (name, found[measure.name])


def test_the_example_of_a_new_measure_is_measured(monkeypatch: pytest.MonkeyPatch, beat: BeatSamples) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {"BeatSamples": BeatSamples, "Measure": Measure, "Unknown": Unknown}
    exec("from __future__ import annotations\n" + code, names)
    new = names["MEASURES"]
    assert isinstance(new, tuple)
    for module in (table, rolling):
        monkeypatch.setattr(module, "MEASURES", MEASURES + new)
    measures = RollingMeasures(Body())
    done = measures.update(beat)
    found = measures.of((done,), Scale.MM, Rhythm())["axis_shortening_percent"]
    assert found.value == pytest.approx(100 * (1 - done.details.disks.es.length / done.details.disks.ed.length))
    assert 2 < found.value < 40
