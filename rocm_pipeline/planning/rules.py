"""The rule-based planner: makes the Plan when there is no key for Claude.

It knows what every target needs (tests, two kernel directions, an operator, an analysis,
documentation) and nothing about this one beyond its author's words; the plan says so by its
`planner` field.
"""

from collections.abc import Sequence

from rocm_pipeline.planning.acceptance import acceptance_for
from rocm_pipeline.planning.plan import Context, Plan, Priority, Task, TaskType, Work
from rocm_pipeline.targets.spec import Target

PLANNER = "rules"

DIRECTIONS = {
    "wide": (
        "Raise throughput per wave: larger tiles, vector loads, more reuse from registers and "
        "LDS, fewer passes over memory."
    ),
    "lean": (
        "Raise the number of resident waves: few registers, little LDS, small blocks, wave "
        "shuffles instead of LDS, and no spills on any architecture."
    ),
}
"""What each kernel task aims at; two directions keep the agents from the same local optimum."""


def make_plan(target: Target, commit: str, files: Sequence[str]) -> Plan:
    """Return the plan for `target` at `commit`, with `files` of the repository as context."""
    kernels = tuple(
        _kernel_task(target, direction, number, tuple(files))
        for number, direction in enumerate(DIRECTIONS, start=1)
    )
    return Plan(
        target=target.name,
        commit=commit,
        planner=PLANNER,
        tasks=(
            _test_task(target, tuple(files)),
            *kernels,
            *_later_tasks(target, tuple(files), tuple(task.id for task in kernels)),
        ),
    )


def because(plan: Plan, reason: str) -> Plan:
    """Return a plan by rules that says why Claude made none, which is part of its id."""
    return plan.model_copy(update={"planner": f"{PLANNER} ({reason})"})


def _test_task(target: Target, files: tuple[str, ...]) -> Task:
    return Task(
        id="edge_cases",
        agent_id="tester_1",
        task_type=TaskType.TEST_GENERATION,
        priority=Priority.HIGH,
        context=_context(
            target,
            files,
            f"Propose cases on which a kernel for {target.name} is likely to be wrong: sizes of "
            "one, primes, and both sides of block sizes, vector widths and wave sizes.",
        ),
        expected_output=Work.TESTING.expected_output,
        max_tokens=Work.TESTING.max_tokens,
        estimated_hours=2.0,
    )


def _kernel_task(target: Target, direction: str, number: int, files: tuple[str, ...]) -> Task:
    return Task(
        id=f"kernel_{direction}",
        agent_id=f"kernel_dev_{number}",
        task_type=TaskType.CODE_OPTIMIZATION,
        priority=Priority.HIGH,
        context=_context(target, files, f"{target.objective} {DIRECTIONS[direction]}"),
        expected_output=Work.KERNEL.expected_output,
        max_tokens=Work.KERNEL.max_tokens,
        depends_on=("edge_cases",),
        estimated_hours=4.0,
        acceptance=acceptance_for(target),
    )


def _later_tasks(
    target: Target, files: tuple[str, ...], kernels: tuple[str, ...]
) -> tuple[Task, ...]:
    operator = Task(
        id="operator",
        agent_id="pytorch_dev_1",
        task_type=TaskType.PYTORCH_INTEGRATION,
        context=_context(
            target,
            files,
            f"Make the chosen kernel a PyTorch operator for {target.title}: custom_op, fake, and "
            "autograd where the target gives a backward formula.",
        ),
        expected_output=Work.INTEGRATION.expected_output,
        max_tokens=Work.INTEGRATION.max_tokens,
        depends_on=kernels,
        estimated_hours=3.0,
    )
    analysis = Task(
        id="analysis",
        agent_id="profiler_1",
        task_type=TaskType.PERFORMANCE_ANALYSIS,
        context=_context(
            target,
            files,
            "Say what limits the chosen kernel on each architecture and what to try next, from "
            "the evidence alone.",
        ),
        expected_output=Work.PROFILING.expected_output,
        max_tokens=Work.PROFILING.max_tokens,
        depends_on=kernels,
        estimated_hours=2.0,
    )
    documentation = Task(
        id="documentation",
        agent_id="docs_writer_1",
        task_type=TaskType.DOCUMENTATION,
        priority=Priority.LOW,
        context=_context(
            target, files, f"Document the kernel and the operator for {target.title}."
        ),
        expected_output=Work.DOCS.expected_output,
        max_tokens=Work.DOCS.max_tokens,
        depends_on=(operator.id, analysis.id),
        estimated_hours=2.0,
    )
    return operator, analysis, documentation


def _context(target: Target, files: tuple[str, ...], objective: str) -> Context:
    return Context(
        files=files,
        objective=objective,
        constraints=target.constraints,
        reference_docs=target.reference_docs,
    )
