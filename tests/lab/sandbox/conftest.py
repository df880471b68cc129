"""An attack is a Python program that prints WORKED at its end; its control is a run outside."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Completed, Limits, Sandbox

Attack = Callable[..., Completed]
Control = Callable[..., str]


@pytest.fixture(scope="session")
def python() -> str:
    return str(Path(sys.base_prefix, "bin", "python3"))


@pytest.fixture(scope="session")
def interpreter() -> dict[str, Path]:
    """The folders that this Python needs inside; /usr is there already."""
    prefix = Path(sys.base_prefix)
    return {} if prefix.is_relative_to("/usr") else {str(prefix): prefix}


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    # Not skipped when unavailable: a sandbox that nobody tested must not look tested.
    if sys.platform != "linux":
        pytest.skip("the sandbox needs Linux")
    return Sandbox.detect()


@pytest.fixture
def box(tmp_path: Path) -> Path:
    folder = tmp_path / "box"
    folder.mkdir()
    return folder


@pytest.fixture
def attack(sandbox: Sandbox, box: Path, python: str, interpreter: dict[str, Path]) -> Attack:
    """Run Python code in the sandbox: `attack(code, *arguments, limits=...)`."""

    def run(code: str, *arguments: str, limits: Limits | None = None) -> Completed:
        argv = [python, "-I", "-S", "-c", code, *arguments]
        return sandbox.run(argv, box=box, readonly=interpreter, limits=limits or Limits())

    return run


@pytest.fixture
def control(tmp_path: Path, python: str) -> Control:
    """Run the same code outside and return what it printed."""

    def run(code: str, *arguments: str) -> str:
        folder = tmp_path / "outside"
        folder.mkdir(exist_ok=True)
        argv = [python, "-I", "-S", "-c", code, *arguments]
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60)
        return done.stdout

    return run
