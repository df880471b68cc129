"""Hints: a kernel task whose rounds keep failing may ask Claude once what is wrong.

At most one hint for a plan of a target, whichever of its tasks is stuck first. It is claimed in a
book before it is asked for, so that two tasks, processes or runs do not ask twice; the task that
claimed it gets the same hint again when it is done again.
"""

import json
import logging
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.errors import one_line
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Finding, Status
from rocm_pipeline.planning.claude.call import Call, Claude, Purpose, Reason, UnansweredError
from rocm_pipeline.planning.claude.instructions import hint_system
from rocm_pipeline.planning.claude.question import question
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.quoting.blocks import Block
from rocm_pipeline.quoting.untrusted import untrusted
from rocm_pipeline.redaction.cutting import cut
from rocm_pipeline.targets.spec import Target

_log = logging.getLogger(__name__)

MAX_HINT = 900
"""Characters; what is longer is cut."""
MAX_TOKENS = 2000
MAX_ROUNDS = 4
"""The newest failed rounds that are shown."""
MAX_FINDINGS = 6
MAX_MESSAGE = 800
MAX_SOURCE = 12_000
ROUNDS_BEFORE = 2
"""Failed rounds after which a task is stuck."""


class HintForm(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    hint: str


@dataclass(frozen=True)
class FailedRound:
    """One round that gave no kernel that passes: what the harness found, never what was said."""

    round: int
    candidate: Candidate | None
    """None where the reply could not be read as a kernel."""
    evidence: Evidence | None


@dataclass(frozen=True)
class Stuck:
    """A kernel task none of whose rounds passed; `rounds` are all of them, oldest first."""

    target: Target
    plan_id: str
    task: Task
    rounds: tuple[FailedRound, ...]
    run_id: str | None = None


class HintBook(Protocol):
    """Remembers which task of a plan has the plan's hint; in the records."""

    def claim(self, plan_id: str, *, target: str, task_id: str) -> bool:
        """Give the plan's hint to this task, if no other has it; say whether this one has it."""
        ...

    def hint(self, plan_id: str) -> str | None:
        """Return the hint that was kept; None when none was, an empty text when none came."""
        ...

    def keep(self, plan_id: str, text: str, attempt_id: str | None) -> None:
        """Keep what came of asking; an empty text says that no hint came."""
        ...


class Hints:
    """Asks for hints, within the budgets that the calls are booked on."""

    def __init__(self, claude: Claude, book: HintBook, after: int = ROUNDS_BEFORE) -> None:
        self._claude = claude
        self._book = book
        self._after = after

    def for_next_round(self, stuck: Stuck) -> str:
        """Return the hint for the next prompt of a task; empty when it has none.

        To be called before each round with the rounds so far. It asks when `after` of them have
        failed, and from then on returns the same hint. Never raises for want of an answer.
        """
        if len(stuck.rounds) < self._after or any(map(_passed, stuck.rounds)):
            return ""
        plan_id = stuck.plan_id
        if not self._book.claim(plan_id, target=stuck.target.name, task_id=stuck.task.id):
            return ""
        kept = self._book.hint(plan_id)
        return self._asked(stuck) if kept is None else kept

    def _asked(self, stuck: Stuck) -> str:
        try:
            answer = self._claude.ask(hint_call(stuck))
        except UnansweredError as error:
            level = logging.INFO if error.reason is Reason.NO_KEY else logging.WARNING
            _log.log(level, "no hint for task %s: %s", stuck.task.id, one_line(str(error)))
            self._book.keep(stuck.plan_id, "", error.attempt_id)
            return ""
        hint = one_line(answer.value.hint, MAX_HINT)
        self._book.keep(stuck.plan_id, hint, answer.attempt_id)
        return hint


def hint_call(stuck: Stuck) -> Call[HintForm]:
    """Return the question; equal rounds give an equal one."""
    target, task = stuck.target, stuck.task
    return Call(
        purpose=Purpose.HINT,
        targets=(target.name,),
        system=hint_system(MAX_HINT),
        prompt=question(
            _blocks(stuck), f"Now give one hint for the task `{task.id}` of `{target.name}`."
        ),
        form=HintForm,
        max_tokens=MAX_TOKENS,
        plan_id=stuck.plan_id,
        run_id=stuck.run_id,
    )


def _blocks(stuck: Stuck) -> list[Block]:
    target = stuck.target.model_dump(
        mode="json",
        exclude_none=True,
        include={"name", "title", "symbols", "dtypes", "tensors", "scalars", "architectures"},
    )
    task = stuck.task.model_dump(mode="json", include={"id", "task_type", "context"})
    rounds = [json.dumps(_found(found)) for found in stuck.rounds[-MAX_ROUNDS:]]
    blocks = [
        Block("TARGET", "json", untrusted(json.dumps(target))),
        Block("REFERENCE", "python", untrusted(stuck.target.reference, MAX_SOURCE)),
        Block("TASK", "json", untrusted(json.dumps(task))),
        Block("ROUNDS", "", untrusted("\n".join(rounds))),
    ]
    last = next((found.candidate for found in reversed(stuck.rounds) if found.candidate), None)
    if last is not None:
        plan = last.launch_plan.model_dump_json()
        blocks.append(Block("KERNEL", "hip", untrusted(last.source, MAX_SOURCE)))
        blocks.append(Block("LAUNCH PLAN", "json", untrusted(plan)))
    return blocks


def _found(found: FailedRound) -> dict[str, object]:
    """Return what the harness found in a round, shortened as for an agent."""
    evidence = found.evidence
    if evidence is None:
        return {"round": found.round, "status": "the reply held no kernel that could be read"}
    failed = [case for case in evidence.cases if case.status is not Status.PASSED]
    findings = (*evidence.findings, *(finding for case in failed for finding in case.findings))
    different = {finding.message: finding for finding in reversed(findings)}
    return {
        "round": found.round,
        "status": evidence.status.value,
        "tier": evidence.tier.label if evidence.tier is not None else "none",
        "passed": len(evidence.cases) - len(failed),
        "failed": [f"{case.case.name}, wave {case.wave}" for case in failed[:MAX_FINDINGS]],
        "findings": [_shown(f) for f in list(reversed(different.values()))[:MAX_FINDINGS]],
    }


def _shown(finding: Finding) -> dict[str, object]:
    facts = finding.model_dump(mode="json", exclude_none=True)
    return {**facts, "message": cut(finding.message, MAX_MESSAGE)}


def _passed(found: FailedRound) -> bool:
    return found.evidence is not None and found.evidence.status is Status.PASSED
