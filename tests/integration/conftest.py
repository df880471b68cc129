"""Operators to judge: honest ones in `operators/`, and changes that make them bad."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from rocm_pipeline.integration.package import OperatorPackage, generate
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.emulator import Emulator, TorchLibrary
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.library import load
from rocm_pipeline.targets.spec import Target

OPERATORS = Path(__file__).parent / "operators"

LibrariesOf = Callable[[Target], TorchLibrary]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_spec("torch") is None:
        skip = pytest.mark.skip(reason="PyTorch is not installed: see README.md")
        for item in items:
            if "torch" in item.keywords:
                item.add_marker(skip)


def builtin(name: str) -> Target:
    return load(name, Path("no user targets"))


def baseline_of(target: Target) -> Candidate:
    return Candidate(
        target=target.name,
        source=target.baseline.source,
        launch_plan=target.baseline.launch_plan,
    )


def honest_operator(name: str) -> str:
    return (OPERATORS / f"{name}.py.txt").read_text(encoding="utf-8")


def package_of(target: Target, op_source: str | None = None) -> OperatorPackage:
    source = honest_operator(target.name) if op_source is None else op_source
    return generate(target, baseline_of(target), source)


def changed(source: str, *replacements: tuple[str, str]) -> str:
    """Return the source with each text, which must occur, replaced."""
    for old, new in replacements:
        assert old in source, f"{old!r} is not in the operator"
        source = source.replace(old, new)
    return source


@pytest.fixture
def softmax() -> Target:
    return builtin("row_softmax")


@pytest.fixture
def small_softmax(softmax: Target) -> Target:
    """The same operator on few rows: the emulator's time for many of them tells no more."""
    large, *others = softmax.public_cases
    few = large.model_copy(update={"symbols": {**large.symbols, "rows": 5}})
    small = {"public_cases": (few, *others), "emulation_operations": 20_000}
    return softmax.model_copy(update=small)


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return Sandbox.detect()


@pytest.fixture(scope="session")
def libraries_of(sandbox: Sandbox, builds: Path) -> LibrariesOf:
    """Build the baseline kernels of a target for the CPU, once a session."""
    emulator = Emulator(sandbox, builds / "emulator")

    def libraries(target: Target) -> TorchLibrary:
        kernels = target.kernel_names(target.baseline.launch_plan)
        return emulator.library_for_torch(target.baseline.source, kernels)

    return libraries
