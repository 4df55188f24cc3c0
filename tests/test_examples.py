"""Every example in the README and in docs/: a command is one that there is, and what can run in a moment is run."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from echo_rt.cardiac.measures.beat_samples import BeatSamples
from echo_rt.commands.app import app
from echo_rt.measures import Measure, Unknown
from support.examples import SHELL, Block, Command, blocks, commands, options, parsed, spans

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for page in PAGES for block in blocks(ROOT, page)]
COMMANDS = [command for block in BLOCKS if block.language in SHELL for command in commands(block)]
OURS = [command for command in COMMANDS if command.words[0] == "echo-rt"]
PYTHON = [block for block in BLOCKS if block.language in ("python", "py", "pycon")]

TREE: Any = typer.main.get_command(app)

GIVEN = {"docs/measures.md": {"BeatSamples": BeatSamples, "Measure": Measure, "Unknown": Unknown}}
"""Names that the code of a page has from the module that it goes into."""

SMALL = "phantom:?ef=60&hr=90&fps=25&seconds=2&height=120&width=160"

QUICK = ("file", "models")
"""Commands that are run, where they read what `folder` has, and ask for nothing that a machine may lack."""

HERE = ("clip.dcm", "recordings/", "more/*.avi", "A4C", "A2C", "a4c.dcm", "a2c.dcm")
LACKED = ("--a2c", "--report", "--device", "my.onnx", "s3:", "--fps")
"""Of these a library, a device, a file or a second view of the same heart is not there; such a command is read only."""


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Short recordings of two simulated hearts."""
    made = []
    for seed in (1, 2):
        path = tmp_path_factory.mktemp("clip") / "clip.dcm"
        form = ("ef=60", "hr=90", "fps=25", "seconds=2", "height=120", "width=160", f"seed={seed}")
        said = CliRunner().invoke(app, ["phantom", str(path), *form])
        assert said.exit_code == 0, said.output
        made.append(path)
    return made


@pytest.fixture
def folder(clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an example runs: it has the recordings that the pages speak of."""
    (tmp_path / "recordings").mkdir()
    (tmp_path / "more").mkdir()
    for name in ("clip.dcm", "recordings/one.dcm", "more/two.avi", "A4C", "A2C", "a4c.dcm", "a2c.dcm"):
        os.link(clips[name.lower().startswith("a2c")], tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def synopsis(command: Command) -> bool:
    """Whether it lists what there is, such as ``[--view window|web]``, or leaves out a part, and is none to run."""
    return bool(re.search(r"\[-|\.\.\.|…|<\w+>", command.whole))


def is_quick(command: Command) -> bool:
    name, *rest = command.words[1:] or [""]
    if name not in QUICK or command.block.not_run or any(word in command.whole for word in LACKED):
        return False
    read = [word for word in rest if word in HERE or word.startswith("phantom:")]
    return name == "models" or bool(read)


@pytest.mark.parametrize("command", OURS, ids=str)
def test_a_command_on_a_page_is_one_that_there_is(command: Command) -> None:
    if synopsis(command):
        known = options(TREE, command.words[1:])
        assert not set(re.findall(r"(?<!\S)\[?(--?[a-z][-a-z0-9]*)", command.whole)) - known
    else:
        parsed(TREE, command.words[1:])


def inline() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for span in spans(ROOT, page):
            if re.match(r"echo-rt [a-z]", span):
                yield page, span


@pytest.mark.parametrize(("page", "span"), sorted(set(inline())))
def test_a_command_in_a_sentence_is_one_that_there_is(page: str, span: str) -> None:
    words = tuple(span.split()[1:])
    assert TREE.get_command(typer.Context(TREE), words[0]) is not None
    named = set(re.findall(r"(?<!\S)\[?(--?[a-z][-a-z0-9]*)", span))
    assert not named - options(TREE, words)


@pytest.mark.parametrize("command", [c for c in OURS if is_quick(c) and not synopsis(c)], ids=str)
def test_a_command_that_is_quick_does_what_it_says(command: Command, folder: Path) -> None:
    words = [SMALL if word.startswith("phantom:") else word for word in command.words[1:]]
    wide = [part for word in words for part in (sorted(map(str, folder.glob(word))) if "*" in word else [word])]
    said = CliRunner().invoke(app, wide)
    assert said.exit_code == 0, said.output
    if "--out" in words:
        assert list((folder / words[words.index("--out") + 1]).glob("*/summary.json"))


def test_many_commands_are_run() -> None:
    assert len([c for c in OURS if is_quick(c)]) >= 5
    assert len(OURS) >= 40


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.words[0] in ("make", "python")], ids=str)
def test_a_target_or_a_program_on_a_page_is_there(command: Command) -> None:
    program, *words = command.words
    names = [word for word in words if "=" not in word and not word.startswith("-")]
    if program == "make":
        rules = "".join(path.read_text() for path in (ROOT / "Makefile", *ROOT.rglob("*/*.mk")))
        assert all(re.search(rf"^{re.escape(name)}\b.*:", rules, re.MULTILINE) for name in names)
    elif names and names[0].endswith(".py"):
        assert (ROOT / names[0]).is_file()


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "json"], ids=str)
def test_json_on_a_page_is_json(block: Block) -> None:
    json.loads(re.sub(r"^\s*//.*$", "", block.code, flags=re.MULTILINE))


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_on_a_page_runs(block: Block, folder: Path, request: pytest.FixtureRequest) -> None:
    code = compile(block.code, str(block), "exec")
    if block.not_run:
        pytest.skip(block.not_run)
    imported = {name.split(".")[0] for node in ast.walk(ast.parse(block.code)) for name in names_of(node)}
    for name in sorted(imported):
        pytest.importorskip(name, reason=f"the example needs {name}")
    if "results/table" in block.code:
        request.getfixturevalue("archive")
    exec(code, {"__name__": "example", **GIVEN.get(block.page, {})})


def names_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


@pytest.fixture
def archive(folder: Path) -> None:
    """The table of an archive of one recording, in the folder."""
    pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'echo-rt[archive]'")
    said = CliRunner().invoke(app, ["archive", "recordings/", "--out", "results", "--jobs", "1"])
    assert said.exit_code == 0, said.output


EXAMPLE = """Some words.

    echo-rt file 'a b.dcm' --out x | head   # a comment
    $ echo-rt train \\
        data.root=x > log

<!-- not run: it needs a camera -->

```python
print(1)
```

- a list

  ```sh
  echo-rt models
  ```
"""


def test_the_blocks_of_an_example_are_found(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(EXAMPLE)
    found = list(blocks(tmp_path, "page.md"))
    assert [(block.language, block.not_run) for block in found] == [
        ("", None),
        ("python", "it needs a camera"),
        ("sh", None),
    ]
    words = [command.words for block in found if block.language in SHELL for command in commands(block)]
    assert words == [
        ("echo-rt", "file", "a b.dcm", "--out", "x"),
        ("echo-rt", "train", "data.root=x"),
        ("echo-rt", "models"),
    ]


@pytest.mark.parametrize(
    "words", ["fil x.dcm", "file x.dcm --nope", "file", "export onx a", "live --port x", "file x --fps y"]
)
def test_a_command_that_there_is_not_is_refused(words: str) -> None:
    with pytest.raises(Exception, match=r"No such|Missing|valid (integer|number)"):
        parsed(TREE, tuple(words.split()))
