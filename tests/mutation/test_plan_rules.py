"""Each rule about launch plans: a plan that breaks it alone, and a near one that passes."""

from typing import Any

import pytest

from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.targets.launch_plan import LaunchPlan
from tests.fakes.values import a_target

TARGET = a_target()
BYTES = 1 << 31


def complaints(workspace: tuple[Any, ...] = (), **changes: Any) -> list[str]:
    launch = {
        "kernel": "k",
        "grid": ["rows", 1, 1],
        "block": [64, 1, 1],
        "args": ["x", "y", "cols"],
    }
    plan = LaunchPlan.model_validate({"launches": [{**launch, **changes}], "workspace": workspace})
    findings = check_plan(plan, TARGET)
    assert all(finding.status is Status.POLICY_VIOLATION for finding in findings)
    return [finding.message for finding in findings]


def scratch(name: str, *shape: str, dtype: str = "float32") -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": shape}


def test_an_honest_plan_has_no_complaint() -> None:
    assert complaints() == []
    assert (
        complaints((scratch("w", "rows"), scratch("v", "cols", dtype="io")), args=("x", "y", "w"))
        == []
    )


def test_each_output_is_taken_by_some_launch() -> None:
    assert complaints(args=("x", "cols")) == [
        "launch plan: no launch takes the output 'y', so nothing can write it"
    ]


@pytest.mark.parametrize("name", ["x", "y", "rows", "cols"])
def test_workspace_has_a_name_of_its_own(name: str) -> None:
    assert complaints((scratch(name, "1"),)) == [
        f"launch plan: workspace '{name}' is already a name"
    ]


def test_two_workspaces_have_two_names() -> None:
    assert complaints((scratch("w", "1"), scratch("w", "1"))) == [
        "launch plan: workspace 'w' is already a name"
    ]


def test_an_argument_that_nothing_is_called_is_named_with_what_there_is() -> None:
    assert complaints((scratch("w", "1"),), args=("x", "y", "z")) == [
        "launch plan: k takes 'z'; known are x, y, w, rows, cols"
    ]


@pytest.mark.parametrize("grid", ["rows - 2048", "WAVE - 32", "unknown", "rows // (WAVE - 64)"])
def test_a_plan_must_mean_something_for_every_case_and_wave(grid: str) -> None:
    found = complaints(grid=[grid, 1, 1])
    assert found
    assert all(text.startswith("launch plan: launch 0 (k): ") for text in found)


def test_each_case_and_wave_size_that_fails_is_named() -> None:
    every = complaints(grid=["0", 1, 1])
    assert {text.rsplit("WAVE=", 1)[1] for text in every} == {"32)", "64)"}
    wide = complaints(grid=["WAVE - 32", 1, 1])
    assert wide
    assert all(text.endswith("WAVE=32)") for text in wide)
    named = {
        case.name
        for case in (*TARGET.kernel_variants(), *TARGET.public_cases, *TARGET.timing_cases)
    }
    assert {text.partition(" (for ")[2].partition(", WAVE")[0] for text in every} == named


def test_two_gibibytes_of_workspace_are_the_most() -> None:
    most = str(BYTES // 4)
    assert complaints((scratch("w", most),)) == []
    assert complaints((scratch("w", str(BYTES // 8), "2"),)) == []
    assert complaints((scratch("w", str(BYTES // 2), dtype="float16"),)) == []
    more = complaints((scratch("w", most), scratch("v", "1")))
    assert f"launch plan: {BYTES + 4} bytes of workspace for {TARGET.public_cases[0].name}" in more
    assert complaints((scratch("w", str(BYTES // 8), "3"),))


def test_scalars_are_names_too() -> None:
    attention = a_target("flash_attention")
    name = next(iter(attention.scalars))
    plan = attention.baseline.launch_plan
    assert check_plan(plan, attention) == ()
    assert name in plan.launches[0].args
    first = plan.launches[0].model_copy(update={"args": (*plan.launches[0].args, "other")})
    (finding,) = check_plan(plan.model_copy(update={"launches": (first,)}), attention)
    assert finding.message.endswith(f", {name}")


def test_a_complaint_is_made_once() -> None:
    found = complaints((scratch("w", str(BYTES)),))
    assert len(found) == len(set(found))
