"""Without PyTorch, what needs it is skipped and says so."""

from importlib.util import find_spec

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_spec("torch") is None:
        skip = pytest.mark.skip(reason="PyTorch is not installed: see README.md")
        for item in items:
            if "torch" in item.keywords and "cheats/python" in item.nodeid:
                item.add_marker(skip)
