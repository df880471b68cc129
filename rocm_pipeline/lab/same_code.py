"""Where a candidate's machine code is the baseline's: nothing changed there, so nothing got faster.

Objects carry the hash of their source, so that two of them are never equal; their machine code is
compared (`machine_code`). With the same launch plan as well, an estimate beside the baseline's is
one of the same program, and any difference is that of the values that were drawn.
"""

from collections.abc import Sequence

from rocm_pipeline.lab.evidence import CompileRecord, Estimate, Evidence, Speedup, Status
from rocm_pipeline.lab.roofline import speedup
from rocm_pipeline.lab.toolchain import Toolchain


def same_code(before: Sequence[CompileRecord], after: Sequence[CompileRecord]) -> tuple[str, ...]:
    """Return the architectures, in the order of `after`, whose machine code is equal in both.

    One that did not compile, or whose code is not known, is none of them.
    """
    known = {record.architecture: record.code_sha256 for record in before}
    return tuple(
        record.architecture
        for record in after
        if record.code_sha256 is not None and known.get(record.architecture) == record.code_sha256
    )


def beside(
    name: str, source: str, compiles: Sequence[CompileRecord], toolchain: Toolchain
) -> tuple[Status, str]:
    """Compile `source`, the file `name`, and say where its machine code is that of `compiles`.

    PASSED where some machine code is another; INCONCLUSIVE where all of it is the same, so that no
    difference in time can come from it; NOT_RUN where either does not compile.
    """
    if not compiles or any(record.code_sha256 is None for record in compiles):
        return Status.NOT_RUN, ""
    builds = list(toolchain.compile_each(source, [record.architecture for record in compiles]))
    if any(build.status is not Status.PASSED for build in builds):
        return Status.NOT_RUN, f"{name} does not compile everywhere"
    other = {build.architecture: build.content.code_sha256 for build in builds}
    same = [r.architecture for r in compiles if r.code_sha256 == other[r.architecture]]
    if not same:
        return Status.PASSED, f"other than that of {name} everywhere"
    words = f"that of {name} on {', '.join(same)}: no difference in time can come from it there"
    return Status.INCONCLUSIVE if len(same) == len(compiles) else Status.PASSED, words


def noted(
    compiles: Sequence[CompileRecord], baseline: Evidence | None, plan_sha256: str
) -> tuple[CompileRecord, ...]:
    """Return the records, each with a note where its machine code is the baseline's.

    It is the first of the notes, which is the one that a brief shows.
    """
    if baseline is None:
        return tuple(compiles)
    same = same_code(baseline.compiles, compiles)
    words = "the machine code is the baseline's"
    if baseline.identity.plan_sha256 == plan_sha256:
        words += ", and so is the launch plan: no speed-up is claimed here"
    else:
        words += ": only the launch plan is another"
    return tuple(
        record.model_copy(update={"message": "\n".join(filter(None, (words, record.message)))})
        if record.architecture in same
        else record
        for record in compiles
    )


def speedups_over(
    baseline: Evidence | None,
    plan_sha256: str,
    compiles: Sequence[CompileRecord],
    estimates: Sequence[Estimate],
) -> tuple[Speedup, ...]:
    """Return each estimate beside the baseline's, exactly 1 where the program is the same."""
    if baseline is None:
        return ()
    same_plan = baseline.identity.plan_sha256 == plan_sha256
    same = same_code(baseline.compiles, compiles) if same_plan else ()
    before = {(e.architecture, e.case.name): e for e in baseline.estimates}
    return tuple(
        Speedup(architecture=after.architecture, case=after.case, low=1.0, high=1.0)
        if after.architecture in same
        else speedup(before[key], after)
        for after in estimates
        if (key := (after.architecture, after.case.name)) in before
    )
