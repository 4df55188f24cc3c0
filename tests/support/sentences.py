"""The sentences of a page, a help text, a docstring or a message, with the line where each begins."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

END = re.compile(r"""(?<=[.!?])["')\]*_”]*\s+|\n{2,}""")
"""A sentence ends at a full stop and a space. A point inside a number, a file name or code has no space behind it."""

NO_END = re.compile(r"(?:\b[A-Z]|\be\.g|\bi\.e|\bet al|\bvs|\bapprox|\bno)\.$")
"""An initial or an abbreviation."""

LEFT_OUT = {"table_open": "table_close", "heading_open": "heading_close"}
"""What of a page is not made of sentences. Code, comments and the targets of links never come as text."""


class Sentence(NamedTuple):
    """A sentence and where it stands."""

    file: str
    line: int
    text: str

    @property
    def words(self) -> int:
        """How many words it has: what stands between spaces and holds a letter or a digit."""
        return sum(any(map(str.isalnum, word)) for word in self.text.split())

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.words} words: {' '.join(self.text.split())}"


def of_page(file: str, text: str) -> Iterator[Sentence]:
    """Those of a Markdown page. An item of a list begins anew; code blocks, tables and headings are left out."""
    until = None
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if until is None:
            until = LEFT_OUT.get(token.type)
        elif token.type == until:
            until = None
        if until is None and token.type == "inline" and token.map:
            yield from of_text(file, token.map[0] + 1, _plain(token))


def _plain(inline: Token) -> str:
    """What a reader sees of a paragraph, line by line."""
    return "".join(
        "\n" if child.type in {"softbreak", "hardbreak"} else child.content for child in inline.children or ()
    )


def of_text(file: str, line: int, text: str) -> Iterator[Sentence]:
    """Those of plain text that begins on a line."""
    begin = 0
    for end in [*END.finditer(text), None]:
        sentence = text[begin : end.start() if end else len(text)]
        if end and "\n\n" not in end[0] and NO_END.search(sentence):
            continue
        if sentence.strip():
            yield Sentence(file, line + text[:begin].count("\n"), sentence.strip())
        begin = end.end() if end else len(text)


def of_docstrings(file: str, module: ast.Module) -> Iterator[Sentence]:
    """Those of the first paragraph of every docstring."""
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text is not None:
                yield from of_text(file, node.body[0].lineno, text.split("\n\n")[0])


def of_messages(file: str, module: ast.Module, errors: frozenset[str]) -> Iterator[Sentence]:
    """Those of every message that is given to one of these errors, or printed. A value that is put in is one word."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _name(node.func) in errors:
            for argument in node.args:
                for text in _literals(argument):
                    yield from of_text(file, node.lineno, text)


def _name(function: ast.expr) -> str:
    return (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )


def _literals(node: ast.expr) -> list[str]:
    """The texts that an expression may become; what only the running program knows is the word `X`."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join((_literals(part) or ["X"])[0] for part in parts)]
        case ast.IfExp(body=one, orelse=other):
            return _literals(one) + _literals(other)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [first + second for first in _literals(left) or ["X"] for second in _literals(right) or ["X"]]
    return []
