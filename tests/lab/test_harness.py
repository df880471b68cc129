"""The harness as a whole, on a small target: honest kernels pass, others fail for their reason."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status, Tier
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.spec import Target

MakeCandidate = Callable[..., Candidate]


@pytest.fixture(scope="module")
def harness(sandbox: Sandbox, builds: Path) -> Harness:
    return Harness(sandbox, builds)


@pytest.fixture(scope="module")
def honest(
    harness: Harness, target: Target, candidate_of: MakeCandidate, scale_source: str
) -> Evidence:
    return harness.judge(candidate_of(scale_source), target)


def changed(source: str, before: str, after: str) -> str:
    assert before in source
    return source.replace(before, after)


def test_an_honest_kernel_reaches_t2_with_an_estimate_for_every_architecture(
    honest: Evidence, target: Target
) -> None:
    evidence = honest
    assert evidence.status is Status.PASSED, evidence.findings
    assert evidence.tier is Tier.T2
    assert {record.wave for record in evidence.cases} == {32, 64}
    assert {record.lane_order for record in evidence.cases} == {"forward", "reverse"}
    origins = {record.origin for record in evidence.cases}
    assert origins == {"public", "held out", "repeat", "large", "timed"}
    assert {e.architecture for e in evidence.estimates} == set(target.architectures)
    assert score(evidence) is None  # nothing to compare with


def test_a_kernel_with_the_baselines_machine_code_claims_no_speed_up(
    harness: Harness,
    target: Target,
    candidate_of: MakeCandidate,
    scale_source: str,
    honest: Evidence,
) -> None:
    again = harness.judge(candidate_of(scale_source + "// faster\n"), target, baseline=honest)
    assert {(each.low, each.high) for each in again.speedups} == {(1.0, 1.0)}
    assert len(again.speedups) == len(again.estimates)
    assert score(again) == pytest.approx(1.0)
    for record in again.compiles:
        assert record.message.endswith("so is the launch plan: no speed-up is claimed here")


def test_two_verdicts_draw_different_held_out_cases(
    harness: Harness,
    target: Target,
    candidate_of: MakeCandidate,
    scale_source: str,
    honest: Evidence,
) -> None:
    second = harness.judge(candidate_of(scale_source), target)
    assert honest.identity == second.identity
    assert [c.seed for c in honest.cases] != [c.seed for c in second.cases]


@pytest.mark.parametrize(
    ("before", "after", "status", "tier"),
    [
        ("factor * x[i]", "factor + x[i]", Status.WRONG_VALUE, Tier.T1),
        ("if (i < n) y", "y", Status.OUT_OF_BOUNDS, Tier.T1),
        ("if (i < n)", "if (i < n - 1)", Status.NONFINITE, Tier.T1),
        ("if (i < n)", "if (i < n && n < 2000000)", Status.CHEAT, Tier.T1),
        ("factor * x[i]", "factor * x[i", Status.COMPILE_ERROR, Tier.T0),
        ("const float* x", "float* x", Status.PASSED, Tier.T2),
        ("= factor * x[i]", "= factor * x[i], ((float*)x)[i] = 0", Status.CHEAT, Tier.T1),
        ("const int i", 'asm("s_nop 0"); const int i', Status.POLICY_VIOLATION, None),
    ],
)
def test_a_kernel_fails_for_its_own_reason(
    harness: Harness,
    narrow_target: Target,
    candidate_of: MakeCandidate,
    scale_source: str,
    before: str,
    after: str,
    status: Status,
    tier: Tier | None,
) -> None:
    evidence = harness.judge(candidate_of(changed(scale_source, before, after)), narrow_target)
    assert evidence.status is status, evidence.findings
    assert evidence.tier == tier
    if status is not Status.PASSED:
        assert evidence.findings
        assert not evidence.speedups


@pytest.mark.parametrize(
    ("expression", "tier", "words"),
    [
        ("lgammaf(x[i])", Tier.T0, "'lgammaf': Not written yet on either side"),
        ("(float)clock64()", Tier.T0, "can tell when it is timed"),
        ('(float)(printf("x"), 0)', Tier.T0, "Write the value into a buffer"),
        ("(float)__builtin_amdgcn_update_dpp(0, i, 0x150, 15, 15, false)", Tier.T1, "of DPP"),
    ],
)
def test_hip_that_is_not_supported_is_said_to_be_so_with_its_line(
    harness: Harness,
    narrow_target: Target,
    candidate_of: MakeCandidate,
    scale_source: str,
    expression: str,
    tier: Tier,
    words: str,
) -> None:
    source = changed(scale_source, "factor * x[i]", f"factor * x[i] + {expression}")
    evidence = harness.judge(candidate_of(source), narrow_target)
    line = next(n for n, text in enumerate(source.splitlines(), 1) if expression in text)
    finding = evidence.findings[0]
    assert (evidence.status, finding.line) == (Status.UNSUPPORTED, line), finding.message
    assert evidence.tier is tier
    assert words in finding.message
    assert "UNSUPPORTED: " in finding.message


def test_a_mistake_beside_what_is_not_supported_is_a_mistake(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    source = changed(scale_source, "factor * x[i]", "lgammaf(x[i]) * unknown")
    assert harness.judge(candidate_of(source), narrow_target).status is Status.COMPILE_ERROR


def test_an_error_that_shows_only_at_the_timed_size_is_a_finding(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    source = changed(scale_source, "if (i < n) y[i]", "if (i < n) y[n > 2000000 ? i + n : i]")
    evidence = harness.judge(candidate_of(source), narrow_target)
    assert evidence.status is Status.OUT_OF_BOUNDS
    assert "n=4194304" in evidence.findings[0].message


def test_a_plan_that_does_not_fit_the_target_is_refused_before_anything_is_compiled(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    evidence = harness.judge(
        candidate_of(scale_source, args=["x", "z", "n", "factor"]), narrow_target
    )
    assert evidence.status is Status.POLICY_VIOLATION
    assert "takes 'z'" in evidence.findings[0].message
    assert evidence.compiles == ()


def test_a_kernel_whose_blocks_wait_for_each_other_reaches_t2(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate
) -> None:
    source = """#include <hip/hip_runtime.h>
#include <hip/hip_cooperative_groups.h>

extern "C" __global__ void scale_f32(const float* x, float* y, int n, float factor) {
  cooperative_groups::grid_group grid = cooperative_groups::this_grid();
  const long long first = grid.thread_rank(), step = grid.size();
  for (long long i = first; i < n; i += step) y[i] = x[i];
  grid.sync();
  for (long long i = step - 1 - first; i < n; i += step) y[i] *= factor;
}
"""
    evidence = harness.judge(candidate_of(source, grid=["8", "1", "1"]), narrow_target)
    assert evidence.status is Status.PASSED, evidence.findings

    raced = harness.judge(
        candidate_of(changed(source, "grid.sync()", "(void)0"), grid=["8", "1", "1"]), narrow_target
    )
    assert raced.status is Status.RACE
    large = harness.judge(candidate_of(source), narrow_target)
    assert (large.status, large.tier) == (Status.UNSUPPORTED, Tier.T1)
    assert large.findings[0].line == 8
