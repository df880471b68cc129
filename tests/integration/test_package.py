import ast
import json
from pathlib import Path

import pytest

from rocm_pipeline.integration.package import free_symbols, generate, parameters, signature
from rocm_pipeline.targets.spec import Target

from .conftest import baseline_of, builtin, honest_operator, package_of

TARGETS = ("row_softmax", "flash_attention", "vae_decoder_block")


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_arguments_give_the_same_bytes(name: str) -> None:
    target = builtin(name)
    assert package_of(target).model_dump_json() == package_of(target).model_dump_json()
    assert package_of(target).sha256 == package_of(target).sha256


def test_another_operator_source_gives_another_hash(softmax: Target) -> None:
    other = generate(softmax, baseline_of(softmax), honest_operator("row_softmax") + "\n")
    assert other.sha256 != package_of(softmax).sha256


@pytest.mark.parametrize("name", TARGETS)
def test_every_python_file_is_python_and_needs_no_rocm_pipeline(name: str) -> None:
    for file in package_of(builtin(name)).files:
        if file.path.endswith(".py"):
            imported = [
                alias.name if isinstance(node, ast.Import) else node.module
                for node in ast.walk(ast.parse(file.text))
                if isinstance(node, (ast.Import, ast.ImportFrom))
                for alias in node.names
            ]
            assert not [m for m in imported if m and m.startswith("rocm_pipeline")], file.path


def test_the_folder_holds_exactly_the_files_of_the_contract(
    tmp_path: Path, softmax: Target
) -> None:
    folder = package_of(softmax).write(tmp_path)
    assert folder == tmp_path / "row_softmax_op"
    assert {path.name for path in folder.iterdir()} == {
        "__init__.py",
        "kernel.hip",
        "launch_plan.json",
        "op.py",
        "runtime.py",
        "target.json",
        "test_op.py",
    }
    assert (folder / "kernel.hip").read_text() == softmax.baseline.source
    plan = json.loads((folder / "launch_plan.json").read_text())
    assert plan["launches"][0]["kernel"] == "row_softmax_{io}"


def test_a_folder_that_is_already_there_is_not_overwritten(tmp_path: Path, softmax: Target) -> None:
    package_of(softmax).write(tmp_path)
    with pytest.raises(FileExistsError):
        package_of(softmax).write(tmp_path)


def test_parameters_are_inputs_then_untold_symbols_then_scalars() -> None:
    assert parameters(builtin("flash_attention")) == ("q", "k", "v", "causal", "scale")
    assert free_symbols(builtin("vae_decoder_block")) == ()
    assert signature(builtin("flash_attention")) == (
        "flash_attention(q: Tensor, k: Tensor, v: Tensor, causal: int, scale: float) -> Tensor"
    )
