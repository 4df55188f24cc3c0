"""Whoever reads a page, a help text or a message understands each sentence at the first reading: it is short.

What was tried and measured is a log, and exempt: train/LOG.md and benchmarks/results.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

import pytest
import typer.main

import echo_rt.errors
from echo_rt.commands.app import app
from support.sentences import Sentence, of_docstrings, of_messages, of_page, of_text

ROOT = Path(__file__).resolve().parents[1]

WORDS, MEDIAN_WORDS = 30, 14
"""The most words of a sentence anywhere, and of the middle one in the README and docs/. CONTRIBUTING.md asks for 25."""

GUIDES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
PAGES = [
    *GUIDES,
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "models").glob("*.md")),
    *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md"),
]
PACKAGES = ("runtime", "network", "export", "train")
SAYS = frozenset({"BadParameter", "UsageError", "echo", "secho"})
"""What puts words before a user beside errors."""


def page(name: str) -> list[Sentence]:
    return list(of_page(name, (ROOT / name).read_text(encoding="utf-8")))


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def too_long(sentences: Iterable[Sentence]) -> str:
    return "\n".join(str(sentence) for sentence in sentences if sentence.words > WORDS)


EXAMPLE = """# A heading is no sentence. Nor are its parts.

S. Leclerc measured 4.5 ms (`a.b c`). The rest
of it is **here**, at [a page](docs/of.md). `code` begins a sentence.

| a table. | is left out. |
|---|---|
| all. | of it. |

    code. is. too.

- An item
- is one, e.g. this.
"""


def test_the_sentences_of_an_example_are_found() -> None:
    found = [(sentence.line, sentence.text, sentence.words) for sentence in of_page("page", EXAMPLE)]
    assert found == [
        (3, "S. Leclerc measured 4.5 ms (a.b c).", 7),
        (3, "The rest\nof it is here, at a page.", 9),
        (4, "code begins a sentence.", 4),
        (12, "An item", 2),
        (13, "is one, e.g. this.", 4),
    ]


def test_a_long_sentence_is_named_with_its_place() -> None:
    assert too_long(of_page("page", "Short.\nAnd " + "so on " * 15)) == "page:2: 31 words: And " + " ".join(
        ["so on"] * 15
    )


def test_the_words_of_a_message_are_found() -> None:
    code = (
        'def f():\n    """Say it.\n\n    Rest."""\n    raise SomeError(f"{a} is {b!r} " + ("one." if c else "two."))\n'
    )
    assert [s.text for s in of_messages("m", ast.parse(code), frozenset({"SomeError"}))] == [
        "X is X one.",
        "X is X two.",
    ]
    assert [s.text for s in of_docstrings("m", ast.parse(code))] == ["Say it."]


@pytest.mark.parametrize("name", PAGES)
def test_no_sentence_of_a_page_is_long(name: str) -> None:
    sentences = page(name)
    assert sentences
    assert not (long := too_long(sentences)), f"at most {WORDS} words a sentence, better 25:\n{long}"


def test_half_of_the_sentences_of_the_guides_are_short() -> None:
    words = [sentence.words for name in GUIDES for sentence in page(name)]
    assert median(words) <= MEDIAN_WORDS


def helps(command: object, path: str) -> Iterator[Sentence]:
    """The help of a command, of its options and of all commands below it."""
    for text in (getattr(command, "help", None), getattr(command, "epilog", None)):
        for part in (text or "").split("\n\n"):
            if not part.startswith("\b"):  # examples, which are printed as they are
                yield from of_text(path, 1, part)
    for parameter in getattr(command, "params", ()):
        yield from of_text(f"{path} {parameter.opts[0]}", 1, getattr(parameter, "help", None) or "")
    for name, child in getattr(command, "commands", {}).items():
        yield from helps(child, f"{path} {name}")


def test_no_sentence_of_a_help_text_is_long() -> None:
    sentences = list(helps(typer.main.get_command(app), "echo-rt"))
    assert {"echo-rt", "echo-rt file --out"} <= {sentence.file for sentence in sentences}
    assert not (long := too_long(sentences)), long


def test_no_docstring_begins_with_a_long_sentence() -> None:
    assert not (long := too_long(s for name, module in modules() for s in of_docstrings(name, module))), long


def test_no_sentence_of_a_message_is_long() -> None:
    errors = frozenset(name for name in vars(echo_rt.errors) if name.endswith("Error"))
    sentences = [s for name, module in modules() for s in of_messages(name, module, errors | SAYS)]
    assert len(sentences) > 100
    assert not (long := too_long(sentences)), long
