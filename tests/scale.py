"""How much the randomised tests try: little in CI, all of it with `pytest --long`."""

import os

LONG_VARIABLE = "ROCM_PIPELINE_LONG_TESTS"


def scaled(*, short: int, long: int) -> int:
    """Return the number of examples to try in this run."""
    return long if os.environ.get(LONG_VARIABLE) else short
