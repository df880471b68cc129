"""Names that a launch plan may not give a kernel: `##` could complete them to the harness's own."""

from collections.abc import Callable

import pytest

from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.targets.spec import Target
from tests.lab.conftest import MakeCandidate

Messages = Callable[[str], list[str]]


@pytest.fixture
def messages(target: Target, candidate_of: MakeCandidate, scale_source: str) -> Messages:
    def found(name: str) -> list[str]:
        plan = candidate_of(scale_source, kernel=name).launch_plan
        return [finding.message for finding in check_plan(plan, target)]

    return found


@pytest.mark.parametrize(
    "name", ["hip_{io}", "HIP_{io}", "hipster_{io}", "__scale_{io}", "Rocm_Pipeline_{io}"]
)
def test_a_kernel_is_not_named_like_the_harness(messages: Messages, name: str) -> None:
    assert messages(name) == [
        f"launch plan: kernel '{name}': names like that belong to the harness"
    ]


@pytest.mark.parametrize("name", ["scale_{io}", "ship_{io}", "rocm_{io}", "a__b_{io}"])
def test_a_name_of_its_own_is_accepted(messages: Messages, name: str) -> None:
    assert messages(name) == []
