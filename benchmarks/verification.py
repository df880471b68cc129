"""How long the harness takes to judge one candidate. Run: python -m benchmarks.verification

Caches start empty for each repetition; only what is built once for a home, the emulator's own
runtime and the precompiled header, is there before. The middle of three repetitions is shown.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Figure, show
from benchmarks.machine import facts
from rocm_pipeline.agents.schedules import propose
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.static_check import check
from rocm_pipeline.targets import library
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.targets.subject import Case

STATIC_AIM_SECONDS = 1.0
T2_AIM_SECONDS = 3.0
REPEATS = 3
THROUGHPUT = 8
"""Candidates judged for the throughput figure."""


def target_named(name: str) -> Target:
    """Return a built-in target."""
    return library.load(name, Path("/nonexistent"))


def candidate_for(target: Target, number: int = 0) -> Candidate:
    """Return a first kernel for `target`; `number` makes sources that differ in a comment."""
    proposal = propose(target, (), "wide", seed=1)
    if proposal is None:
        raise SystemExit(f"no schedule for {target.name}")
    source = f"{proposal.source}\n// copy {number}\n"
    return Candidate(target=target.name, source=source, launch_plan=proposal.launch_plan)


def plain_kernel(target: Target, number: int) -> Candidate:
    """Return the target's baseline; `number` makes sources that differ in a comment."""
    source = f"{target.baseline.source}\n// copy {number}\n"
    return Candidate(target=target.name, source=source, launch_plan=target.baseline.launch_plan)


def softmax_at_256x1000() -> Target:
    """Return row_softmax with nothing larger to time; its other cases are as ever."""
    target = target_named("row_softmax")
    shape = Case(symbols={"rows": 256, "cols": 1000}, dtypes={"io": DType.FLOAT32})
    return target.model_copy(update={"timing_cases": (shape,)})


def measure() -> list[Figure]:
    """Return the figures of this benchmark."""
    target, small = target_named("row_softmax"), softmax_at_256x1000()
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Sandbox.detect(), Path(folder))
        _judge(harness, target, candidate_for(target, -1))
        plain = _middle(lambda i: check(plain_kernel(target, i), target, harness.toolchain))
        static = _middle(lambda i: check(candidate_for(target, 100 + i), target, harness.toolchain))
        attention = target_named("flash_attention")
        large = _middle(
            lambda i: check(candidate_for(attention, 100 + i), attention, harness.toolchain)
        )
        verified = _middle(lambda i: _judge(harness, small, candidate_for(small, 200 + i)))
        built_in = _middle(lambda i: _judge(harness, target, candidate_for(target, 250 + i)))
        rate = _per_minute(harness, target)
    return [
        Figure("static check, plain row_softmax, 6 architectures", plain, "s", STATIC_AIM_SECONDS),
        Figure("static check, tuned row_softmax, 6 architectures", static, "s", STATIC_AIM_SECONDS),
        Figure("static check, tuned flash_attention, 6 architectures", large, "s"),
        Figure("full T2 verification, row_softmax at 256x1000", verified, "s", T2_AIM_SECONDS),
        Figure("the same, timed at 2048x4096 and 8192x1000, too", built_in, "s", T2_AIM_SECONDS),
        Figure("row_softmax candidates verified per minute", rate, "per minute"),
    ]


def _judge(harness: Harness, target: Target, candidate: Candidate) -> None:
    evidence = harness.judge(candidate, target)
    if evidence.status is not Status.PASSED:
        raise SystemExit(f"the candidate does not pass: {evidence.findings[0].message}")


def _middle(work: Callable[[int], object]) -> float:
    times: list[float] = []
    for number in range(REPEATS):
        started = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _per_minute(harness: Harness, target: Target) -> float:
    candidates: Sequence[Candidate] = [candidate_for(target, 300 + i) for i in range(THROUGHPUT)]
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(_judge, harness, target), candidates))
    return 60 * THROUGHPUT / (time.perf_counter() - started)


if __name__ == "__main__":
    console = Console()
    console.print(facts(), soft_wrap=True)
    sys.exit(0 if show("Verification", measure(), console) else 1)
