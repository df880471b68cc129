"""Kernel candidates, a step for each kernel task, and the one that goes on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import dagster as dg
from pydantic import BaseModel, ConfigDict

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.agents.outcome import (
    CandidateSet,
    ChosenKernel,
    KernelOutcome,
    KernelRound,
    TestSuite,
)
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets
from rocm_pipeline.assets.provenance import replied
from rocm_pipeline.assets.stage import OWNERS, GraphResults, Results, gate, graph_result, result
from rocm_pipeline.assets.tables import candidates_table, round_verdict, source, speedup_text
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.planning.follow_up import returned_kernels
from rocm_pipeline.planning.plan import Plan, Task, Work
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.reporting.aims import aims_table
from rocm_pipeline.reporting.tables import (
    correctness_table,
    resources_table,
    speedup_table,
    tier_words,
)
from rocm_pipeline.resources.asking import asking_of
from rocm_pipeline.resources.protocols import Workshop
from rocm_pipeline.targets.spec import Target


class JudgedBaseline(BaseModel):
    """The target's own kernel, judged as every candidate is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: Candidate
    evidence: Evidence


@dg.op
def judge_baseline(
    workshop: dg.ResourceParam[Workshop], target: Target, suite: TestSuite
) -> JudgedBaseline:
    """Judge the baseline by the harness that judges the candidates."""
    candidate, evidence = workshop.judge_baseline(target, suite)
    return JudgedBaseline(candidate=candidate, evidence=evidence)


@dg.op(out=dg.DynamicOut(Task))
def kernel_tasks(plan: Plan, baseline: JudgedBaseline) -> Iterator[dg.DynamicOutput[Task]]:
    """Take the kernel tasks out of the plan, once the baseline is judged."""
    del baseline  # only orders the steps: every task compares with it
    for task in plan.tasks_of(Work.KERNEL):
        yield dg.DynamicOutput(task, mapping_key=task.id)


@dg.op(out=dg.Out(KernelOutcome))
def develop(
    context: dg.OpExecutionContext,
    workshop: dg.ResourceParam[Workshop],
    task: Task,
    target: Target,
    plan: Plan,
    suite: TestSuite,
    snapshot: RepoSnapshot,
) -> GraphResults[KernelOutcome]:
    """Do one kernel task: ask, judge, and ask again with what the harness found."""
    asking = asking_of(context.run.run_id, context.run.tags)
    rounds: SimpleQueue[KernelRound | None] = SimpleQueue()
    # In a thread, so that each round is in the UI when it is judged, not when the task ends.
    with ThreadPoolExecutor(1, thread_name_prefix=f"develop-{task.id}") as pool:
        work = pool.submit(
            workshop.develop, target, plan, task, suite, snapshot, rounds.put, asking.run_id
        )
        work.add_done_callback(lambda _: rounds.put(None))
        for found in iter(rounds.get, None):
            yield replied(target.name, found.exchange, round_verdict(found))
        yield dg.Output(work.result())


@dg.op(out={"result": dg.Out(CandidateSet), "passed": dg.Out(dg.Nothing)})
def gather(
    outcomes: list[KernelOutcome], baseline: JudgedBaseline, target: Target
) -> GraphResults[CandidateSet]:
    """Put the candidates of all tasks together with the baseline."""
    found = CandidateSet(
        target=target.name,
        baseline=baseline.candidate,
        baseline_evidence=baseline.evidence,
        outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.task_id)),
    )
    if found.cut_off and not found.passed:
        # No verdict on the agents: the stage fails, so that the next run asks again.
        raise dg.Failure(f"the fleet stopped answering: {'; '.join(found.cut_off)}")
    exchanges = [r.exchange for outcome in found.outcomes for r in outcome.rounds]
    yield graph_result(
        found,
        {
            "candidates": candidates_table(found),
            "passed": len(found.passed),
            "judged": len(found.judged),
            "tokens_in": sum(exchange.tokens_in for exchange in exchanges),
            "tokens_out": sum(exchange.tokens_out for exchange in exchanges),
            "cut_off": list(found.cut_off),
        },
    )
    yield gates.some_candidate_passed(found)


@dg.graph_asset(
    partitions_def=targets,
    group_name="kernels",
    owners=OWNERS,
    kinds={"ollama", "hip"},
    code_version=code_version("kernel_candidates"),
    check_specs=[
        gate(
            "kernel_candidates",
            "some_candidate_passed",
            "At least one agent's kernel passed every check of the harness.",
            blocking=True,
        )
    ],
)
def kernel_candidates(
    plan: Plan, test_suite: TestSuite, repo_snapshot: RepoSnapshot, target: Target
) -> dict[str, Any]:
    """Every kernel that the agents wrote, with the harness's evidence, and the baseline's."""
    baseline = judge_baseline(target, test_suite)

    def work(task: dg.DynamicOutput[Task]) -> Any:
        return develop(task, target, plan, test_suite, repo_snapshot)

    outcomes = kernel_tasks(plan, baseline).map(work).collect()
    found, passed = gather(outcomes, baseline, target)
    return {"result": found, "kernel_candidates_some_candidate_passed": passed}


@dg.asset(
    partitions_def=targets,
    group_name="kernels",
    owners=OWNERS,
    kinds={"hip"},
    code_version=code_version("kernel"),
    check_specs=[
        gate(
            "kernel",
            "kernel_compiles_for_every_architecture",
            "The chosen kernel compiled for each architecture that the target names.",
            blocking=True,
        ),
        gate(
            "kernel",
            "kernel_matches_reference",
            "Every execution was within the tolerance of the float64 reference.",
            blocking=True,
        ),
        gate(
            "kernel",
            "controls_are_rejected",
            "The trivial kernels failed on this target, so that a pass says something.",
            blocking=True,
        ),
    ],
)
def kernel(
    workshop: dg.ResourceParam[Workshop],
    plan: Plan,
    kernel_candidates: CandidateSet,
    target: Target,
) -> Results[ChosenKernel]:
    """The kernel that goes on: the best that passed, or the baseline when none is better."""
    chosen = workshop.choose(kernel_candidates, returned_kernels(plan))
    evidence = chosen.evidence
    metadata: dict[str, Any] = {
        "kernel": chosen.candidate.id,
        "evidence": evidence.id,
        "reason": chosen.reason,
        "written_by": chosen.exchange.model if chosen.exchange else "baseline",
        "tier": tier_words(evidence),
        "architectures": ", ".join(evidence.architectures_compiled),
        "measured_on": evidence.measured_on,
        "correctness": dg.MetadataValue.md(correctness_table(evidence)),
        "resources": dg.MetadataValue.md(resources_table(evidence)),
        "speedups": dg.MetadataValue.md(speedup_table(evidence)),
        "speedup_estimate": speedup_text(evidence.speedups) or "none",
        "aims": dg.MetadataValue.md(aims_table(plan, kernel_candidates)),
        "source": source(chosen.candidate.source),
        "launch_plan": source(chosen.candidate.launch_plan.model_dump_json(indent=2), "json"),
    }
    if evidence.speedups:
        # Plain numbers, because the UI plots those over time.
        metadata["estimated_speedup_low"] = min(s.low for s in evidence.speedups)
        metadata["estimated_speedup_high"] = max(s.high for s in evidence.speedups)
    yield result(
        chosen,
        metadata,
        [
            gates.kernel_compiles_for_every_architecture(chosen, target),
            gates.kernel_matches_reference(chosen),
            gates.controls_are_rejected(chosen),
        ],
    )
