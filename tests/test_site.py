"""The site's sources: every public name, option and variable has its place, and every page its line in the menu."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

import echo_rt
from echo_rt.commands.app import app
from echo_rt.sources.limits import Limits, variable

command_page = pytest.importorskip("command_page")
import python_page  # noqa: E402
import repository  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("runtime", "network", "export", "train")


class Site(yaml.SafeLoader):
    """Reads mkdocs.yml, whose tags name functions of its plug-ins."""


Site.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)


def menu(entries: Any) -> Iterator[str]:
    """The pages of a menu, those below its headings too."""
    if isinstance(entries, str):
        yield entries
    for entry in entries.values() if isinstance(entries, dict) else entries if isinstance(entries, list) else ():
        yield from menu(entry)


def test_every_page_of_docs_is_in_the_menu_once() -> None:
    pages = [*menu(yaml.load((ROOT / "mkdocs.yml").read_text(), Site)["nav"])]
    assert len(pages) == len(set(pages))
    assert {path.name for path in DOCS.glob("*.md")} <= set(pages)


def test_every_public_name_has_its_place() -> None:
    text = python_page.markdown() + python_page.errors_markdown()
    said = set(re.findall(r"^::: echo_rt\.(\w+)$", text, re.MULTILINE)) | {"__version__"}
    assert said >= set(echo_rt.__all__)
    assert "`echo_rt.__version__`" in text


def options(command: Any, path: str, context: Any = None) -> Iterator[tuple[str, str]]:
    """Every option of a command and of those below it, with the command."""
    context = command.context_class(command, info_name=path, parent=context)
    for parameter in command.get_params(context):
        if parameter.param_type_name == "option" and not parameter.hidden:
            yield from ((path, name) for name in (*parameter.opts, *parameter.secondary_opts))
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from options(command.get_command(context, name), f"{path} {name}", context)


OPTIONS = [*options(typer.main.get_command(app), "echo-rt")]


def test_every_option_of_every_command_has_its_place() -> None:
    parts = re.split(r"^##+ (echo-rt.*)$", command_page.markdown(), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert len(OPTIONS) > 100
    missing = [
        (path, name)
        for path, name in OPTIONS
        if name not in {"-h", "--help"} and not re.search(rf"^\| `[^`]*{name}\b", sections[path], re.MULTILINE)
    ]
    assert not missing


def test_the_manual_page_has_every_option_and_its_text_is_whole() -> None:
    text = command_page.manual().replace(r"\-", "-")
    assert all(
        re.search(rf"^\.B .*{name}\b", text, re.MULTILINE) for _, name in OPTIONS if name not in {"-h", "--help"}
    )
    assert "\n    echo-rt file clip.dcm --out results\n" in text


def test_groff_takes_the_manual_page_without_a_warning() -> None:
    if (groff := shutil.which("groff")) is None:
        pytest.skip("no groff (Debian: groff)")
    made = subprocess.run([groff, "-man", "-ww", "-Tutf8"], input=command_page.manual(), capture_output=True, text=True)
    assert (made.returncode, made.stderr) == (0, "")
    assert "Ctrl-C or SIGTERM ended it." in made.stdout


def read_variables() -> Iterator[str]:
    """The names of this kind that the packages hold as a text of their own: variables that they read or set."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and re.fullmatch(r"ECHO_RT_[A-Z_]*[A-Z]", str(node.value)):
                    yield str(node.value)
                elif isinstance(node, ast.Call | ast.Subscript):
                    yield from _of_environment(node)


def _of_environment(node: ast.Call | ast.Subscript) -> Iterator[str]:
    """The name that is looked up in `os.environ`."""
    called, keys = (node.func, node.args[:1]) if isinstance(node, ast.Call) else (node.value, [node.slice])
    if re.fullmatch(r"os\.(environ(\.get|\.setdefault|\.pop)?|getenv)", ast.unparse(called)):
        yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))


def test_every_variable_of_the_environment_has_its_place() -> None:
    page = (DOCS / "environment.md").read_text()
    limits = (DOCS / "robustness.md").read_text().split("\n## Limits\n")[1].split("\n## ")[0]
    found = set(read_variables())
    assert {"ECHO_RT_SHARED", "ECHO_RT_TOKEN", "DISPLAY", "ORT_DISABLE_TELEMETRY"} <= found
    assert not {name for name in found if f"`{name}`" not in page}
    assert not {field.name for field in fields(Limits) if f"| `{field.name.upper()}` |" not in limits}
    assert variable("frame_pixels") in page


def test_a_link_leads_to_the_same_file_on_the_site() -> None:
    text = "[a](../models/lv-edge.md#accuracy) [b](live.md) [c](https://host/x.md) [d](#here) [e](../missing.md)"
    assert repository.in_site(text, "figures.md") == text.replace("../models", "models")
    assert repository.in_site("[a](docs/live.md#viewers)", "SECURITY.md") == "[a](live.md#viewers)"
    assert repository.in_site("[a](../docs/live.md)", "models/lv-edge.md") == "[a](../live.md)"


def test_what_a_page_leads_to_is_on_the_site_with_what_that_leads_to() -> None:
    assert {"SECURITY.md", "CHANGELOG.md", "benchmarks/growth.png"} <= set(repository.linked(["README.md"]))
