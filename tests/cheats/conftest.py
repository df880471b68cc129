"""One harness for all cheats, which judges each kernel once."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from tests.cheats.hip.kernels import Kernel
from tests.cheats.hip.targets import small_target

Judge = Callable[[Kernel], Evidence]

_CPU_SECONDS = 4
"""For one run of a kernel: a hundred times what an honest one takes here."""


@pytest.fixture(scope="session")
def harness(builds: Path) -> Iterator[Harness]:
    try:
        sandbox = Sandbox.detect()
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")
    harness = Harness(sandbox, builds)
    with pytest.MonkeyPatch.context() as patch:
        run = partial(harness.emulator.run, cpu_seconds=_CPU_SECONDS)
        patch.setattr(harness.emulator, "run", run)
        yield harness


@pytest.fixture(scope="session")
def judge(harness: Harness) -> Judge:
    judged: dict[str, Evidence] = {}

    def judge(kernel: Kernel) -> Evidence:
        candidate = kernel.candidate
        if candidate.id not in judged:
            judged[candidate.id] = harness.judge(candidate, small_target(kernel.target))
        return judged[candidate.id]

    return judge
