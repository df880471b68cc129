"""How much the randomised tests try: little in CI, all of it with `pytest --long`."""

import os

import pytest

LONG_VARIABLE = "ROCM_PIPELINE_LONG_TESTS"


def is_long() -> bool:
    """Say whether everything is to be tried, as with `pytest --long`."""
    return bool(os.environ.get(LONG_VARIABLE))


def scaled(*, short: int, long: int) -> int:
    """Return the number of examples to try in this run."""
    return long if is_long() else short


# asked when a test begins: this module is imported before the options are read
only_long = pytest.mark.skipif(
    "not config.getoption('--long')", reason="takes long: only with `pytest --long`"
)
