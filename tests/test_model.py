from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echo_rt.errors import ModelError, ParameterError
from echo_rt.model import ModelSpec, model_path, models, protobuf, read_spec
from support.toy import SPEC, changed, toy_model


def test_the_spec_comes_back_from_the_file_as_it_went_in(tmp_path: Path) -> None:
    spec = changed(SPEC, ef_calibration=(1.05, -2.0), figures={"Dice": {"lv_cavity": 0.9}}, licence="a licence, with ü")
    assert read_spec(toy_model(tmp_path / "m.onnx", spec)) == spec


PRINTABLE = st.text(max_size=20).filter(str.isprintable)


@given(st.floats(0, 255), st.floats(0.1, 200), st.integers(8, 4096), PRINTABLE)
def test_the_json_of_a_spec_keeps_every_value(mean: float, std: float, width: int, name: str) -> None:
    spec = changed(SPEC, mean=mean, std=std, width=width, name=name)
    assert ModelSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 1"),
        ({"fit": "stretch"}, "expected fit"),
        ({"classes": ["background", "lv_cavity"]}, "expected classes"),
        ({"std": 0}, r"expected 0.01 to 10000 as std, found 0"),
        ({"colour": "red"}, "unknown fields colour"),
        ({"mean": None, "drop": "mean"}, r"expected a value as mean, found none"),
    ],
)
def test_a_spec_that_this_version_cannot_serve_is_refused(change: dict, message: str, tmp_path: Path) -> None:
    raw = {**json.loads(SPEC.to_json()), **change}
    raw.pop(raw.pop("drop", ""), None)
    with pytest.raises(ModelError, match=message):
        read_spec(toy_model(tmp_path / "m.onnx", json.dumps(raw)))


def test_a_file_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="without an echo-rt spec"):
        read_spec(toy_model(tmp_path / "foreign.onnx", None))
    with pytest.raises(ModelError, match="expected JSON"):
        read_spec(toy_model(tmp_path / "broken.onnx", "{"))
    (tmp_path / "text.onnx").write_text("this is no model, it is a text about models")
    with pytest.raises(ModelError, match="expected an ONNX file"):
        read_spec(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match="found none"):
        read_spec(tmp_path / "missing.onnx")
    with pytest.raises(ModelError, match="found none"):
        read_spec(tmp_path)


@given(st.integers(0, 399))
def test_a_truncated_file_is_refused_wherever_it_was_cut(keep: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = toy_model(Path(folder) / "m.onnx")
        path.write_bytes(path.read_bytes()[: path.stat().st_size - 1 - keep])
        with pytest.raises(ModelError):
            read_spec(path)


def test_every_shipped_model_has_a_licence_a_card_and_figures() -> None:
    shipped = models()
    assert shipped[0].path == model_path(None)
    for model in shipped:
        assert model.licence
        assert model.spec.origin.training_data
        assert model.figures
        assert model.path.with_name(f"{model.name}.md").is_file(), "a model card"
        assert model.file("fp32") == model.path
        with pytest.raises(ParameterError, match="expected a precision of"):
            model.file("fp7")
        if "CAMUS" in model.spec.origin.training_data:
            assert "CC BY-NC-SA 4.0" in model.licence
            assert "10.1109/TMI.2019.2900516" in model.spec.origin.citation


def test_a_model_is_found_by_name_by_name_and_precision_and_by_path(tmp_path: Path) -> None:
    name = models()[0].name
    assert model_path(name) == model_path(f"{name}.fp32") == models()[0].path
    assert model_path(toy_model(tmp_path / "m.onnx")) == tmp_path / "m.onnx"
    with pytest.raises(ModelError, match=f"one of {name}"):
        model_path("no-such-model")


def test_the_json_keeps_the_flat_layout_of_format_1_in_its_order() -> None:
    assert list(json.loads(SPEC.to_json())) == (
        "format name version width height mean std fit pixel_order classes views heads state ef_calibration "
        "ef_calibration_a2c interval quality akinesia contour training_data licence citation "
        "figures precision parity".split()
    )


def test_a_group_is_no_field_of_the_json() -> None:
    raw = {**json.loads(SPEC.to_json()), "tuning": {}}
    with pytest.raises(ModelError, match="unknown fields tuning; a newer echo-rt is needed"):
        ModelSpec.from_json(json.dumps(raw))


def test_a_spec_and_a_shipped_model_print_short() -> None:
    assert repr(SPEC) == "<ModelSpec toy 1, fp32, 48x64>"
    assert repr(models()[0]) == f"<ShippedModel lv-edge {models()[0].spec.version}: fp32, fp16, int8>"


@given(st.lists(st.tuples(st.integers(1, 2**28), st.integers(0, 2**63 - 1) | st.binary(max_size=300))))
def test_a_message_is_read_as_it_was_written(written: list[tuple[int, int | bytes]]) -> None:
    message = b"".join(protobuf.field(number, content) for number, content in written)
    found = [(n, c if isinstance(c, int) else bytes(c)) for n, c in protobuf.fields(memoryview(message))]
    assert found == written


@pytest.mark.parametrize("message", [b"\x00", b"\x08", b"\x0a\x05abcd", b"\x0b", b"\x08" + b"\xff" * 10])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match="expected a"):
        list(protobuf.fields(memoryview(message)))
