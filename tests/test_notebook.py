"""Results in a notebook: their table, their figure and their data frames; and what a user's own tools know of them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

import echo_rt
from echo_rt.errors import MissingExtraError, ParameterError
from support.results import provenance, result_of
from support.synthetic import clip

USER = Path(__file__).parent / "support" / "user_program.py"
SMALL = "phantom:?ef=60&hr=90&fps=25&seconds=3&height=120&width=160"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[echo_rt.RecordingResult, Path]:
    """The result of a phantom, and the folder of its files."""
    out = tmp_path_factory.mktemp("out")
    result = echo_rt.process(SMALL, out=out, name="phantom", overlay=False, device="cpu")
    return result, out / "phantom"


def cells(html: str) -> dict[str, str]:
    """The rows of a table; it must be well-formed."""
    root = ElementTree.fromstring(f"<div>{html}</div>")
    rows = root.iter("tr")
    return {row.findtext("th") or "": row.findtext("td") or "" for row in rows} | {"": root.findtext(".//caption")}


def test_a_result_shows_its_figures_and_its_curve() -> None:
    result = result_of(clip(100, rejected=frozenset({1})))
    html = result._repr_html_()
    shown = cells(html)
    assert shown[""] == "clip.dcm"
    assert shown["EF"].startswith(f"{result.ef.percent:.0f} % (")
    assert shown["beats"] == f"{result.accepted_beats} of {len(result.beats)} count"
    assert f"{result.edv:,.0f} {result.volume_unit}" in shown["EDV, ESV"]
    path = ElementTree.fromstring(f"<div>{html}</div>").find(".//path")
    assert path is not None
    assert result.curves is not None
    step = max(1, -(-len(result.curves.t_s) // 320))
    known = [v for v in result.curves.volume[::step] if v == v]
    assert path.attrib["d"].count("L") + path.attrib["d"].count("M") == len(known)


def test_what_a_file_says_is_text_and_no_markup() -> None:
    said = replace(provenance(), recording="<script>x</script>\n.dcm", notes=("<b>&",))
    html = result_of(clip(30), source=said)._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    shown = cells(html)
    assert shown[""] == "<script>x</script>\\n.dcm"
    assert shown["note"] == "<b>&"


def test_a_result_without_a_figure_says_why() -> None:
    result = result_of()
    assert cells(result._repr_html_())["EF"] == "none: no frames"
    assert repr(result) == "RecordingResult('clip.dcm', no EF: no frames, 0 beats, 0 frames)"


def test_a_reading_shows_its_frame() -> None:
    _, reading = list(clip(30))[-1]
    shown = cells(reading._repr_html_())
    assert shown[""] == f"frame {reading.index} at {reading.t_s:.3f} s"
    assert shown["frame"] == "usable"
    assert reading.ventricle is not None
    assert shown["LV volume"].startswith(f"{reading.ventricle.volume:,.0f}")


def test_the_figure_is_that_of_the_file(kept, tmp_path: Path) -> None:
    result, folder = kept
    drawn = result.plot()
    (line,) = [line for line in drawn.axes[0].lines if len(line.get_xdata()) == result.frames.total][1:]
    assert list(line.get_xdata()) == list(result.curves.t_s)
    assert drawn._repr_png_()[:4] == b"\x89PNG"
    from matplotlib.image import imread

    drawn.savefig(tmp_path / "own.png")
    assert imread(tmp_path / "own.png").shape == imread(folder / "curve.png").shape


def test_a_result_without_a_curve_says_what_is_expected() -> None:
    with pytest.raises(ParameterError, match=r"expected a result of echo_rt.process"):
        replace(result_of(), curves=None).plot()


def test_the_beats_as_a_data_frame_are_those_of_the_summary(kept) -> None:
    pytest.importorskip("pandas", reason="needs pandas: pip install 'echo-rt[pandas]'")
    result, folder = kept
    frame = result.to_dataframe()
    assert json.loads(frame.to_json(orient="records")) == json.loads((folder / "summary.json").read_text())["beats"]
    assert list(result_of().to_dataframe().columns) == list(frame.columns), "without a beat too"


def test_readings_as_a_data_frame_are_those_of_the_table(kept) -> None:
    pytest.importorskip("pandas", reason="needs pandas: pip install 'echo-rt[pandas]'")
    _, folder = kept
    frame = echo_rt.to_dataframe(echo_rt.stream(SMALL, device="cpu"))
    with (folder / "readings.csv").open() as file:
        heading, *rows = csv.reader(file)
    stages = {f"time_{stage}_ms" for stage in next(iter(echo_rt.stream(SMALL, device="cpu"))).time_ms}
    assert list(frame.columns) == [name for name in heading if name not in stages]
    assert len(frame) == len(rows)
    volume = heading.index("volume_ml")
    assert [f"{found:.6g}" for found in frame["volume_ml"]] == [row[volume] for row in rows]


def test_without_pandas_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"a data frame needs .* pip install 'echo-rt\[pandas\]'"):
        result_of().to_dataframe()


def test_a_users_program_passes_pyright_in_its_strict_mode(tmp_path: Path) -> None:
    if find_spec("basedpyright") is None:
        pytest.skip("needs basedpyright, which the dev extra brings")
    settings = {"typeCheckingMode": "strict", "include": ["."], "pythonVersion": "3.10"}
    (tmp_path / "program.py").write_text(USER.read_text())
    (tmp_path / "wrong.py").write_text("import echo_rt\n\nn: int = echo_rt.process('x').ef.percent\n")
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--outputjson"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    found = json.loads(run.stdout)["generalDiagnostics"]
    told = [f"{Path(each['file']).name}:{each['range']['start']['line']}: {each['message']}" for each in found]
    assert [line for line in told if not line.startswith("wrong.py")] == []
    assert len(told) == 1, "the types are looked at: a wrong one is found"
