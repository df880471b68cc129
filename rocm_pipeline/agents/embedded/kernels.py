"""kernel_dev: the next schedule for the target's operator family."""

from math import sqrt
from statistics import geometric_mean, mode

from rocm_pipeline.agents.brief import RoundFeedback
from rocm_pipeline.agents.embedded.question import Question
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.roles import KERNEL_FILE, LAUNCH_PLAN_FILE
from rocm_pipeline.agents.round_note import RoundNote, note_of
from rocm_pipeline.agents.schedules import FAMILIES, Tried, propose, schedule_of
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.planning.plan import Task

_DIRECTIONS = ("wide", "lean")


def write_kernel(question: Question, seed: int) -> Reply:
    """Return a kernel that was not tried yet, or a reply without files that says why not."""
    target = question.target
    notes = (*_reviewed(question), *question.feedback)
    history = [tried for note in notes if (tried := _tried(note)) is not None]
    direction = _direction(question.task)
    proposal = propose(target, history, direction, seed)
    if proposal is None:
        return Reply(
            explanation=f"I have no further kernel for the target {target.name}.",
            limitations=(_why_none(target.family, bool(history)),),
        )
    plan = proposal.launch_plan.model_dump_json(indent=2, exclude_defaults=True)
    return Reply(
        files=(
            ReplyFile(path=KERNEL_FILE, text=proposal.source),
            ReplyFile(path=LAUNCH_PLAN_FILE, text=plan + "\n"),
        ),
        explanation=f"Direction: {direction}. {proposal.explanation}",
        limitations=proposal.limitations,
    )


def _why_none(family: str, tried_some: bool) -> str:
    if family not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        return f"There are templates for the families {known}; none for '{family}'."
    if tried_some:
        return "Every schedule of this family was tried."
    return f"The tensors of this target are not those of the family '{family}'."


def _direction(task: Task) -> str:
    """Return the direction that the task's id ends in; other plans alternate by agent number."""
    last = task.id.rsplit("_", 1)[-1]
    if last in _DIRECTIONS:
        return last
    return _DIRECTIONS[(int(task.agent_id.rsplit("_", 1)[1]) - 1) % len(_DIRECTIONS)]


def _reviewed(question: Question) -> tuple[RoundNote, ...]:
    """Return the kernel that a review asks to change, as if it were of an earlier round."""
    if question.evidence is None:
        return ()
    candidate = Candidate(
        target=question.target.name, source=question.kernel, launch_plan=question.launch_plan
    )
    return (note_of(RoundFeedback(round=1, candidate=candidate, evidence=question.evidence)),)


def _tried(note: RoundNote) -> Tried | None:
    """Return what came of one of the agent's own kernels, known by its first line."""
    schedule = schedule_of(note.first_line) if note.first_line else None
    if schedule is None:
        return None
    limits = [name for estimate in note.estimates for name in estimate.bottlenecks]
    return Tried(
        schedule=schedule,
        status=note.status.value,
        findings=(*note.findings, *note.compile_errors.values()),
        speedup=mean_speedup_of(note),
        bottleneck=mode(limits) if limits else None,
        spills=note.spills,
        occupancy=dict(note.occupancy),
    )


def mean_speedup_of(note: RoundNote) -> float | None:
    """Return the geometric middle over architectures; None unless each of them has a speed-up."""
    middles = [
        sqrt(estimate.speedup_low * estimate.speedup_high)
        for estimate in note.estimates
        if estimate.speedup_low is not None and estimate.speedup_high is not None
    ]
    is_whole = bool(middles) and len(middles) == len(note.estimates)
    return geometric_mean(middles) if is_whole else None
