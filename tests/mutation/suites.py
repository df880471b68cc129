"""Runs ordinary test files against a module with a planted defect, in this process."""

import inspect
import itertools
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from tests.fuzz.oracle import HangError, limited_memory, limited_processor_time
from tests.mutation.mutants import load_whole

_DEVICES = {"toolchain", "sandbox", "tmp_path", "monkeypatch", "capsys", "libraries_of"}
"""A test that takes one of these needs more than a moment, so it judges no defects."""


@dataclass
class Suites:
    """Test files, whose tests are asked in the order that tells soonest: see `_order`."""

    names: tuple[str, ...]
    skipped: frozenset[str] = frozenset()
    found_last: dict[str, int] = field(default_factory=dict)
    """The number of the last defect that each test has found."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each test took when it last passed."""
    asked: int = 0

    def killer(self, module: str, defective: ModuleType) -> str | None:
        """Return the test that fails on `defective`, or None when all pass."""
        self.asked += 1
        # a defect may keep what it makes without end: one once took all of the memory
        with _in_place_of(module, defective), limited_memory():
            try:
                tests = dict(self._tests())
            except Exception as error:
                return f"import ({type(error).__name__})"
            for name in sorted(tests, key=self._order):
                began = time.perf_counter()
                if not _passes(tests[name]):
                    self.found_last[name] = self.asked
                    return name
                self.seconds[name] = time.perf_counter() - began
        return None

    def _order(self, test: str) -> float:
        """Early is what takes no time, and what found one of the last defects, in code near by."""
        return self.seconds.get(test, 0.0) * (self.asked - self.found_last.get(test, 0))

    def _tests(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for name in self.names:
            module = load_whole(name)
            for test in [*vars(module)]:
                if test.startswith("test_") and test not in self.skipped:
                    yield from _calls(test, module)


def _passes(test: Callable[[], None]) -> bool:
    try:
        # a defect may loop for ever
        with limited_processor_time():
            test()
    except (Exception, HangError, pytest.fail.Exception):
        return False
    return True


def _calls(name: str, module: ModuleType) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the test once for each combination of its parameters."""
    function = getattr(module, name)
    wanted = set(inspect.signature(function).parameters)
    if wanted & _DEVICES or hasattr(function, "hypothesis"):
        return
    for number, values in enumerate(_parameters(function)):

        def call(values: Mapping[str, Any] = values) -> None:
            given = {key: _fixture(key, module) for key in wanted - set(values)}
            function(**given, **values)

        yield f"{name}[{number}]", call


def _parameters(function: Callable[..., None]) -> Iterator[dict[str, Any]]:
    marks = [m for m in getattr(function, "pytestmark", ()) if m.name == "parametrize"]
    rows = [list(_rows(*mark.args[:2])) for mark in marks]
    for combination in itertools.product(*rows):
        yield {key: value for row in combination for key, value in row.items()}


def _rows(names: str | tuple[str, ...], values: Any) -> Iterator[dict[str, Any]]:
    split = [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)
    for value in values:
        value = value.values if hasattr(value, "marks") else value
        value = [value] if isinstance(names, str) and len(split) == 1 else value
        yield dict(zip(split, value, strict=True))


_shared: dict[str, Any] = {}


def _fixture(name: str, module: ModuleType) -> Any:
    """Return what the fixture of that name gives, from the test file or the conftest beside it."""
    if name in vars(module):
        function = inspect.unwrap(getattr(module, name))
        needs = inspect.signature(function).parameters
        return function(**{need: _fixture(need, module) for need in needs})
    key = f"{module.__package__}.{name}"
    if key not in _shared:
        _shared[key] = _fixture(name, load_whole(f"{module.__package__}.conftest"))
    return _shared[key]


@contextmanager
def _in_place_of(name: str, module: ModuleType) -> Generator[None]:
    parent, _, own = name.rpartition(".")
    before = sys.modules[name]
    sys.modules[name] = module
    setattr(sys.modules[parent], own, module)
    try:
        yield
    finally:
        sys.modules[name] = before
        setattr(sys.modules[parent], own, before)
