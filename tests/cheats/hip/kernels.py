"""What a HIP cheat is made of: an honest kernel, and edits that turn it into the cheat."""

from dataclasses import dataclass, replace

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.targets.launch_plan import LaunchPlan
from tests.cheats.model import Cheat

Edit = tuple[str, str]
"""What stands in the honest kernel, and what the cheat writes there."""

HEADER = "#include <hip/hip_runtime.h>\n"


@dataclass(frozen=True)
class Kernel:
    """Device code and a launch plan for one of the small targets."""

    target: str
    source: str
    plan: LaunchPlan

    def edited(self, *edits: Edit) -> "Kernel":
        source = self.source
        for before, after in edits:
            assert before in source, f"no {before!r} in\n{source}"
            source = source.replace(before, after)
        return replace(self, source=source)

    def preceded_by(self, code: str) -> "Kernel":
        """Put `code` between the header and the kernel."""
        return self.edited((HEADER, f"{HEADER}{code}\n"))

    def launched(self, index: int = 0, **changes: object) -> "Kernel":
        """Change fields of one launch."""
        launches = [launch.model_dump() for launch in self.plan.launches]
        launches[index] |= changes
        return replace(self, plan=plan(*launches, workspace=_workspace(self.plan)))

    def with_launches(self, *launches: dict[str, object], workspace: object = ()) -> "Kernel":
        return replace(self, plan=plan(*launches, workspace=workspace))

    @property
    def candidate(self) -> Candidate:
        return Candidate(target=self.target, source=self.source, launch_plan=self.plan)


@dataclass(frozen=True, kw_only=True)
class HipCheat(Cheat):
    """A kernel that cheats, and the honest kernel that differs in nothing else."""

    kernel: Kernel
    twin: Kernel


def plan(*launches: dict[str, object], workspace: object = ()) -> LaunchPlan:
    return LaunchPlan.model_validate({"launches": launches, "workspace": workspace})


def launch(kernel: str, grid: str | int, block: str | int, *args: str) -> dict[str, object]:
    """One launch in one dimension."""
    return {"kernel": kernel, "grid": [grid, 1, 1], "block": [block, 1, 1], "args": args}


def kernel(target: str, code: str, *launches: dict[str, object], workspace: object = ()) -> Kernel:
    return Kernel(target, HEADER + code.strip() + "\n", plan(*launches, workspace=workspace))


def hip(
    number: int, name: str, how: str, status: Status, reason: str, cheat: Kernel, twin: Kernel
) -> HipCheat:
    return HipCheat(
        number=number,
        name=name,
        kind="hip",
        how=how,
        status=status,
        reason=reason,
        kernel=cheat,
        twin=twin,
    )


def edited(
    number: int, name: str, how: str, status: Status, reason: str, twin: Kernel, *edits: Edit
) -> HipCheat:
    """A cheat that is its honest twin with some code changed."""
    return hip(number, name, how, status, reason, twin.edited(*edits), twin)


def _workspace(launch_plan: LaunchPlan) -> object:
    return [entry.model_dump() for entry in launch_plan.workspace]
