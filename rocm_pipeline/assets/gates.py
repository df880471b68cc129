"""The gates between stages: what each asset check finds, from the value alone.

Absent evidence never reads as a pass: what could not be run here is a check that did not pass, at
the severity of a warning, which stops nothing.
"""

from collections import Counter

import dagster as dg

from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, Document, KernelRound
from rocm_pipeline.agents.wording import describe_finding
from rocm_pipeline.assets.tables import cell
from rocm_pipeline.bundle.claims import Reproduction
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.lab.benchmark import Benchmark
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.ranking import covers
from rocm_pipeline.planning.plan import Plan, uncovered
from rocm_pipeline.planning.review import Review, Verdict
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.targets.spec import Target

_LONGEST_DESCRIPTION = 1000


def verdict(
    asset: str, name: str, passed: bool, why: str, *, severity: str = "ERROR"
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity(severity),
        description=cell(why, _LONGEST_DESCRIPTION),
    )


def plan_covers_every_role(plan: Plan) -> dg.AssetCheckResult:
    wrong = uncovered(task.task_type for task in plan.tasks)
    return verdict(
        "plan",
        "plan_covers_every_role",
        not wrong,
        "; ".join(wrong) or f"{len(plan.tasks)} tasks by {plan.planner}",
    )


def some_candidate_passed(candidates: CandidateSet) -> dg.AssetCheckResult:
    passed, judged = len(candidates.passed), len(candidates.judged)
    if judged:
        why = f"{passed} of {judged} candidates passed every check"
        if not passed:
            why += f"; {_failures(candidates)}"
    else:
        why = _no_kernel(candidates)
    return verdict("kernel_candidates", "some_candidate_passed", passed > 0, why)


def kernel_compiles_for_every_architecture(
    kernel: ChosenKernel, target: Target
) -> dg.AssetCheckResult:
    missing = sorted(set(target.architectures) - set(kernel.evidence.architectures_compiled))
    return verdict(
        "kernel",
        "kernel_compiles_for_every_architecture",
        bool(target.architectures) and not missing,
        f"not compiled for {', '.join(missing)}"
        if missing
        else f"compiled for {', '.join(target.architectures)}",
    )


def kernel_matches_reference(kernel: ChosenKernel) -> dg.AssetCheckResult:
    cases = kernel.evidence.cases
    wrong = [case for case in cases if case.status is not Status.PASSED]
    if wrong:
        why = f"{wrong[0].status.value} on {wrong[0].case.name}: {wrong[0].findings[0].message}"
    else:
        why = f"{len(cases)} executions within the tolerance, {kernel.evidence.measured_on}"
    passed = kernel.evidence.status is Status.PASSED and bool(cases) and not wrong
    return verdict("kernel", "kernel_matches_reference", passed, why)


def controls_are_rejected(kernel: ChosenKernel) -> dg.AssetCheckResult:
    controls = kernel.evidence.controls
    accepted = [control.name for control in controls if not control.rejected]
    why = f"accepted: {', '.join(accepted)}" if accepted else f"{len(controls)} controls rejected"
    return verdict("kernel", "controls_are_rejected", bool(controls) and not accepted, why)


def reproduced(reproduction: Reproduction, kernel: ChosenKernel) -> dg.AssetCheckResult:
    """Pass only at T5 of this kernel's own evidence; what was not checked is a warning."""
    name = "reproduced"
    if reproduction.evidence != kernel.evidence.id:
        why = f"it is about {reproduction.evidence}, not {kernel.evidence.id}"
        return verdict("reproduction", name, False, why)
    severity = "ERROR" if reproduction.broken else "WARN"
    return verdict("reproduction", name, reproduction.is_t5, reproduction.words, severity=severity)


def operator_passes_opcheck(evidence: OperatorEvidence) -> dg.AssetCheckResult:
    counts = Counter(record.status.value for record in evidence.checks)
    said = next((r.message for r in evidence.checks if r.status is evidence.status), "")
    return verdict(
        "torch_op",
        "operator_passes_opcheck",
        evidence.status is Status.PASSED,
        ", ".join(f"{n} {status}" for status, n in sorted(counts.items()))
        + (f": {said}" if said else ""),
        severity="WARN" if evidence.could_not_run else "ERROR",
    )


def not_slower_than_baseline(benchmark: Benchmark, *, is_baseline: bool) -> dg.AssetCheckResult:
    """Warn where some estimate may be slower; fail where all of one architecture's are."""
    name = "not_slower_than_baseline"
    if is_baseline:
        return verdict("benchmark", name, True, "the baseline itself goes on")
    if not benchmark.speedups:
        return verdict("benchmark", name, False, "there is no estimate", severity="WARN")
    if not covers(benchmark.speedups, benchmark.candidate_estimates):
        why = (
            f"{len(benchmark.speedups)} speed-ups for {len(benchmark.candidate_estimates)} "
            "estimates: some case has no baseline"
        )
        return verdict("benchmark", name, False, why, severity="WARN")
    slowest = min(benchmark.speedups, key=lambda speedup: speedup.low)
    why = (
        f"estimate: at least {slowest.low:.2f} times the baseline's speed "
        f"({slowest.architecture}, {slowest.case.name})"
    )
    certain = any(speedup.high < 1 for speedup in benchmark.speedups)
    severity = "ERROR" if certain else "WARN"
    return verdict("benchmark", name, slowest.low >= 1, why, severity=severity)


def documentation_is_complete(document: Document) -> dg.AssetCheckResult:
    other = [problem for problem in document.problems if not _is_about_a_number(problem)]
    why = "; ".join(other) or "every section is there"
    return verdict("documentation", "documentation_is_complete", not other, why)


def numbers_come_from_evidence(document: Document) -> dg.AssetCheckResult:
    unknown = [problem for problem in document.problems if _is_about_a_number(problem)]
    if not document.markdown.strip():
        unknown = ["there is no documentation"]
    why = "; ".join(unknown) or "every number is in the evidence"
    return verdict("documentation", "numbers_come_from_evidence", not unknown, why)


def documentation_examples_run(document: Document) -> dg.AssetCheckResult:
    """Pass only when every example ran; what could not be run here is a warning."""
    name = "documentation_examples_run"
    examples = document.examples
    if examples is None:
        return verdict("documentation", name, False, "no example was run")
    if examples.problems:
        return verdict("documentation", name, False, "; ".join(examples.problems))
    if examples.not_run:
        why = examples.not_run[0].words
        return verdict("documentation", name, False, why, severity="WARN")
    why = f"examples that called the operator and ended without an error: {len(examples.passed)}"
    return verdict("documentation", name, True, why)


def reviewer_approved(review: Review) -> dg.AssetCheckResult:
    worst = [f.message for f in review.findings if f.severity in ("blocker", "major")]
    why = "; ".join(worst) or f"{review.verdict.value} by {review.reviewer}"
    return verdict(
        f"{review.kind}_review",
        "reviewer_approved",
        review.verdict is Verdict.APPROVE,
        f"{why} (no model judged: {review.unasked})" if review.unasked else why,
        severity="ERROR" if review.verdict is Verdict.REJECT else "WARN",
    )


def branch_holds_evidence(pull_request: PullRequest, kernel: ChosenKernel) -> dg.AssetCheckResult:
    """Check that what is proposed carries the evidence it cites; proposing nothing needs none."""
    if pull_request.commit is None:
        why = f"nothing was proposed: {pull_request.reason}"
        return verdict("pull_request", "branch_holds_evidence", False, why, severity="WARN")
    cited = kernel.evidence.id in pull_request.body
    held = any(path.rpartition("/")[2] == "evidence.json" for path in pull_request.files)
    if kernel.evidence.status is not Status.PASSED:
        why = f"{pull_request.branch} proposes a kernel that is {kernel.evidence.status.value}"
        return verdict("pull_request", "branch_holds_evidence", False, why)
    why = (
        f"{pull_request.branch} holds {len(pull_request.files)} files"
        if cited and held
        else f"{pull_request.branch}: evidence.json {'is' if held else 'is not'} there, "
        f"{kernel.evidence.id} {'is' if cited else 'is not'} cited"
    )
    return verdict("pull_request", "branch_holds_evidence", cited and held, why)


def _failures(candidates: CandidateSet) -> str:
    """Return what the candidates failed with; replies that held none to judge are told apart."""
    judged = [found.evidence for found in candidates.judged if found.evidence]
    statuses = Counter(evidence.status.value for evidence in judged)
    parts = [", ".join(f"{count} {status}" for status, count in statuses.most_common())]
    if refused := len(_rounds(candidates)) - len(judged):
        replies = "reply was" if refused == 1 else "replies were"
        parts.append(f"{refused} other {replies} refused")
    first = next((finding for evidence in judged for finding in evidence.findings), None)
    if first is not None:
        parts.append(f"first finding: {describe_finding(first)}")
    return "; ".join(parts)


def _no_kernel(candidates: CandidateSet) -> str:
    """Return why there is nothing to judge, in the agents' words where they sent some."""
    reasons = [" ".join(found.limitations) or found.refused for found in _rounds(candidates)]
    if not reasons:
        return "no agent replied"
    return f"no agent sent a kernel: {'; '.join(dict.fromkeys(reasons))}"


def _rounds(candidates: CandidateSet) -> list[KernelRound]:
    return [found for outcome in candidates.outcomes for found in outcome.rounds]


def _is_about_a_number(problem: str) -> bool:
    return problem.startswith("the number ")
