"""Each gate between stages: what it stops, what it lets pass, and what absence does."""

from types import SimpleNamespace
from typing import Any

import pytest

from rocm_pipeline.agents.examples import Examples
from rocm_pipeline.agents.outcome import ChosenKernel, Document
from rocm_pipeline.assets import gates
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.lab.benchmark import compare
from rocm_pipeline.lab.evidence import Status, Tier
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.publishing.models import PullRequest
from rocm_pipeline.publishing.pull_request import Proposal, propose
from tests.assets.test_gates import candidate, plan, target
from tests.fakes.values import a_passing_evidence, an_operator_evidence, some_examples

EVIDENCE = a_passing_evidence(target, candidate)
NOT_PASSED = [status for status in Status if status is not Status.PASSED]


def kernel(**changes: Any) -> ChosenKernel:
    """Return a kernel with evidence whose own rules are left aside: no gate may rest on them."""
    return ChosenKernel.model_construct(
        target=target.name,
        candidate=candidate,
        evidence=EVIDENCE.model_copy(update=changes),
        is_baseline=False,
        exchange=None,
        reason="best",
    )


def told(found: Any) -> tuple[bool, str, str]:
    return found.passed, found.severity.value, found.description or ""


def test_a_plan_that_covers_every_role_says_who_made_it() -> None:
    words = f"{len(plan.tasks)} tasks by {plan.planner}"
    assert told(gates.plan_covers_every_role(plan)) == (True, "ERROR", words)


def test_a_long_reason_is_cut_at_1000_characters() -> None:
    found = gates.verdict("kernel", "x", True, "a" * 2000)
    assert len(found.description or "") == 1000


def test_each_architecture_must_have_compiled() -> None:
    every = ", ".join(target.architectures)
    assert told(gates.kernel_compiles_for_every_architecture(kernel(), target)) == (
        True,
        "ERROR",
        f"compiled for {every}",
    )
    assert told(gates.kernel_compiles_for_every_architecture(kernel(compiles=()), target)) == (
        False,
        "ERROR",
        f"not compiled for {', '.join(sorted(target.architectures))}",
    )
    nothing_asked = target.model_copy(update={"architectures": ()})
    assert not gates.kernel_compiles_for_every_architecture(kernel(), nothing_asked).passed


@pytest.mark.parametrize("status", NOT_PASSED)
def test_nothing_but_a_pass_matches_the_reference(status: Status) -> None:
    assert told(gates.kernel_matches_reference(kernel())) == (
        True,
        "ERROR",
        f"{len(EVIDENCE.cases)} executions within the tolerance, no device (CPU emulator)",
    )
    assert not gates.kernel_matches_reference(kernel(status=status)).passed
    assert not gates.kernel_matches_reference(kernel(cases=())).passed
    case = EVIDENCE.cases[0]
    wrong = case.model_copy(update={"status": status, "findings": (_Finding("off"),)})
    found = gates.kernel_matches_reference(kernel(cases=(case, wrong)))
    assert told(found) == (False, "ERROR", f"{status.value} on {case.case.name}: off")


def test_only_a_reproduction_of_this_evidence_passes() -> None:
    own: dict[str, Any] = {"evidence": EVIDENCE.id, "is_t5": True, "broken": (), "words": "w"}
    cases: dict[tuple[bool, str, str], dict[str, Any]] = {
        (True, "WARN", "w"): {},
        (False, "WARN", "w"): {"is_t5": False},
        (False, "ERROR", "w"): {"is_t5": False, "broken": ("a claim",)},
        (False, "ERROR", f"it is about ev-other, not {EVIDENCE.id}"): {"evidence": "ev-other"},
    }
    for expected, change in cases.items():
        reproduction: Any = SimpleNamespace(**{**own, **change})
        assert told(gates.reproduced(reproduction, kernel())) == expected


class _Finding:
    def __init__(self, message: str) -> None:
        self.message = message


def test_controls_must_have_run_and_been_rejected() -> None:
    good = EVIDENCE.controls[0]
    bad = good.model_copy(update={"rejected": False})
    passes = gates.controls_are_rejected(kernel(controls=(good, good)))
    assert told(passes) == (True, "ERROR", "2 controls rejected")
    fails = gates.controls_are_rejected(kernel(controls=(good, bad)))
    assert told(fails) == (False, "ERROR", "accepted: zeros")
    assert not gates.controls_are_rejected(kernel(controls=())).passed


@pytest.mark.parametrize("status", NOT_PASSED)
def test_an_operator_says_its_counts_and_its_first_failure(status: Status) -> None:
    whole = an_operator_evidence(target, candidate, Status.PASSED)
    assert told(gates.operator_passes_opcheck(whole)) == (
        True,
        "ERROR",
        f"{len(whole.checks)} PASSED",
    )
    last = whole.checks[-1].model_copy(update={"status": status, "message": "why"})
    one = whole.model_copy(update={"checks": (*whole.checks[:-1], last)})
    found = gates.operator_passes_opcheck(one)
    if status is Status.UNSUPPORTED:
        return
    counts = sorted(
        [f"{len(whole.checks) - 1} PASSED", f"1 {status.value}"], key=lambda t: t.split()[1]
    )
    assert told(found) == (False, "ERROR", f"{', '.join(counts)}: why")


def test_an_operator_that_could_not_be_run_here_is_a_warning() -> None:
    absent = an_operator_evidence(target, candidate, Status.NOT_RUN)
    found = gates.operator_passes_opcheck(absent)
    assert told(found) == (
        False,
        "WARN",
        f"{len(absent.checks)} NOT_RUN: PyTorch is not installed",
    )


def benchmark(low: float, high: float, **changes: Any) -> Any:
    speedups = tuple(s.model_copy(update={"low": low, "high": high}) for s in EVIDENCE.speedups)
    judged = EVIDENCE.model_copy(update={"speedups": speedups, **changes})
    return compare(candidate, judged, EVIDENCE, analysis="", analysis_refused="")


@pytest.mark.parametrize(
    ("low", "high", "passed", "severity"),
    [
        (1.0, 1.0, True, "WARN"),
        (0.99, 1.0, False, "WARN"),
        (0.5, 0.99, False, "ERROR"),
        (2, 3, True, "WARN"),
    ],
)
def test_a_benchmark_is_held_against_1(
    low: float, high: float, passed: bool, severity: str
) -> None:
    found = gates.not_slower_than_baseline(benchmark(low, high), is_baseline=False)
    assert told(found)[:2] == (passed, severity)
    assert (found.description or "").startswith(f"estimate: at least {low:.2f} times")


def test_a_benchmark_with_a_gap_does_not_pass() -> None:
    absent = gates.not_slower_than_baseline(benchmark(2, 3, speedups=()), is_baseline=False)
    assert told(absent) == (False, "WARN", "there is no estimate")
    some = benchmark(2, 3, speedups=EVIDENCE.speedups[1:])
    gap = gates.not_slower_than_baseline(some, is_baseline=False)
    assert told(gap)[:2] == (False, "WARN")
    assert "speed-ups for" in told(gap)[2]
    own = gates.not_slower_than_baseline(benchmark(2, 3, speedups=()), is_baseline=True)
    assert told(own) == (True, "ERROR", "the baseline itself goes on")


def document(markdown: str, *problems: str) -> Document:
    return Document(target="t", markdown=markdown, problems=problems, exchange=None)


def test_a_document_is_complete_and_its_numbers_have_a_source() -> None:
    whole = document("# A kernel")
    assert told(gates.documentation_is_complete(whole)) == (True, "ERROR", "every section is there")
    assert told(gates.numbers_come_from_evidence(whole)) == (
        True,
        "ERROR",
        "every number is in the evidence",
    )
    section, number = "section 'Usage' is missing", "the number '7' is not in the evidence"
    bad = document("# A kernel", section, number)
    assert told(gates.documentation_is_complete(bad)) == (False, "ERROR", section)
    assert told(gates.numbers_come_from_evidence(bad)) == (False, "ERROR", number)
    absent = gates.numbers_come_from_evidence(document(" \n"))
    assert told(absent) == (False, "ERROR", "there is no documentation")


def test_a_document_s_examples_ran_or_it_is_said_why_not() -> None:
    def gate(examples: Examples | None) -> tuple[bool, str, str]:
        shown = document("# A kernel").model_copy(update={"examples": examples})
        return told(gates.documentation_examples_run(shown))

    passed = "examples that called the operator and ended without an error: 1"
    assert gate(some_examples()) == (True, "ERROR", passed)
    assert gate(None) == (False, "ERROR", "no example was run")
    crashed = "line 3, python: CRASHED: what came of it"
    assert gate(some_examples(Status.CRASHED)) == (False, "ERROR", crashed)
    not_run = "line 3, python: NOT_RUN: what came of it"
    assert gate(some_examples(Status.NOT_RUN)) == (False, "WARN", not_run)
    mixed = (*some_examples().blocks, *some_examples(Status.NOT_RUN).blocks)
    assert gate(some_examples().model_copy(update={"blocks": mixed})) == (False, "WARN", not_run)
    none = "there is no python example of the operator's use"
    assert gate(some_examples().model_copy(update={"blocks": ()})) == (False, "ERROR", none)


def review(verdict: Verdict = Verdict.APPROVE, *severities: Any, **changes: Any) -> Review:
    findings = tuple(
        ReviewFinding(heading=Heading.UPSTREAM, severity=s, message=f"a {s}", cites="c")
        for s in severities
    )
    fields: dict[str, Any] = {
        "subject": candidate.id,
        "reviewer": "rules",
        "kind": "final",
        "verdict": verdict,
        "findings": findings,
        "evidence_ids": (EVIDENCE.id,),
    }
    return Review(**{**fields, **changes})


def test_only_an_approval_passes() -> None:
    approved = gates.reviewer_approved(review(Verdict.APPROVE, "minor"))
    assert told(approved) == (True, "WARN", "approve by rules")
    changes = gates.reviewer_approved(review(Verdict.CHANGES, "major", "note"))
    assert told(changes) == (False, "WARN", "a major")
    rejected = gates.reviewer_approved(review(Verdict.REJECT, "blocker", "major"))
    assert told(rejected) == (False, "ERROR", "a blocker; a major")


def pull_request(commit: str | None = "c0ffee", **changes: Any) -> PullRequest:
    fields: dict[str, Any] = {
        "target": target.name,
        "branch": "agent/x",
        "commit": commit,
        "base_commit": "b",
        "files": ("kernels/x/kernel.hip", "kernels/x/evidence.json"),
        "body": f"evidence {EVIDENCE.id}",
        "reason": "" if commit else "nothing to propose",
    }
    return PullRequest(**{**fields, **changes})


def test_a_branch_holds_the_evidence_that_it_cites() -> None:
    good = gates.branch_holds_evidence(pull_request(), kernel())
    assert told(good) == (True, "ERROR", "agent/x holds 2 files")
    none = gates.branch_holds_evidence(pull_request(None), kernel())
    assert told(none) == (False, "WARN", "nothing was proposed: nothing to propose")
    uncited = gates.branch_holds_evidence(pull_request(body="none"), kernel())
    assert told(uncited) == (
        False,
        "ERROR",
        f"agent/x: evidence.json is there, {EVIDENCE.id} is not cited",
    )
    for files in (("kernels/x/kernel.hip",), ("kernels/x/no_evidence.json",), ()):
        unheld = gates.branch_holds_evidence(pull_request(files=files), kernel())
        assert told(unheld) == (
            False,
            "ERROR",
            f"agent/x: evidence.json is not there, {EVIDENCE.id} is cited",
        )


@pytest.mark.parametrize("status", NOT_PASSED)
def test_a_branch_with_a_kernel_that_did_not_pass_is_stopped(status: Status) -> None:
    failed = kernel(status=status)
    cited = pull_request(body=failed.evidence.id)
    found = gates.branch_holds_evidence(cited, failed)
    assert told(found) == (False, "ERROR", f"agent/x proposes a kernel that is {status.value}")


def reason_against(chosen: ChosenKernel, final: Review, tmp_path: Any = None) -> str:
    proposal = Proposal(
        target=target,
        snapshot=RepoSnapshot.model_construct(commit="c0ffee", files={}),
        kernel=chosen,
        operator=TorchOp.model_construct(package=None),
        document=document("# A kernel"),
        review=final,
        body="",
    )
    try:
        proposed = propose(tmp_path, tmp_path, proposal)
    except TypeError:  # it went on to git, with no repository at hand
        return ""
    assert proposed.commit is None
    assert proposed.files == ()
    return proposed.reason


def test_only_an_approved_pass_is_proposed() -> None:
    assert reason_against(kernel(), review()) == ""
    baseline = kernel().model_copy(update={"is_baseline": True})
    assert reason_against(baseline, review()) == "nothing to propose: best"
    cases: dict[str, dict[str, Any]] = {
        "the final review is about another kernel": {"subject": "other"},
        "the final review is about other evidence": {"evidence_ids": ("ev-other",)},
    }
    for reason, change in cases.items():
        assert reason_against(kernel(), review(**change)) == reason
    cross = review(kind="cross")
    assert reason_against(kernel(), cross) == "the final review is about other evidence"
    changes = review(Verdict.CHANGES, "major")
    assert reason_against(kernel(), changes) == "the final review says changes: a major"
    silent = review(Verdict.CHANGES)
    assert reason_against(kernel(), silent) == "the final review says changes: no finding"


@pytest.mark.parametrize("status", NOT_PASSED)
def test_a_kernel_that_did_not_pass_is_never_proposed(status: Status) -> None:
    assert reason_against(kernel(status=status), review()) == f"the harness says {status.value}"


def test_only_a_pass_on_a_device_is_called_measured() -> None:
    for tier in (None, Tier.T0, Tier.T2):
        assert benchmark(2, 3, tier=tier).device_status is Status.NOT_RUN
    assert benchmark(2, 3, tier=Tier.T3).device_status is Status.PASSED
    for status in NOT_PASSED:
        assert benchmark(2, 3, tier=Tier.T3, status=status).device_status is Status.NOT_RUN
