"""The house: how long functions, classes and modules may be, and what each package says of itself."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = ("runtime/", "network/", "export/", "train/")
TESTS = ("tests/", "benchmarks/")
NATIVE = (".hpp", ".cpp", ".cu")

FUNCTION_LINES = 60
CLASS_FIELDS = 12
MODULE_LINES = 300
COLUMNS = 120
TREE_BYTES = 56 * 2**20


@cache
def repository() -> list[str]:
    """The files of the repository, with those that wait to be added."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout: the files of the repository are those that git lists")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in set(listed) if (ROOT / name).is_file())


def files(*suffixes: str, under: tuple[str, ...] = PACKAGES + TESTS) -> list[str]:
    """The files below these folders whose names end so; the folders hold some."""
    found = [name for name in repository() if name.startswith(under) and name.endswith(suffixes)]
    assert found
    return found


@cache
def lines(name: str) -> list[str]:
    return (ROOT / name).read_text().splitlines()


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


def function_lengths(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Name and lines of every function, docstring included."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1


def class_fields(module: ast.Module) -> Iterator[tuple[str, set[str]]]:
    """Name and fields of every class: those annotated in its body, and each `self.x` that its methods assign."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            annotated = [part.target for part in node.body if isinstance(part, ast.AnnAssign)]
            assigned = [part for part in own_nodes(node) if isinstance(part, ast.Attribute) and is_assigned(part)]
            yield node.name, {x.id for x in annotated if isinstance(x, ast.Name)} | {x.attr for x in assigned}


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Everything in a class but the classes in it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.ClassDef):
            yield child
            yield from own_nodes(child)


def is_assigned(part: ast.Attribute) -> bool:
    return isinstance(part.ctx, ast.Store) and isinstance(part.value, ast.Name) and part.value.id == "self"


EXAMPLE = """
class Outer:
    a: int
    LIMIT = 3

    def f(self):
        self.b, self.c = 1, 2
        self.b += 1
        self.a = other.d = self.e.f

        class Inner:
            g: int
"""


def test_the_functions_and_fields_of_an_example_are_counted() -> None:
    assert list(function_lengths(ast.parse(EXAMPLE))) == [("f", 7)]
    assert dict(class_fields(ast.parse(EXAMPLE))) == {"Outer": {"a", "b", "c"}, "Inner": {"g"}}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{name}: {function} has {length} lines"
        for name in files(".py")
        for function, length in function_lengths(tree(name))
        if length > FUNCTION_LINES
    ]
    assert not long, report(long, f"at most {FUNCTION_LINES} lines a function")


def test_no_class_holds_more_than_a_reader_can_keep_in_mind() -> None:
    large = [
        f"{name}: {kind} has {len(fields)} fields"
        for name in files(".py", under=PACKAGES)
        for kind, fields in class_fields(tree(name))
        if len(fields) > CLASS_FIELDS
    ]
    assert not large, report(large, f"at most {CLASS_FIELDS} fields a class")


def test_no_file_of_code_is_longer_than_its_limit() -> None:
    long = [f"{name}: {len(lines(name))} lines" for name in files(".py", *NATIVE) if len(lines(name)) > MODULE_LINES]
    assert not long, report(long, f"at most {MODULE_LINES} lines a file")


def test_no_line_is_wider_than_its_limit() -> None:
    wide = [
        f"{name}:{number}: {len(line)} columns"
        for name in files(".py", *NATIVE)
        for number, line in enumerate(lines(name), 1)
        if len(line) > COLUMNS
    ]
    assert not wide, report(wide, f"at most {COLUMNS} columns a line")


def test_every_package_says_what_lives_there_and_what_it_may_import() -> None:
    silent = []
    for name in files("/__init__.py", under=PACKAGES):
        said = ast.get_docstring(tree(name)) or ""
        if not 2 <= (length := len(said.splitlines())) <= 10:
            silent.append(f"{name}: {length} lines")
        elif "may import" not in said.lower():
            silent.append(f"{name}: not a word on what it may import")
    assert not silent, report(silent, "a docstring of two to ten lines that says what the package may import")


def test_no_test_imports_from_another_tests_file() -> None:
    borrowed = []
    for name in files(".py", under=TESTS):
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                if any(part.startswith("test_") for module in modules for part in module.split(".")):
                    borrowed.append(f"{name}:{node.lineno}: {ast.unparse(node)}")
    assert not borrowed, report(borrowed, "what several tests need in tests/support")


def test_the_repository_is_small_enough_to_clone() -> None:
    sizes = sorted(((ROOT / name).stat().st_size, name) for name in repository())
    total = sum(size for size, _ in sizes)
    most = [f"{name}: {size / 2**20:.1f} MiB" for size, name in sizes[-5:]]
    assert total < TREE_BYTES, report(most, f"less than {TREE_BYTES >> 20} MiB in all, {total >> 20} MiB with these")


def report(offenders: list[str], expected: str) -> str:
    return "\n  ".join([f"expected {expected}, found", *offenders])


def test_tests_on_drawn_examples_draw_the_same_ones_in_every_run() -> None:
    from hypothesis import settings

    assert settings.get_profile("same").derandomize
    assert not settings.get_profile("explore").derandomize
    own = "derandomize="
    assert [name for name in files(".py", under=("tests/",)) if own in (ROOT / name).read_text()] == [
        "tests/conftest.py",
        "tests/test_house.py",
    ], "a test of its own mind would not be explored"
