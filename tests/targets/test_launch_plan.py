"""Launch plans: binding to a case, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.launch_plan import LaunchPlan, LaunchPlanError, bind, kernel_names

DTYPES = {"io": DType.FLOAT16}


def plan(**launch: Any) -> LaunchPlan:
    fields = {
        "kernel": "k_{io}",
        "grid": ["ceildiv(n, WAVE)", 1, 1],
        "block": ["WAVE", 1, 1],
        "args": ["x", "n"],
    }
    return LaunchPlan.model_validate(
        {
            "launches": [{**fields, **launch}],
            "workspace": [{"name": "partial", "dtype": "io", "shape": ["n", 2]}],
        }
    )


def test_wave_and_type_variables_take_the_values_of_the_case() -> None:
    bound = bind(plan(), {"n": 100}, DTYPES, wave=64)
    assert bound.launches[0].kernel == "k_f16"
    assert bound.launches[0].grid == (2, 1, 1)
    assert bound.launches[0].threads == 64
    assert bound.workspace[0].shape == (100, 2)
    assert bound.workspace[0].dtype is DType.FLOAT16


def test_kernel_names_may_depend_on_symbols() -> None:
    assert kernel_names(plan(kernel="k_{io}_{n}"), {"n": 32}, DTYPES) == ("k_f16_32",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grid": ["n - n", 1, 1]}, "grid"),
        ({"block": [1025, 1, 1]}, "1 to 1024"),
        ({"block": [32, 33, 1]}, "1 to 1024"),
        ({"block": [0, 1, 1]}, "1 to 1024"),
        ({"shared_bytes": "0 - n"}, "below zero"),
        ({"kernel": "k_{nothing}"}, "unknown variable"),
        ({"kernel": "k_{"}, "unknown variable"),
        ({"grid": ["m", 1, 1]}, "names 'm'"),
    ],
)
def test_a_plan_without_meaning_for_the_case_says_which_launch(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(LaunchPlanError, match=words) as raised:
        bind(plan(**change), {"n": 100}, DTYPES, wave=32)
    assert "launch 0" in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        {"kernel": "k; rm"},
        {"kernel": ""},
        {"args": ["x y"]},
        {"grid": ["open('x')", 1, 1]},
        {"grid": [1, 1]},
        {"stream": 1},
    ],
)
def test_a_malformed_launch_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        plan(**change)


@pytest.mark.parametrize("template", ["k_{io.__class__}", "k_{io!r:>9}", "k_{0}"])
def test_a_kernel_name_reaches_nothing_but_the_variables(template: str) -> None:
    with pytest.raises((ValidationError, LaunchPlanError)):
        bind(plan(kernel=template), {"n": 1}, DTYPES, wave=32)
