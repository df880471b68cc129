"""Whether the kernels reached what the plan asked of their tasks, in the harness's own terms."""

from rocm_pipeline.agents.outcome import CandidateSet, KernelRound
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.planning.acceptance import Acceptance
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.reporting.tables import markdown_table


def aims_table(plan: Plan, candidates: CandidateSet) -> str:
    """A row for each task with an acceptance: what was asked, of its best kernel what is unmet."""
    judged = {outcome.task_id: outcome.rounds for outcome in candidates.outcomes}
    rows = [
        (task.id, _asked(task.acceptance), *_reached(task.acceptance, judged.get(task.id, ())))
        for task in plan.tasks
        if task.acceptance
    ]
    if not rows:
        return "The plan asks nothing of a kernel that the harness could judge."
    return markdown_table(("task", "asked", "its kernel that is closest", "reached"), rows)


def _asked(acceptance: Acceptance) -> str:
    names = ", ".join(acceptance.architectures)
    return f"{acceptance.tier}, estimated {acceptance.speedup:g}x on {names}"


def _reached(acceptance: Acceptance, rounds: tuple[KernelRound, ...]) -> tuple[str, str]:
    """Return the kernel that leaves nothing open, else the fastest that passed, and what it says.

    Of several without an estimate it is the last: the one with the most feedback behind it.
    """
    found = [
        (len(unmet) == 0, score(evidence) or 0.0, place, each.candidate.id, unmet)
        for place, each in enumerate(rounds)
        if each.candidate and (evidence := each.evidence)
        for unmet in [acceptance.unmet(evidence)]
    ]
    if not found:
        return "none", "unmet: no kernel was judged"
    *_, kernel, unmet = max(found)
    return kernel, f"unmet: {'; '.join(unmet)}" if unmet else "met"
