"""The harness's hash covers every file of ours that a verdict depends on, and nothing else."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import rocm_pipeline
from rocm_pipeline.lab.harness_version import harness_sha256, judging_files
from rocm_pipeline.versions import files_sha256

PACKAGE = Path(rocm_pipeline.__file__).parent


def version_of(package: Path) -> str:
    return files_sha256(package, judging_files(package))


def imports_of(file: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports, as paths below the package."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import"
            modules = [(node.module or "", tuple(alias.name for alias in node.names))]
        else:
            continue
        for module, names in modules:
            package, _, path = module.partition(".")
            if package == PACKAGE.name:
                yield from _files_of(path.replace(".", "/"), names)


def _files_of(path: str, names: tuple[str, ...]) -> Iterator[str]:
    if (PACKAGE / f"{path}.py").is_file():
        yield f"{path}.py"
        return
    yield f"{path}/__init__.py".lstrip("/")
    for name in names:
        if (PACKAGE / path / f"{name}.py").is_file():
            yield f"{path}/{name}.py"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what is hashed, with a target's data and a module that judges nothing."""
    copied = tmp_path / PACKAGE.name
    hashed = {each.relative_to(PACKAGE).as_posix() for each in judging_files(PACKAGE)}
    for name in (*hashed, "targets/builtin/row_softmax/target.yaml", "doctor.py"):
        if (PACKAGE / name).is_file():
            (copied / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PACKAGE / name, copied / name)
    return copied


def test_all_that_the_harness_imports_of_ours_is_hashed() -> None:
    hashed = {each.relative_to(PACKAGE).as_posix() for each in judging_files(PACKAGE)}
    imported = {
        (name, path)
        for path in hashed
        if path.endswith(".py")
        for name in imports_of(PACKAGE / path)
    }
    assert {"targets/dtypes.py", "targets/launch_plan.py"} <= {name for name, _ in imported}
    assert [f"{path} imports {name}" for name, path in imported if name not in hashed] == []


@pytest.mark.parametrize(
    "name",
    [
        "lab/numerics.py",
        "lab/include/hip/hip_runtime.h",
        "targets/expressions.py",
        "targets/subject.py",
        "errors.py",
        "versions.py",
    ],
)
def test_a_change_to_what_judges_is_another_harness(name: str, package: Path) -> None:
    before = version_of(package)
    with (package / name).open("a") as file:
        file.write("\n")
    assert version_of(package) != before


def test_a_file_of_another_name_is_another_harness(package: Path) -> None:
    before = version_of(package)
    (package / "targets/dtypes.py").rename(package / "targets/dtype.py")
    assert version_of(package) != before


@pytest.mark.parametrize(
    "name", ["targets/builtin/row_softmax/target.yaml", "doctor.py", "lab/__pycache__/cases.pyc"]
)
def test_other_files_are_no_part_of_the_harness(name: str, package: Path) -> None:
    before = version_of(package)
    (package / name).parent.mkdir(exist_ok=True)
    (package / name).write_text("changed")
    assert version_of(package) == before


def test_the_hash_is_the_same_in_another_place(package: Path) -> None:
    assert version_of(package) == harness_sha256()
