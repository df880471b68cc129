"""Values at the sizes that are timed: what only large sizes do wrong is found there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sampled import spread
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.targets.spec import Target

MakeCandidate = Callable[..., Candidate]


@pytest.fixture(scope="module")
def harness(sandbox: Sandbox, builds: Path) -> Harness:
    return Harness(sandbox, builds)


def judge(
    harness: Harness,
    narrow_target: Target,
    make: MakeCandidate,
    source: str,
    before: str,
    after: str,
) -> Evidence:
    assert before in source
    return harness.judge(make(source.replace(before, after)), narrow_target)


def test_every_timing_case_is_checked_on_both_wave_sizes_with_values_of_its_own(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    evidence = harness.judge(candidate_of(scale_source), narrow_target)
    timed = [record for record in evidence.cases if record.origin == "timed"]
    assert [record.wave for record in timed] == [32, 64]
    for record in timed:
        assert record.blocks == 12
        assert record.elements == 12 * 256


@pytest.mark.parametrize(
    ("after", "status"),
    [
        ("(n > 2000000 ? 3.0f : factor) * x[i]", Status.WRONG_VALUE),
        ("n == 4194304 ? x[i] : factor * x[i]", Status.WRONG_VALUE),
        # right in the evenly spread blocks, which anyone can foresee, and nowhere else
        (
            "n == 4194304 && blockIdx.x % ((n / 256 - 1) / 5) ? 0.0f : factor * x[i]",
            Status.WRONG_VALUE,
        ),
        # inputs do not repeat, so neither do answers
        ("factor * (n == 4194304 ? x[i % 65536] : x[i])", Status.WRONG_VALUE),
    ],
)
def test_a_wrong_value_at_a_large_size_alone_is_found(
    harness: Harness,
    narrow_target: Target,
    candidate_of: MakeCandidate,
    scale_source: str,
    after: str,
    status: Status,
) -> None:
    evidence = judge(harness, narrow_target, candidate_of, scale_source, "factor * x[i]", after)
    assert evidence.status is status, evidence.findings
    assert evidence.findings[0].message.startswith("at n=")


@pytest.mark.parametrize("guard", ["blockIdx.x % 2 == 0", "threadIdx.x < 128"])
def test_a_kernel_that_leaves_outputs_out_at_the_timed_size_alone_is_a_cheat(
    harness: Harness,
    narrow_target: Target,
    candidate_of: MakeCandidate,
    scale_source: str,
    guard: str,
) -> None:
    skips = f"if (i < n && (n != 4194304 || {guard}))"
    evidence = judge(harness, narrow_target, candidate_of, scale_source, "if (i < n)", skips)
    assert evidence.status is Status.CHEAT, evidence.findings
    assert "of the outputs" in evidence.findings[0].message


def test_writing_an_input_at_the_timed_size_alone_is_a_cheat(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    writes = "factor * x[i]; if (n == 4194304 && i < n) ((float*)x)[i] = 0.0f"
    evidence = judge(harness, narrow_target, candidate_of, scale_source, "factor * x[i]", writes)
    assert evidence.status is Status.CHEAT, evidence.findings
    assert "input 'x'" in evidence.findings[0].message


def test_an_honest_loop_over_the_grid_passes(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    source = scale_source.replace("if (i < n) y[i] = factor * x[i];", "LOOP").replace(
        "LOOP",
        "for (int k = i; k < n; k += gridDim.x * blockDim.x) y[k] = factor * x[k];",
    )
    evidence = harness.judge(
        candidate_of(source, grid=["min(ceildiv(n, 256), 4096)", 1, 1]), narrow_target
    )
    assert evidence.status is Status.PASSED, evidence.findings


def test_what_blocks_do_by_atomics_is_judged_on_a_smaller_case_executed_whole(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    atomic = scale_source.replace(
        "y[i] = factor * x[i]", "{ y[i] = factor * x[i]; atomicAdd(&y[i], 0.0f); }"
    )
    evidence = harness.judge(candidate_of(atomic), narrow_target)
    assert evidence.status is Status.PASSED, evidence.findings
    timed = [record for record in evidence.cases if record.origin == "timed"]
    assert [record.wave for record in timed] == [32, 64]
    for record in timed:
        assert record.stands_for == narrow_target.timing_cases[0].name
        assert record.blocks is None
        assert record.elements == record.case.symbols["n"] < 1 << 22


def test_a_small_timing_case_is_executed_whole_so_that_one_wrong_block_is_found(
    harness: Harness, narrow_target: Target, candidate_of: MakeCandidate, scale_source: str
) -> None:
    timed = narrow_target.timing_cases[0].model_copy(update={"symbols": {"n": 1 << 17}})
    small = narrow_target.model_copy(update={"timing_cases": (timed,)})
    honest = harness.judge(candidate_of(scale_source), small)
    assert {r.elements for r in honest.cases if r.origin == "timed"} == {1 << 17}
    source = scale_source.replace("if (i < n)", "if (i < n && (n != 131072 || blockIdx.x != 300))")
    evidence = harness.judge(candidate_of(source), small)
    assert evidence.status is Status.NONFINITE, evidence.findings
    assert "256 of 131072 elements" in evidence.findings[0].message


def test_spread_blocks_reach_from_the_first_to_the_last() -> None:
    assert spread(100, 6) == (0, 19, 39, 59, 79, 99)
    assert spread(3, 6) == (0, 1, 2)
