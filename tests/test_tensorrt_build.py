"""The builder, run against a stand-in for TensorRT that has the names of one release and no others."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from echo_rt.engine.cuda_driver import CudaDevice, find_device
from echo_rt.engine.tensorrt.build import BuildOptions, Built, TensorInfo, build, deserialize, import_tensorrt
from echo_rt.errors import MissingExtraError, ModelError, NoDeviceError, ParameterError
from support.stand_in_tensorrt import DEVICE, MARK, StandInDriver, stand_in
from support.tensorrt_names import RELEASES
from support.toy import SPEC, toy_model


def built(tmp_path: Path, precision: str = "fp32", options: BuildOptions | None = None, **more) -> Built:
    spec = replace(SPEC, precision=precision)
    onnx = toy_model(tmp_path / "m.onnx", spec).read_bytes()
    return build(onnx, "m.onnx", spec, DEVICE, options or BuildOptions(), **more)


def asked(found: Built) -> dict:
    return json.loads(found.engine.removeprefix(MARK))


@pytest.fixture(params=RELEASES)
def trt(request, monkeypatch):
    module = stand_in(request.param)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


@pytest.mark.parametrize(("precision", "flags"), [("fp32", []), ("fp16", ["FP16"]), ("int8", ["INT8", "FP16"])])
def test_types_decide_where_networks_are_strongly_typed_and_flags_before(
    trt, tmp_path: Path, precision: str, flags: list[str]
) -> None:
    found = asked(built(tmp_path, precision))
    kinds = trt.NetworkDefinitionCreationFlag
    if hasattr(kinds, "STRONGLY_TYPED"):
        assert found["network"] == 1 << kinds.STRONGLY_TYPED
        assert found["flags"] == []
    else:
        assert found["network"] == 1 << kinds.EXPLICIT_BATCH
        assert found["flags"] == flags


def test_inputs_and_outputs_are_those_of_the_network(trt, tmp_path: Path) -> None:
    found = built(tmp_path)
    assert found.inputs == (TensorInfo("image", (1, 1, 48, 64), "float32"),)
    assert found.outputs == (TensorInfo("logits", (1, 4, 48, 64), "float32"),)


def test_compatibility_is_off_unless_it_is_asked_for_and_scratch_memory_is_limited(trt, tmp_path: Path) -> None:
    plain = asked(built(tmp_path))
    assert (plain["level"], plain["flags"], plain["WORKSPACE"]) == (None, [], 1 << 30)
    travelling = asked(built(tmp_path, options=BuildOptions(256, hardware_compatible=True, version_compatible=True)))
    assert (travelling["level"], travelling["flags"], travelling["WORKSPACE"]) == (
        "AMPERE_PLUS",
        ["VERSION_COMPATIBLE"],
        1 << 28,
    )


@pytest.mark.parametrize(
    ("option", "lost"), [("hardware_compatible", "HardwareCompatibilityLevel"), ("version_compatible", "BuilderFlag")]
)
def test_compatibility_that_a_release_does_not_know_is_refused(
    trt, tmp_path: Path, monkeypatch, option: str, lost: str
) -> None:
    monkeypatch.setattr(trt, lost, type(lost, (), {}))
    with pytest.raises(ParameterError, match=r"expected TensorRT 8\.6 or later for .* leave the option out"):
        built(tmp_path, options=BuildOptions(**{option: True}))


def test_the_times_of_an_earlier_build_are_used_and_come_back(trt, tmp_path: Path) -> None:
    found = built(tmp_path, timing_cache=b"earlier ")
    assert asked(found)["timings"] == "earlier "
    assert found.timing_cache == b"earlier timed "


def test_the_times_of_another_gpu_are_not_believed(trt, tmp_path: Path) -> None:
    found = built(tmp_path, timing_cache=b"other GPU ")
    assert asked(found)["timings"] == ""
    assert found.timing_cache == b"timed "


def test_progress_is_told_by_releases_that_report_it(trt, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    built(tmp_path, progress=lambda *step: told.append(step))
    reported = [("Building Engine", done, 2) for done in (0, 1, 2, 2)]
    assert told == (reported if hasattr(trt, "IProgressMonitor") else [])


@pytest.mark.parametrize("release", ["10.16", "11.4"])
def test_ctrl_c_in_a_build_stops_it_and_passes_no_exception_through_tensorrt(
    tmp_path: Path, monkeypatch, release: str
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in(release))
    calls = []

    def press_ctrl_c(*step: object) -> None:
        calls.append(step)
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        built(tmp_path, progress=press_ctrl_c)
    assert len(calls) == 2, "the stand-in's builder saw the refusal and gave up"


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("parse", r"m\.onnx: TensorRT .* cannot read it \(no importer for operator Abacus\); export"),
        ("build", r"\(out of memory\)$"),
    ],
)
def test_what_tensorrt_refuses_is_one_line(tmp_path: Path, monkeypatch, release: str, step: str, message: str) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in(release, fail=step))
    with pytest.raises(ModelError, match=message) as refusal:
        built(tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_network_that_contradicts_its_spec_is_refused(trt, tmp_path: Path) -> None:
    onnx = toy_model(tmp_path / "m.onnx", grid=(32, 32)).read_bytes()
    with pytest.raises(ModelError, match=r"its spec says .*48, 64.* the network has .*32, 32"):
        build(onnx, "m.onnx", SPEC, DEVICE, BuildOptions())


def test_a_network_of_open_shape_is_refused(trt, tmp_path: Path) -> None:
    onnx = toy_model(tmp_path / "m.onnx", grid=(0, 64)).read_bytes()
    with pytest.raises(ModelError, match="expected tensors of fixed shape"):
        build(onnx, "m.onnx", SPEC, DEVICE, BuildOptions())


def test_code_inside_an_engine_is_allowed_only_where_it_was_built_so(trt) -> None:
    assert deserialize(MARK, DEVICE).host_code_allowed is False
    assert deserialize(MARK, DEVICE, host_code_allowed=True).host_code_allowed is True


def test_an_engine_that_tensorrt_refuses_is_one_line(trt) -> None:
    with pytest.raises(ModelError, match=r"refuses the engine \(magic tag does not match\); build it again"):
        deserialize(b"something else", DEVICE)


def test_without_tensorrt_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'echo-rt\[tensorrt\]'"):
        import_tensorrt(DEVICE)


def test_a_workspace_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least 1 MiB"):
        BuildOptions(workspace_mib=0)


def test_the_driver_describes_its_device() -> None:
    assert find_device(driver=StandInDriver()) == DEVICE
    assert find_device(1, driver=StandInDriver(devices=2, capability=(12, 0))) == CudaDevice(
        1, "STAND-IN GPU", "12.0", "12.4"
    )


@pytest.mark.parametrize(
    ("driver", "message"),
    [
        (StandInDriver(result=100), "found none: the driver sees no device"),
        (StandInDriver(result=803), "restart the machine"),
        (StandInDriver(result=999), "CUDA error 999"),
        (StandInDriver(devices=0), "expected CUDA device 0, found 0 in all"),
    ],
)
def test_a_driver_without_a_device_says_why(driver: StandInDriver, message: str) -> None:
    with pytest.raises(NoDeviceError, match=message):
        find_device(driver=driver)
