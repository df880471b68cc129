"""What all tests share: the long run, compiled code, and figures that `make show-...` reads."""

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scale import LONG_VARIABLE

RecordFigure = Callable[[str, object], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run the randomised tests at their full size"
    )


def pytest_configure(config: pytest.Config) -> None:
    # before any test imports numpy, whose threads the package limits
    importlib.import_module("rocm_pipeline")
    if config.getoption("--long"):
        # by environment, because hypothesis settings are read while modules are imported
        os.environ[LONG_VARIABLE] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: "early" not in item.keywords)


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of compiled code for all processes of a run.

    The emulator's runtime and the precompiled headers take seconds, and every build needs them.
    """
    own = tmp_path_factory.getbasetemp()
    # what each worker of pytest-xdist has of its own lies in the folder of the run
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "builds"
    folder.mkdir(exist_ok=True)
    return folder


def home_with_builds(path: Path, builds: Path) -> Path:
    """Make a folder for a home whose compiled code is what the others compiled, too."""
    path.mkdir(parents=True)
    (path / "cache").symlink_to(builds)
    return path


@pytest.fixture
def record_figure(record_property: Callable[[str, object], None]) -> RecordFigure:
    """Put a named value into the JUnit report, where `benchmarks/` adds them up."""
    return record_property
