"""Plans of several targets asked for in one call, which carries what they share once."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.planning.claude.call import Answer, Call, Purpose, Reason, UnansweredError
from rocm_pipeline.planning.claude.form import PlanForm, PlannedTask
from rocm_pipeline.planning.claude.instructions import planner_system
from rocm_pipeline.planning.claude.question import question
from rocm_pipeline.planning.claude.shared import SharedQuestion
from rocm_pipeline.quoting.blocks import Block

MOST_TARGETS = 4
"""In one call: more would leave too little of an answer for each."""
TOKENS_FOR_ANOTHER = 8_000
"""Of the answer, for each target after the first."""


class TargetPlan(BaseModel):
    """The plan of one of the targets that were asked about."""

    model_config = ConfigDict(extra="forbid")

    target: str
    tasks: list[PlannedTask]


class JointPlans(BaseModel):
    """What the planner is asked for when several targets are planned."""

    model_config = ConfigDict(extra="forbid")

    plans: list[TargetPlan]


def joint_question(contexts: Sequence[tuple[str, Sequence[Block]]]) -> SharedQuestion:
    """Return the question for the plans of several targets, each given with its data blocks."""
    names = tuple(name for name, _ in contexts)
    blocks = [
        replace(block, name=f"T{number} {block.name}")
        for number, (_, own) in enumerate(contexts, start=1)
        for block in own
    ]
    listed = ", ".join(f"`{name}` (T{number})" for number, name in enumerate(names, start=1))
    request = (
        f"Now give one plan for each of these {len(names)} targets, each for itself: {listed}. "
        "The names of the data blocks about a target begin with what stands in the brackets. The "
        "answer is `plans`: for each target its name as `target`, and its `tasks` as described."
    )
    return SharedQuestion(subjects=names, targets=names, prompt=question(blocks, request))


def joint_call(asked: SharedQuestion, max_tokens: int, run_id: str | None) -> Call[JointPlans]:
    """Return the call that puts a question for several plans; `max_tokens` are for one plan."""
    return Call(
        purpose=Purpose.PLAN,
        targets=asked.targets,
        system=planner_system(),
        prompt=asked.prompt,
        form=JointPlans,
        max_tokens=max_tokens + TOKENS_FOR_ANOTHER * (len(asked.targets) - 1),
        run_id=run_id,
    )


def part_of(
    reply: Answer[JointPlans] | UnansweredError, target: str
) -> Answer[PlanForm] | UnansweredError:
    """Return what an answer says of one target, as if that alone had been asked."""
    if isinstance(reply, UnansweredError):
        return reply
    found = [plan for plan in reply.value.plans if plan.target == target]
    if len(found) != 1:
        return UnansweredError(
            Reason.INVALID,
            f"{len(found) or 'no'} plans for {target}, not one",
            attempt_id=reply.attempt_id,
        )
    form = PlanForm(tasks=found[0].tasks)
    return Answer(
        value=form,
        attempt_id=reply.attempt_id,
        model=reply.model,
        text=form.model_dump_json(exclude_unset=True),
    )
