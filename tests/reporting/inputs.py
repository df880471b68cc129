"""What a page is made from, with the harness's verdicts as values."""

from rocm_pipeline.agents.outcome import (
    CandidateSet,
    ChosenKernel,
    KernelOutcome,
    KernelRound,
    Operator,
)
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.benchmark import compare
from rocm_pipeline.planning.plan import TaskType
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.reporting.document import SECTIONS, render_document
from rocm_pipeline.reporting.page import ReportInputs
from tests.fakes.values import (
    a_candidate,
    a_passing_evidence,
    a_reproduction,
    a_round,
    a_target,
    an_exchange,
    an_operator_evidence,
)


def report_inputs(commit: str = "c0ffee0") -> ReportInputs:
    """Return a target with a round that failed, a slow, a fast and a refused one."""
    target = a_target()
    plan = make_plan(target, commit, ())
    task = plan.tasks_for(TaskType.CODE_OPTIMIZATION)[0]
    best = a_round(target, task, "fast", speedup=3.0)
    assert best.candidate
    assert best.evidence
    rounds = (
        a_round(target, task, "broken", passes=False),
        a_round(target, task, "slow", speedup=0.25),
        best,
        KernelRound(exchange=an_exchange(task, 4), refused="no kernel.hip in the reply"),
    )
    numbered = tuple(
        found.model_copy(update={"exchange": an_exchange(task, number)})
        for number, found in enumerate(rounds, start=1)
    )
    kernel = ChosenKernel(
        target=target.name,
        candidate=best.candidate,
        evidence=best.evidence,
        is_baseline=False,
        exchange=numbered[2].exchange,
        reason="the best",
    )
    baseline = a_candidate(target)
    baseline_evidence = a_passing_evidence(target, baseline, 1.0)
    reviews = {
        kind: Review(
            subject=best.candidate.id,
            reviewer="rules",
            kind=kind,
            verdict=Verdict.APPROVE,
            findings=(),
            evidence_ids=(best.evidence.id,),
        )
        for kind in ("cross", "final")
    }
    draft = "\n".join(f"## {section}\n\nIn words.\n" for section in SECTIONS)
    return ReportInputs(
        target=target,
        plan=plan,
        candidates=CandidateSet(
            target=target.name,
            baseline=baseline,
            baseline_evidence=baseline_evidence,
            outcomes=(KernelOutcome(task_id=task.id, rounds=numbered),),
        ),
        kernel=kernel,
        reproduction=a_reproduction(target, best.candidate, best.evidence),
        operator=TorchOp(
            target=target.name,
            operator=Operator(target=target.name, source="", exchange=None, refused="none"),
            package=None,
            evidence=an_operator_evidence(target, best.candidate),
        ),
        benchmark=compare(
            best.candidate, best.evidence, baseline_evidence, analysis="Why.", analysis_refused=""
        ),
        document=render_document(draft, target, kernel, "", None),
        cross=reviews["cross"],
        final=reviews["final"],
        pull_request=PullRequest(
            target=target.name,
            branch="agent/fast",
            commit="beefbeefbeefbeef",
            base_commit=commit,
            files=("kernel.hip",),
            body="# The kernel",
        ),
        lineage="candidate <- commit",
    )
