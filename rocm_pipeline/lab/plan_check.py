"""T0 for launch plans: does the plan mean something for every case of the target?"""

from collections.abc import Iterator

from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.targets.launch_plan import LaunchPlan, LaunchPlanError
from rocm_pipeline.targets.subject import Case, Subject

MAX_WORKSPACE_BYTES = 1 << 31
_RESERVED_NAMES = ("hip", "__", "rocm_pipeline")
"""No kernel begins so, in whatever case: a source may build its kernels' names by `##`."""


def check_plan(plan: LaunchPlan, target: Subject) -> tuple[Finding, ...]:
    """Return what is wrong with `plan`: names, outputs left out, empty grids, much workspace."""
    return tuple(
        Finding(status=Status.POLICY_VIOLATION, message=message)
        for message in dict.fromkeys((*_names(plan, target), *_bindings(plan, target)))
    )


def _names(plan: LaunchPlan, target: Subject) -> Iterator[str]:
    for launch in plan.launches:
        if launch.kernel.lower().startswith(_RESERVED_NAMES):
            yield f"launch plan: kernel '{launch.kernel}': names like that belong to the harness"
    own = [entry.name for entry in plan.workspace]
    given = {*target.tensors, *target.symbols, *target.scalars}
    for name in own:
        if name in given or own.count(name) > 1:
            yield f"launch plan: workspace '{name}' is already a name"
    for launch in plan.launches:
        for name in launch.args:
            if name not in given and name not in own:
                known = ", ".join((*target.tensors, *own, *target.symbols, *target.scalars))
                yield f"launch plan: {launch.kernel} takes '{name}'; known are {known}"
    taken = {name for launch in plan.launches for name in launch.args}
    for name in target.outputs:
        if name not in taken:
            yield f"launch plan: no launch takes the output '{name}', so nothing can write it"


def _bindings(plan: LaunchPlan, target: Subject) -> Iterator[str]:
    cases: tuple[Case, ...] = (
        *target.kernel_variants(),
        *target.public_cases,
        *target.timing_cases,
    )
    for case in cases:
        for wave in (32, 64):
            try:
                bound = target.bind(plan, case, wave)
            except (LaunchPlanError, ValueError) as error:
                yield f"launch plan: {error} (for {case.name}, WAVE={wave})"
                continue
            size = 0
            for entry in bound.workspace:
                count = entry.dtype.itemsize
                for extent in entry.shape:
                    count *= extent
                size += count
            if size > MAX_WORKSPACE_BYTES:
                yield f"launch plan: {size} bytes of workspace for {case.name}"
