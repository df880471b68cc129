"""The test suite: cases that testing agents add to the target's own, a step for each task."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import TestSuite
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.provenance import replied
from rocm_pipeline.assets.stage import OWNERS, GraphResults, graph_result
from rocm_pipeline.planning.plan import Plan, Task, TaskType
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.resources.protocols import Workshop
from rocm_pipeline.targets.spec import Target


@dg.op(out=dg.DynamicOut(Task))
def test_tasks(plan: Plan) -> Iterator[dg.DynamicOutput[Task]]:
    """Take the test tasks out of the plan."""
    for task in plan.tasks_for(TaskType.TEST_GENERATION):
        yield dg.DynamicOutput(task, mapping_key=task.id)


@dg.op(out=dg.Out(TestSuite))
def propose_cases(
    workshop: dg.ResourceParam[Workshop],
    task: Task,
    target: Target,
    plan: Plan,
    snapshot: RepoSnapshot,
) -> GraphResults[TestSuite]:
    """Ask one agent for cases; those outside the target's domain are refused with a reason."""
    suite = workshop.propose_cases(target, plan, task, snapshot)
    for exchange in suite.exchanges:
        said = f"{len(suite.cases)} cases taken, {len(suite.refused)} refused"
        yield replied(target.name, exchange, said)
    yield dg.Output(suite)


@dg.op(out=dg.Out(TestSuite))
def join_suites(suites: list[TestSuite], target: Target) -> GraphResults[TestSuite]:
    """Put the cases of all tasks together, each once."""
    cases = {case.name: case for suite in suites for case in suite.cases}
    joined = TestSuite(
        target=target.name,
        cases=tuple(cases.values()),
        refused=tuple(reason for suite in suites for reason in suite.refused),
        exchanges=tuple(exchange for suite in suites for exchange in suite.exchanges),
    )
    yield graph_result(
        joined,
        {
            "cases": len(joined.cases),
            "names": [case.name for case in joined.cases],
            "refused": list(joined.refused),
        },
    )


@dg.graph_asset(
    partitions_def=targets,
    group_name="agents",
    owners=OWNERS,
    kinds={"ollama"},
    code_version=code_version("test_suite"),
)
def test_suite(plan: Plan, repo_snapshot: RepoSnapshot, target: Target) -> TestSuite:
    """Cases on which a kernel is likely to be wrong, beside the target's own and the held-out."""

    def propose(task: dg.DynamicOutput[Task]) -> Any:
        return propose_cases(task, target, plan, repo_snapshot)

    return join_suites(test_tasks(plan).map(propose).collect(), target)
