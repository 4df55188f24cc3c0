"""FP16 files are made from the FP32 files at their first use."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from echo_rt.errors import MissingExtraError, ModelError, OutputError
from echo_rt.model import model_path, models, read_spec
from echo_rt.model.half import half_file, read_recipe, to_fp16
from echo_rt_network.model_file import read_model, write_model
from support.toy import SPEC, changed, toy_model

TOY = replace(SPEC, precision="fp16", parity={"ok": True, "kept_in_fp32": []})


@pytest.fixture
def recipe(tmp_path: Path, user_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of the one model of a shop of its own; its FP32 file lies beside it."""
    shop = tmp_path / "models"
    shop.mkdir()
    toy_model(shop / "toy.fp32.onnx")
    monkeypatch.setattr("echo_rt.model.shipped.models_dir", lambda: shop)
    path = shop / "toy.fp16.json"
    path.write_text(TOY.to_json())
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
def test_a_recipe_makes_the_file_that_the_export_writes(model, tmp_path: Path, user_cache: Path) -> None:
    spec = read_recipe(model.files["fp16"])
    assert replace(spec, precision="fp32", parity={}) == model.spec, "it is the recipe of this FP32 file"
    full, _ = read_model(model.file("fp32"))
    write_model(to_fp16(full, spec.parity["kept_in_fp32"]), spec, tmp_path / "exported.onnx")
    made = model.file("fp16")
    assert made.read_bytes() == (tmp_path / "exported.onnx").read_bytes()
    assert made.name == f"{model.name}.fp16.onnx"
    assert made.is_relative_to(user_cache)
    assert made.stat().st_size < 0.55 * model.path.stat().st_size


def test_it_is_made_once_and_found_by_name_and_by_name_and_precision(recipe: Path, monkeypatch) -> None:
    [toy] = models()
    made = toy.file("fp16")
    assert read_spec(made) == TOY
    assert [t.data_type for t in onnx.load(made).graph.initializer] == [onnx.TensorProto.FLOAT16]
    monkeypatch.setitem(sys.modules, "onnx", None)  # not needed any more
    assert made == toy.file("fp16") == model_path("toy", ("fp16", "fp32")) == model_path("toy.fp16")
    assert model_path("toy") == toy.path == recipe.with_name("toy.fp32.onnx")


def test_one_that_lies_beside_the_recipe_is_used(recipe: Path, user_cache: Path) -> None:
    beside = toy_model(recipe.with_name("toy.fp16.onnx"), TOY)
    assert beside == models()[0].file("fp16") == model_path("toy", ("fp16", "fp32")) == model_path("toy.fp16")
    assert not user_cache.exists()


def test_a_recipe_whose_gate_was_not_passed_is_used_by_its_name_alone(recipe: Path) -> None:
    recipe.write_text(replace(TOY, parity={"kept_in_fp32": []}).to_json())
    assert model_path("toy", ("fp16", "fp32")).name == "toy.fp32.onnx"
    assert model_path("toy.fp16").name == "toy.fp16.onnx"


def test_another_fp32_file_or_recipe_makes_another_file(recipe: Path) -> None:
    first = half_file(recipe)
    recipe.write_text(changed(TOY, licence="another").to_json())
    second = half_file(recipe)
    toy_model(recipe.with_name("toy.fp32.onnx"), changed(SPEC, licence="another"))
    third = half_file(recipe)
    assert len({first, second, third}) == 3
    assert [read_spec(path).origin.licence for path in (first, second, third)] == ["", "another", "another"]


def test_without_the_onnx_package_a_line_names_what_to_install_and_what_works(
    recipe: Path, user_cache: Path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(
        MissingExtraError, match=r"toy\.fp16 \(not so toy\.fp32\) needs .* pip install 'echo-rt\[tensorr"
    ):
        model_path("toy", ("fp16", "fp32"))
    assert files_in(user_cache) == []
    assert model_path("toy.fp32") == recipe.with_name("toy.fp32.onnx")


def test_a_full_disk_leaves_nothing(recipe: Path, user_cache: Path, monkeypatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="free some space"):
        half_file(recipe)
    assert files_in(user_cache) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda recipe: recipe.with_name("toy.fp32.onnx").unlink(),
            r"toy\.fp32\.onnx: expected a model file, found none",
        ),
        (
            lambda recipe: recipe.write_text(replace(TOY, version="2").to_json()),
            "a recipe for toy 1, found one for toy 2",
        ),
        (lambda recipe: recipe.write_text("{"), r"toy\.fp16\.json: .* expected JSON"),
        (lambda recipe: recipe.write_bytes(b"\xff"), r"toy\.fp16\.json: expected a recipe, found none"),
        (lambda recipe: recipe.with_name("toy.fp32.onnx").write_bytes(b"no model"), "expected an ONNX file"),
    ],
)
def test_what_cannot_be_made_is_one_line(recipe: Path, user_cache: Path, spoil, message: str) -> None:
    spoil(recipe)
    with pytest.raises(ModelError, match=message):
        half_file(recipe)
    assert files_in(user_cache) == []


PROCESS = """
import sys
from pathlib import Path
import platformdirs
platformdirs.user_cache_path = lambda name, appauthor: Path(sys.argv[2])
import echo_rt
from echo_rt.model.half import half_file
input()
print(half_file(Path(sys.argv[1])))
"""


def test_two_processes_at_once_make_one_whole_file(recipe: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(recipe), str(tmp_path / "shared")]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    said = {process.communicate(timeout=120)[0].strip() for process in both}
    assert len(said) == 1
    assert read_spec(said.pop()) == TOY
    assert files_in(tmp_path / "shared") == ["toy.fp16.onnx"]
