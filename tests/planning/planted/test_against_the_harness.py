"""What is said of planted kernels is what the harness says: honest ones pass, and these bad ones.

Bad kernels that pass are why there are reviewers: nothing that the harness runs shows their fault.
"""

from pathlib import Path

import pytest

from rocm_pipeline.lab.evidence import Status, Tier
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from rocm_pipeline.planning.planted.library import Planted, planted_kernels, planted_target
from tests.scale import is_long

PASSING = [k for k in planted_kernels() if not k.evidence and (k.passes or not k.is_bad)]
CAUGHT = [k for k in planted_kernels() if k.at and not k.passes]
_SHORT = ("index_overflow", "reused_lds")
"""One of each kind, where there is no time for all."""


def _tried(kernels: list[Planted]) -> list[Planted]:
    return kernels if is_long() else [k for k in kernels if k.name in _SHORT]


@pytest.fixture(scope="module")
def harness(builds: Path) -> Harness:
    try:
        return Harness(Sandbox.detect(), builds)
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")


@pytest.mark.parametrize("kernel", _tried(PASSING), ids=lambda kernel: kernel.name)
def test_the_harness_lets_it_pass_with_the_lds_that_is_stated(
    kernel: Planted, harness: Harness
) -> None:
    evidence = harness.judge(kernel.candidate, planted_target(), seed=1)
    assert (evidence.status, evidence.tier) == (Status.PASSED, Tier.T2)
    assert {k.lds_bytes for record in evidence.compiles for k in record.kernels} == {kernel.lds}


@pytest.mark.parametrize("kernel", _tried(CAUGHT), ids=lambda kernel: kernel.name)
def test_the_harness_catches_it(kernel: Planted, harness: Harness) -> None:
    evidence = harness.judge(kernel.candidate, planted_target(), seed=1)
    assert evidence.status is not Status.PASSED
