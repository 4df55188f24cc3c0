"""Every name of TensorRT that the code uses is in all releases that we serve, or is asked for before it is used.

The names of PyCUDA and of cuda-bindings need no asking: all are in every release.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from echo_rt.engine.tensorrt import cuda_bindings
from support import cuda_names
from support.stand_in_cuda import StandInGpu
from support.tensorrt_names import RELEASES, classes, names

RUNTIME = Path(__file__).resolve().parents[1] / "runtime" / "echo_rt"
ROOM = RUNTIME / "engine" / "tensorrt"
SOURCE = ROOM / "build.py"

# What the names in that module stand for. The contract reads the source by them, so an attribute of a name that is in
# neither table is an error: add it here.
TENSORRT = {
    "trt": "tensorrt",
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "config": "IBuilderConfig",
    "timings": "ITimingCache",
    "runtime": "Runtime",
    "tensor": "ITensor",
}
PYTHON = {
    "options",
    "spec",
    "device",
    "error",
    "messages",
    "stopped",
    "steps",
    "t",
    "found",
    "self",
    "_DTYPES",
    "tensorrt",
    "os",
}
GIVES = {("OnnxParser", "get_error"): "ParserError", ("ITensor", "dtype"): "DataType"}
"""Members whose own attributes the code uses."""
COMES_WITH = {("IBuilderConfig", "progress_monitor"): ("tensorrt", "IProgressMonitor")}
"""Names that are used where another one was found."""


def owner_of(node: ast.expr) -> str | None:
    """The TensorRT class (or module) of an expression; None for what is not TensorRT's."""
    if isinstance(node, ast.Call):
        return owner_of(node.func) if isinstance(node.func, ast.Attribute) else None
    if isinstance(node, ast.Name):
        assert node.id in TENSORRT.keys() | PYTHON, f"line {node.lineno}: what is {node.id}? Say so in this test"
        return TENSORRT.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = owner_of(node.value)
        if owner is None:
            return None
        return node.attr if node.attr in classes() else GIVES.get((owner, node.attr))
    return None


def guards(tree: ast.Module) -> set[tuple[str | None, str]]:
    """(owner, name) of every ``hasattr(x, "name")`` and ``getattr(x, "name", ...)``."""
    return {
        (owner_of(node.args[0]), node.args[1].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hasattr", "getattr")
        if isinstance(node.args[0], (ast.Name, ast.Attribute)) and isinstance(node.args[1], ast.Constant)
    }


def uses(tree: ast.Module) -> set[tuple[str, str]]:
    """(owner, name) of every attribute of a TensorRT object, methods that override TensorRT's among them."""
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr != "__init__"]
    found = {(owner, node.attr) for node in attributes if (owner := owner_of(node.value)) is not None}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [base.attr for base in node.bases if isinstance(base, ast.Attribute)]
            methods = [m.name for m in node.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("_")]
            found |= {(base, method) for base in bases for method in methods}
    return found


TREE = ast.parse(SOURCE.read_text())


@pytest.mark.parametrize(("owner", "name"), sorted(uses(TREE)))
def test_a_name_is_in_every_release_or_asked_for_first(owner: str, name: str) -> None:
    lacking = {release for release in RELEASES if name not in names(owner, release)}
    assert len(lacking) < len(RELEASES), f"no release has {owner}.{name}"
    # A release without the name that is asked for does not reach the use. With a class come its methods.
    for guard in {(owner, name), ("tensorrt", owner), COMES_WITH.get((owner, name))} & guards(TREE):
        lacking -= {release for release in RELEASES if guard[1] not in names(guard[0], release)}
    assert not lacking, f"{owner}.{name} is not in TensorRT {lacking}, and is not asked for first"


@pytest.mark.parametrize(("owner", "name"), sorted((o, n) for o, n in guards(TREE) if o is not None))
def test_what_is_asked_for_is_a_name_of_some_release(owner: str, name: str) -> None:
    assert any(name in names(owner, release) for release in RELEASES), f"no release has {owner}.{name}"


def test_the_contract_sees_what_the_builder_cannot_do_without() -> None:
    assert uses(TREE) >= {
        ("tensorrt", "Builder"),
        ("Builder", "build_serialized_network"),
        ("IBuilderConfig", "set_timing_cache"),
        ("IBuilderConfig", "progress_monitor"),
        ("IProgressMonitor", "step_complete"),
        ("ParserError", "desc"),
        ("DataType", "name"),
        ("Severity", "ERROR"),
        ("Runtime", "deserialize_cuda_engine"),
    }
    assert {("NetworkDefinitionCreationFlag", "STRONGLY_TYPED"), ("tensorrt", "IProgressMonitor")} <= guards(TREE)


def test_no_other_file_imports_tensorrt() -> None:
    importing = {
        path
        for path in RUNTIME.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "tensorrt" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tensorrt")
    }
    assert importing == {SOURCE}, "what uses TensorRT has to be read by this contract"


# The modules that run engines. What a name, or the last part of a dotted one, stands for in them.
RUNNING = ("context", "graph", "memory", "kernels", "network", "frames", "engine")
STANDS_FOR = {
    "cuda": "cuda",
    "_cuda": "cuda",
    "device_attribute": "device_attribute",
    "event_flags": "event_flags",
    "host_alloc_flags": "host_alloc_flags",
    "_current": "Context",
    "stream": "Stream",
    "done": "Event",
    "module": "Module",
    "function": "Function",
    "allocation": "DeviceAllocation",
    "base": "PagelockedHostAllocation",
    "driver": "driver",
    "_driver": "driver",
    "CUresult": "CUresult",
    "CUstreamCaptureMode": "CUstreamCaptureMode",
    "CUdevice_attribute": "CUdevice_attribute",
    "CUevent_flags": "CUevent_flags",
    "trt_engine": "ICudaEngine",
    "trt_context": "IExecutionContext",
}


def attributes(path: Path) -> set[tuple[str, str]]:
    """(the last part of the owner, name) of every attribute in a module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
            found.add((node.value.id if isinstance(node.value, ast.Name) else node.value.attr, node.attr))
    return found


def running_uses() -> set[tuple[str, str]]:
    found = {("Device", "get_attribute"), ("Device", "retain_primary_context")}  # of `gpu`, which is ours elsewhere
    for module in RUNNING:
        found |= {(STANDS_FOR[last], name) for last, name in attributes(ROOM / f"{module}.py") if last in STANDS_FOR}
    return found | bindings_uses()


def bindings_uses() -> set[tuple[str, str]]:
    """What cuda_bindings.py, where PyCUDA's names are defined, uses of cuda-bindings; it calls functions by a text."""
    path = ROOM / "cuda_bindings.py"
    owners = {last: owner for last, owner in STANDS_FOR.items() if owner in cuda_names.CUDA_BINDINGS}
    found = {(owners[last], name) for last, name in attributes(path) if last in owners}
    nodes = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    texts = [text for text in nodes if isinstance(text, str) and re.fullmatch("cu[A-Z][A-Za-z0-9]+", text)]
    return found | {("driver", text) for text in texts}


def test_the_contract_knows_every_owner_of_a_name_of_cuda() -> None:
    known = cuda_names.names("cuda") | cuda_names.names("driver") | {"prepared_async_call"}
    for path in set(ROOM.glob("*.py")) - {ROOM / "cuda_bindings.py"}:
        owners = {last for last, name in attributes(path) if name in known}
        assert owners <= STANDS_FOR.keys(), f"{path.name}: say in this test what these stand for"
        assert not owners or path.stem in RUNNING, f"{path.name} has to be read by this contract"


@pytest.mark.parametrize(("owner", "name"), sorted(running_uses()))
def test_a_name_that_runs_engines_is_in_every_release(owner: str, name: str) -> None:
    if owner in classes():
        assert all(name in names(owner, release) for release in RELEASES), f"not every TensorRT has {owner}.{name}"
    else:
        assert name in cuda_names.names(owner), f"{owner}.{name} is not in the table of every release"


def test_the_contract_sees_what_an_engine_cannot_do_without() -> None:
    assert running_uses() >= {
        ("IExecutionContext", "execute_async_v3"),
        ("IExecutionContext", "set_tensor_address"),
        ("ICudaEngine", "create_execution_context"),
        ("cuda", "mem_alloc"),
        ("cuda", "memset_d8_async"),
        ("cuda", "module_from_file"),
        ("cuda", "pagelocked_empty"),
        ("PagelockedHostAllocation", "get_device_pointer"),
        ("DeviceAllocation", "free"),
        ("Function", "prepared_async_call"),
        ("Event", "synchronize"),
        ("Context", "push"),
        ("device_attribute", "INTEGRATED"),
        ("driver", "cuGraphLaunch"),
        ("driver", "cuStreamEndCapture"),
        ("driver", "cuLaunchKernel"),
        ("driver", "cuMemFree"),
        ("CUresult", "CUDA_SUCCESS"),
    }


@pytest.mark.parametrize(("owner", "name"), sorted((o, n) for o, n in running_uses() if o in cuda_names.PYCUDA))
def test_what_is_used_of_pycuda_is_there_with_cuda_bindings_alone(owner: str, name: str) -> None:
    opened = cuda_bindings.CudaBindings(StandInGpu().driver)
    given_by_instances = {("Stream", "handle")}
    place = opened if owner == "cuda" else getattr(cuda_bindings, owner, None) or getattr(opened, owner)
    assert hasattr(place, name) or (owner, name) in given_by_instances


def test_only_those_modules_import_pycuda_and_cuda_bindings() -> None:
    importing = {
        path.stem
        for path in RUNTIME.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (
            isinstance(node, ast.Import) and any(alias.name.split(".")[0] in ("pycuda", "cuda") for alias in node.names)
        )
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("pycuda", "cuda"))
    }
    assert importing == {"context", "cuda_bindings"}


def test_the_table_is_true_of_the_cuda_bindings_that_are_installed() -> None:
    driver = pytest.importorskip("cuda.bindings.driver")
    assert {name for name in cuda_names.names("driver") if not hasattr(driver, name)} == set()
    for owner in ("CUresult", "CUstreamCaptureMode", "CUdevice_attribute", "CUevent_flags"):
        member = next(iter(getattr(driver, owner)))
        assert {
            name
            for name in cuda_names.names(owner)
            if not hasattr(member, name) and not hasattr(getattr(driver, owner), name)
        } == set()
    assert driver.CUresult.CUDA_SUCCESS == 0
    assert int(driver.CUstream(0x1230)) == 0x1230, "a stream's handle goes in as a number"
    assert int(driver.CUgraph(0)) == 0, "no graph is the number 0"


def test_the_table_is_true_of_the_pycuda_that_is_installed() -> None:
    cuda = pytest.importorskip("pycuda.driver", exc_type=ImportError)
    for owner in cuda_names.PYCUDA:
        kind = cuda if owner == "cuda" else getattr(cuda, owner)
        assert {name for name in cuda_names.names(owner) if not hasattr(kind, name)} == set()
