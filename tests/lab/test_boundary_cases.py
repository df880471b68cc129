"""Sizes at the edges of the tiles that a kernel's source names."""

from pathlib import Path

import pytest

from rocm_pipeline.lab.boundary_cases import MOST_CASES, boundary_trials, tile_sizes
from rocm_pipeline.lab.cases import within_domain
from rocm_pipeline.targets import library
from rocm_pipeline.targets.spec import Target

SOURCE = """#include <hip/hip_runtime.h>
// 40 is not code
#define CHUNK 24
constexpr int ROWS = 0x30, WIDE = 16u;
extern "C" __global__ void k(float* y) { __shared__ float part[100]; y[4096] = 1.5f * 7 / 2'000; }
"""


def _target(name: str = "row_softmax") -> Target:
    return library.load(name, Path("/nonexistent"))


def test_named_numbers_come_before_others_and_sizes_that_are_drawn_anyway_last() -> None:
    assert tile_sizes(SOURCE) == (24, 48, 16, 100, 7)


def test_a_source_without_numbers_has_no_such_sizes() -> None:
    assert tile_sizes("") == ()
    assert boundary_trials(_target(), "", 1) == []


@pytest.mark.parametrize("name", library.builtin_names())
def test_the_cases_are_few_small_and_in_the_domain(name: str) -> None:
    target = _target(name)
    trials = boundary_trials(target, SOURCE, 3)
    assert 0 < len(trials) <= MOST_CASES
    assert trials == boundary_trials(target, SOURCE, 3)
    for trial in trials:
        assert within_domain(target, trial.case) is None
        assert target.admits(trial.case)


def test_each_size_has_multiples_of_the_tile_and_sizes_beside_them() -> None:
    sizes = {trial.case.symbols["cols"] for trial in boundary_trials(_target(), "#define T 24", 3)}
    assert sizes == {23, 24, 25, 48}
