from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import echo_rt  # noqa: F401 - before a test imports ONNX Runtime: it switches off its telemetry

if TYPE_CHECKING:
    from echo_rt.viewer.web import WebViewer
    from support.looking import StandInControl

# The same examples in every run, on every machine; `make explore` draws others.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False, print_blob=True)
# For `make sanitize`: an example may take ten times as long as else.
settings.register_profile("sanitize", settings.get_profile("same"), deadline=None)
settings.load_profile("same")

# `auto` keeps the order of the devices, also in the processes that tests start: no test depends on what is faster.
os.environ["ECHO_RT_MEASURE"] = "0"

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def camus() -> Path:
    """The folder of CAMUS images, or a skip that says what is missing."""
    folder = Path(os.environ.get("ECHO_RT_CAMUS", REPOSITORY.parent / "shared" / "camus"))
    if not (folder / "index.csv").is_file():
        pytest.skip(f"no CAMUS images at {folder}; set ECHO_RT_CAMUS to a folder with index.csv")
    return folder


@pytest.fixture(scope="session")
def negatives() -> Path:
    """The folder of pictures and recordings without an apical view, or a skip that says what is missing."""
    folder = Path(os.environ.get("ECHO_RT_NEGATIVES", REPOSITORY.parent / "shared" / "negatives"))
    if not [*folder.glob("index.csv"), *folder.glob("*/index.csv")]:
        pytest.skip(f"no negatives at {folder}; set ECHO_RT_NEGATIVES to a folder with index.csv")
    return folder


@pytest.fixture(scope="session")
def field() -> Path:
    """The folder of recordings as people really have them, or a skip that says what is missing."""
    folder = Path(os.environ.get("ECHO_RT_FIELD", REPOSITORY.parent / "shared" / "field"))
    if not (folder / "EXPECTED.md").is_file():
        pytest.skip(f"no field recordings at {folder}; set ECHO_RT_FIELD to a folder with EXPECTED.md")
    return folder


@pytest.fixture(scope="session")
def cine() -> Path:
    """pydicom's real apical four-chamber cine: 30 frames, 320x240, 30 fps."""
    from pydicom.examples import get_path

    return Path(get_path("ybr_color"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder of three patients whose hearts are drawn."""
    from support.training import write_data

    return write_data(tmp_path)


@pytest.fixture
def user_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder of echo-rt: one of the test's own."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name, appauthor: tmp_path / "cache" / name)
    return tmp_path / "cache" / "echo-rt"


@pytest.fixture
def control(tmp_path: Path) -> StandInControl:
    """A feed that writes down what it is asked."""
    from support.looking import StandInControl

    return StandInControl(tmp_path / "snapshot.png")


@pytest.fixture
def viewer(control: StandInControl) -> Iterator[WebViewer]:
    """The page, served on a free port of this machine."""
    from echo_rt.viewer.web import WebViewer

    opened = WebViewer(control, "127.0.0.1", 0, None)
    yield opened
    opened.close()
