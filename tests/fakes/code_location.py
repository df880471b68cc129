"""A Dagster code location with fakes for agents and harness, over the home of the environment."""

import time
from dataclasses import dataclass
from pathlib import Path

from rocm_pipeline.agents.outcome import Analysis, ChosenKernel
from rocm_pipeline.automation import jobs
from rocm_pipeline.definitions import assemble
from rocm_pipeline.home import Home
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.resources.production import production_resources
from rocm_pipeline.targets.spec import Target
from tests.fakes.pipeline import FakePipeline, FakeWorkshop

HOLD = "hold"
"""While a file of this name lies in the home, the analysis waits, in its place in the GPU pool."""
HOLD_SECONDS = 120.0


@dataclass
class HoldingWorkshop(FakeWorkshop):
    """A workshop whose analysis can be made to wait."""

    hold: Path = Path(HOLD)

    def analyse(
        self,
        target: Target,
        plan: Plan,
        task: Task,
        kernel: ChosenKernel,
        snapshot: RepoSnapshot,
    ) -> Analysis:
        end = time.monotonic() + HOLD_SECONDS
        while self.hold.exists() and time.monotonic() < end:
            time.sleep(0.1)
        return super().analyse(target, plan, task, kernel, snapshot)


_home = Home.from_environment()
_fakes = FakePipeline(_home, workshop=HoldingWorkshop(hold=_home.path / HOLD)).resources()
_real = production_resources()

defs = assemble(
    {
        **_fakes,
        **{name: _real[name] for name in ("home", "sources", "history", "io_manager")},
    },
    jobs.executor,
)
