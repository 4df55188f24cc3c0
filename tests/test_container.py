"""CITATION.cff, the issue forms, Dockerfile and compose.yaml go with the program: none of them can be run here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

import echo_rt
from echo_rt.commands.app import app
from echo_rt.node.peers import parse_peer

tomllib = pytest.importorskip("tomllib")

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "echo-rt"]


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == PROJECT["version"] == echo_rt.__version__
    assert cited["license"] == PROJECT["license"]


@pytest.mark.parametrize("name", ["fault", "figure", "wish"])
def test_an_issue_form_asks_for_something_and_each_question_has_its_name(name: str) -> None:
    form = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    questions = [part for part in form["body"] if part["type"] != "markdown"]
    names = [part["id"] for part in questions]
    assert form["name"]
    assert form["description"]
    assert len(set(names)) == len(names)
    assert any(part.get("validations", {}).get("required") for part in questions)


def test_the_image_is_of_extras_that_there_are_and_runs_without_rights() -> None:
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    last = DOCKERFILE[DOCKERFILE.rindex("FROM ") :]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["echo-rt"]
    assert not re.search(r"^(COPY|ADD) \.", last, re.MULTILINE)


def test_what_the_build_needs_is_not_left_out_of_the_image() -> None:
    left_out = {line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")}
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["scikit-build"]["wheel"]["packages"]
    needed = {PROJECT["readme"], "models", "cmake", "CMakeLists.txt", "constraints.txt"} | {
        p.split("/")[0] for p in wheel
    }
    assert all((ROOT / name).exists() for name in needed)
    assert not needed & left_out


@pytest.mark.parametrize("name", OURS)
def test_a_service_asks_for_what_the_command_line_has(name: str) -> None:
    command, *words = SERVICES[name]["command"]
    found: Any = typer.main.get_command(app).commands[command]
    context = found.context_class(found, info_name=command)
    known = {name for parameter in found.get_params(context) for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known
    assert SERVICES[name]["read_only"]
    assert SERVICES[name]["healthcheck"]["test"]


def test_the_services_are_open_to_this_machine_alone_and_know_each_other() -> None:
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service.get("ports", ()))
    command = SERVICES["node"]["command"]
    peer = parse_peer(command[command.index("--peer") + 1])
    assert peer.host in SERVICES
    configs = yaml.safe_load((ROOT / "compose.yaml").read_text())["configs"]
    orthanc = yaml.safe_load(configs["orthanc"]["content"])
    assert (peer.title, peer.port) == (orthanc["DicomAet"], orthanc["DicomPort"])
    assert orthanc["DicomModalities"]["echo-rt"] == ["ECHO-RT", "node", 11112]


@pytest.mark.parametrize("name", OURS)
def test_a_check_of_health_is_python(name: str) -> None:
    first, program, option, code = SERVICES[name]["healthcheck"]["test"]
    assert (first, program, option) == ("CMD", "python", "-c")
    compile(code, name, "exec")
