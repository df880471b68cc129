"""A kernel task: ask, judge, tell the agent what the harness found, and ask again."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.brief import Brief, EvidenceSummary, RoundFeedback
from rocm_pipeline.agents.desk import Answer
from rocm_pipeline.agents.outcome import KernelOutcome, KernelRound, TestSuite
from rocm_pipeline.agents.parser import ReplyError, kernel_from
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.errors import one_line
from rocm_pipeline.fleet.service import ChatFailedError, NoHostError, NoModelError
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.planning.claude.call import UnansweredError
from rocm_pipeline.planning.claude.hints import FailedRound, Stuck
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.targets.spec import Target

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KernelTask:
    """Everything a kernel task works from."""

    target: Target
    plan_id: str
    task: Task
    files: dict[str, str]
    suite: TestSuite
    baseline: Evidence
    rounds: int
    run_id: str | None = None
    enough: float | None = None
    """Estimated speed-up at which the task ends; None: it uses all of its rounds."""


class Asks(Protocol):
    """Whoever puts a brief to a model; see `rocm_pipeline.agents.desk.Desk`."""

    def ask(self, brief: Brief, *, plan_id: str, round: int) -> Answer: ...


class Advises(Protocol):
    """Whoever has a hint for a task that is stuck; see `planning.claude.hints.Hints`."""

    def for_next_round(self, stuck: Stuck) -> str: ...


def develop(
    work: KernelTask,
    desk: Asks,
    bench: Bench,
    on_reply: Callable[[KernelRound], None],
    hints: Advises | None = None,
) -> KernelOutcome:
    """Run the rounds of a kernel task; ends early when the agent has nothing more to send.

    So it does when nobody answers any more: what was judged before may have passed, and other
    tasks of the target may have kernels.
    """
    done: list[KernelRound] = []
    for number in range(1, work.rounds + 1):
        try:
            hint = hints.for_next_round(_stuck(work, done)) if hints else ""
            answer = desk.ask(_brief(work, done, hint), plan_id=work.plan_id, round=number)
        except (ChatFailedError, NoHostError, NoModelError, UnansweredError) as error:
            _log.warning("task %s ends before round %d: %s", work.task.id, number, error)
            cut_off = one_line(str(error))
            return KernelOutcome(task_id=work.task.id, rounds=tuple(done), cut_off=cut_off)
        found = _judge(work, answer, done, bench)
        done.append(found)
        on_reply(found)
        if _is_enough(work, found) or (answer.reply is not None and not answer.reply.files):
            break
    return KernelOutcome(task_id=work.task.id, rounds=tuple(done))


def _is_enough(work: KernelTask, found: KernelRound) -> bool:
    if work.enough is None or found.evidence is None:
        return False
    value = score(found.evidence)
    return value is not None and value >= work.enough


def _judge(
    work: KernelTask, answer: Answer, earlier: list[KernelRound], bench: Bench
) -> KernelRound:
    if answer.reply is None:
        return _round(answer, refused=answer.refused)
    best = _best(earlier)
    try:
        parents = (best.id,) if best else ()
        candidate = kernel_from(answer.reply, work.target, parents)
    except ReplyError as error:
        return _round(answer, refused=str(error))
    same = next((r for r in earlier if r.candidate and r.candidate.id == candidate.id), None)
    if same is not None:
        again = f"this is the kernel of round {same.exchange.round} again; send a different one"
        return _round(answer, refused=again)
    evidence = bench.judge_reply(
        candidate,
        work.target,
        work.suite.cases,
        work.baseline,
        task_id=work.task.id,
        reply_id=answer.exchange.reply_id,
        round=answer.exchange.round,
    )
    return _round(answer, candidate=candidate, evidence=evidence)


def _round(
    answer: Answer,
    *,
    candidate: Candidate | None = None,
    evidence: Evidence | None = None,
    refused: str = "",
) -> KernelRound:
    reply = answer.reply or Reply()
    return KernelRound(
        exchange=answer.exchange,
        candidate=candidate,
        evidence=evidence,
        refused=refused,
        explanation=reply.explanation,
        confidence=reply.confidence,
        limitations=reply.limitations,
    )


def _stuck(work: KernelTask, done: list[KernelRound]) -> Stuck:
    rounds = (FailedRound(r.exchange.round, r.candidate, r.evidence) for r in done)
    return Stuck(work.target, work.plan_id, work.task, tuple(rounds), work.run_id)


def _brief(work: KernelTask, earlier: list[KernelRound], hint: str) -> Brief:
    return Brief(
        target=work.target,
        task=work.task,
        files=work.files,
        feedback=tuple(
            RoundFeedback(
                round=r.exchange.round,
                candidate=r.candidate,
                evidence=EvidenceSummary.of(r.evidence) if r.evidence else None,
                reply_error=r.refused or None,
            )
            for r in earlier
        ),
        best=_best(earlier),
        hint=hint,
    )


def _best(rounds: list[KernelRound]) -> Candidate | None:
    ranked = [
        (value, r.candidate)
        for r in rounds
        if r.candidate and r.evidence and (value := score(r.evidence)) is not None
    ]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None
