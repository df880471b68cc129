"""Real things that hostile inputs are made from, each made once a session."""

from collections.abc import Generator
from pathlib import Path

import pytest

from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target
from tests.fuzz.oracle import limited_memory
from tests.lab.conftest import SCALE_SOURCE, candidate_of, sandbox, target, toolchain

__all__ = ["candidate_of", "sandbox", "target", "toolchain"]


@pytest.fixture(autouse=True)
def bounded_memory(request: pytest.FixtureRequest) -> Generator[None]:
    """Limit the memory of the test alone: what its inputs are made from is made before."""
    for name in request.fixturenames:
        if name in ("code_object", "assembly", "profiled"):
            request.getfixturevalue(name)
    with limited_memory():
        yield


@pytest.fixture(scope="session")
def builtins() -> tuple[Target, ...]:
    return tuple(library.load(name, Path("no user targets")) for name in library.builtin_names())


@pytest.fixture(scope="session")
def code_object(toolchain: Toolchain) -> bytes:
    return toolchain.compile(SCALE_SOURCE, "gfx90a").code_object


@pytest.fixture(scope="session")
def assembly(toolchain: Toolchain) -> tuple[str, ...]:
    return tuple(toolchain.compile(SCALE_SOURCE, name).assembly for name in ("gfx90a", "gfx1201"))
