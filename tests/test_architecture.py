"""The house: who may import whom. Read from the source, not from what happens to run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = {
    "echo_rt": ("runtime", set()),
    "echo_rt_network": ("network", {"echo_rt"}),
    "echo_rt_export": ("export", {"echo_rt", "echo_rt_network"}),
    "echo_rt_train": ("train", {"echo_rt", "echo_rt_network"}),
}
"""Where each package lies, and which others it may import."""

GROUND = set(
    "errors checked frame grid_map segmentation chambers measures reading fields provenance wall result model arrays "
    "native reference _native private telemetry refused logs curves".split()
)
WINGS = {"sources", "phantom", "engine", "cardiac", "outputs"}
JOINS = tuple(
    "ahead framing together following pipeline live viewer node archive bench doctor commands __main__".split()
)
"""The rooms of `echo_rt` that join the wings, from the lowest to the highest."""


@dataclass(frozen=True)
class Import:
    """A module of the project that another one imports, and whether it does so while it is loaded itself."""

    importer: str
    imported: str
    line: int
    at_load: bool

    def __str__(self) -> str:
        return f"{self.importer} imports {self.imported} (line {self.line})"


@cache
def modules() -> dict[str, Path]:
    """Every module of the four packages, by its name."""
    found = {}
    for package, (folder, _) in PACKAGES.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(node: ast.AST, at_load: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Every import below a node, and whether it runs when the module is loaded."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_load
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for branch, runs in ((child.body, False), (child.orelse, at_load)):
                yield from statements(ast.Module(branch, []), runs)
        else:
            yield from statements(child, at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def imports() -> list[Import]:
    """Every import of a module of the project by another."""
    found = []
    for importer, path in modules().items():
        for statement, at_load in statements(ast.parse(path.read_text())):
            if isinstance(statement, ast.Import):
                names = [alias.name for alias in statement.names]
            else:
                assert statement.level == 0, f"{path}:{statement.lineno}: expected an absolute import, found a relative"
                names = [f"{statement.module}.{alias.name}" for alias in statement.names]
            for name in names:
                if package_of(name) in PACKAGES:
                    native = name == "echo_rt._native"  # compiled
                    module = name if name in modules() or native else name.rpartition(".")[0]
                    found.append(Import(importer, module, statement.lineno, at_load))
    return found


def package_of(module: str) -> str:
    return module.partition(".")[0]


def room_of(module: str) -> str:
    """The room of `echo_rt` that a module lies in; empty for `echo_rt` itself and for the other packages."""
    return module.split(".")[1] if module.startswith("echo_rt.") else ""


def wrong(importers: set[str], may_import: set[str]) -> list[str]:
    """What the rooms of `echo_rt` import of its rooms beside what they may, at load or later."""
    return [
        str(found)
        for found in imports()
        if room_of(found.importer) in importers and room_of(found.imported) not in may_import | {""}
    ]


SOURCE = """
import a
if TYPE_CHECKING:
    import b
else:
    import c
try:
    from d import e
except ImportError:
    pass
class F:
    def g(self):
        import h
"""


def test_imports_are_read_wherever_they_stand() -> None:
    at_load = {ast.unparse(statement): runs for statement, runs in statements(ast.parse(SOURCE))}
    assert at_load == {
        "import a": True,
        "import b": False,
        "import c": True,
        "from d import e": True,
        "import h": False,
    }


def test_every_module_of_the_runtime_is_in_a_room_that_is_named_here() -> None:
    rooms = {room_of(module) for module in modules()} - {""}
    assert rooms <= GROUND | WINGS | set(JOINS), "a new room: say here and in CONTRIBUTING.md what it may import"


def test_the_ground_floor_imports_the_ground_floor_alone() -> None:
    assert wrong(GROUND, GROUND) == []


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_a_wing_imports_itself_and_the_ground_floor_alone(wing: str) -> None:
    # A phantom is opened by its address, as every other source is, and imported at that moment.
    lazily = {"phantom"} if wing == "sources" else set()
    assert wrong({wing}, GROUND | {wing} | lazily) == []
    assert [
        str(i) for i in imports() if room_of(i.importer) == wing and i.at_load and room_of(i.imported) in lazily
    ] == []


@pytest.mark.parametrize("room", JOINS)
def test_what_joins_the_wings_imports_what_lies_below_it(room: str) -> None:
    assert wrong({room}, GROUND | WINGS | set(JOINS[: JOINS.index(room) + 1])) == []


def test_the_command_line_is_imported_by_nobody() -> None:
    entered = {i.importer for i in imports() if room_of(i.imported) == "commands" != room_of(i.importer)}
    assert {importer for importer in entered if package_of(importer) == "echo_rt"} == {"echo_rt.__main__"}
    # Other packages bring commands of their own, and take from the command line what makes them look alike.
    taken = {i.imported for i in imports() if room_of(i.imported) == "commands" and package_of(i.importer) != "echo_rt"}
    assert {name.rpartition(".")[0] for name in taken} <= {"echo_rt.commands", "echo_rt.commands.plugins"}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_imports_those_below_it_alone(package: str) -> None:
    allowed = PACKAGES[package][1] | {package}
    assert [
        str(i) for i in imports() if package_of(i.importer) == package and package_of(i.imported) not in allowed
    ] == []


def test_the_network_imports_the_ground_floor_of_the_runtime_alone() -> None:
    of_the_network = [i for i in imports() if package_of(i.importer) == "echo_rt_network"]
    assert [str(i) for i in of_the_network if room_of(i.imported) not in GROUND | {""}] == []


def a_package_and_its_own(one: str, other: str) -> bool:
    """Whether one of two modules is the `__init__` of a package that the other lies in: it may open its own lazily."""
    return any(modules()[a].name == "__init__.py" and b.startswith(f"{a}.") for a, b in ((one, other), (other, one)))


@pytest.mark.parametrize("when", ["at load", "at load or later"])
def test_no_module_imports_itself_by_way_of_others(when: str) -> None:
    graph: dict[str, set[str]] = {module: set() for module in modules()}
    for found in imports():
        arrow = found.importer, found.imported
        counts = found.at_load if when == "at load" else arrow[1] in graph and not a_package_and_its_own(*arrow)
        if counts and arrow[0] != arrow[1]:
            graph[arrow[0]].add(arrow[1])
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle of imports: " + " <- ".join(error.args[1]))


def loaded_by(code: str, names: str) -> str:
    """Which of the modules a program has loaded at its end."""
    code += f"; import sys; print(*[name for name in {names.split()} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_echo_rt_is_lean() -> None:
    assert loaded_by("import echo_rt", "torch onnx matplotlib cv2 numpy av pydicom onnxruntime typer") == ""


def test_a_whole_recording_needs_neither_torch_nor_onnx(cine: Path) -> None:
    assert loaded_by(f"import echo_rt; list(echo_rt.stream({str(cine)!r}))", "torch onnx matplotlib") == ""


PUBLIC = """
Beat Body DataError DeviceError EchoRtError EjectionFraction Engine EngineClosedError Frame FrameError LeftVentricle
MissingExtraError ModelError ModelSpec Monitor NoDeviceError OutputError ParameterError Quality Reading Reason
RecordingResult SEGMENTS Segmentation Session ShippedModel Source SourceError SourceFormatError SourceNotFoundError
WallBeat WallReading __version__ models open_engine open_session open_source plot process stream to_dataframe
"""


def test_the_public_names_are_these() -> None:
    import echo_rt

    assert sorted(echo_rt.__all__) == sorted(PUBLIC.split())
    for name in echo_rt.__all__:
        assert getattr(echo_rt, name) is not None


def test_every_error_is_also_the_builtin_that_fits_and_prints_as_its_message() -> None:
    from echo_rt import errors

    assert issubclass(errors.SourceNotFoundError, FileNotFoundError)
    assert issubclass(errors.ModelError, ValueError)
    assert str(errors.SourceError("one line")) == "one line"
    assert str(errors.OutputError("one line")) == "one line"
    assert "pip install 'echo-rt[train]'" in str(errors.MissingExtraError("echo-rt train", "train"))
