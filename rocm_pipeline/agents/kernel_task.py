"""A kernel task: ask, judge, tell the agent what the harness found, and ask again."""

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from rocm_pipeline.agents.bench import Bench
from rocm_pipeline.agents.brief import Brief, EvidenceSummary, RoundFeedback
from rocm_pipeline.agents.desk import Answer
from rocm_pipeline.agents.outcome import KernelOutcome, KernelRound, TestSuite
from rocm_pipeline.agents.parser import ReplyError, kernel_from
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.wave import as_they_come
from rocm_pipeline.errors import one_line
from rocm_pipeline.fleet.chat import ChatFailedError, NoHostError, NoModelError
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.lab.ranking import score
from rocm_pipeline.planning.claude.call import UnansweredError
from rocm_pipeline.planning.claude.hints import FailedRound, Stuck
from rocm_pipeline.planning.plan import Task
from rocm_pipeline.targets.spec import Target

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReviewedKernel:
    """A kernel that passed every check and that a review asks to change."""

    candidate: Candidate
    evidence: Evidence


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
    reviewed: ReviewedKernel | None = None
    """What the task is to change; the review's findings are among its constraints."""


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
    others: Sequence[Asks] = (),
) -> KernelOutcome:
    """Run the rounds of a kernel task; ends early when the agent has nothing more to send.

    So it does when nobody answers any more: what was judged before may have passed, and other
    tasks of the target may have kernels. `others` are asked the same at the same time; each answer
    is judged as it comes, has a number of its own, and is told to all of them afterwards.
    """
    desks = (desk, *others)
    done: list[KernelRound] = []
    for wave in range(work.rounds):
        numbers = range(wave * len(desks) + 1, (wave + 1) * len(desks) + 1)
        failed: Exception | None = None
        found: list[KernelRound] = []
        has_more = False
        try:
            hint = hints.for_next_round(_stuck(work, done)) if hints else ""
            brief = _brief(work, done, hint)
            with closing(_answers(work, desks, brief, numbers)) as answers:
                for answer in answers:
                    if isinstance(answer, Exception):
                        failed = answer
                        continue
                    found.append(_judge(work, answer, done, bench))
                    on_reply(found[-1])
                    has_more |= answer.reply is None or bool(answer.reply.files)
                    if _is_enough(work, found[-1]):
                        break
        except UnansweredError as error:
            failed = error
        # Whoever was first: the next question must be the same when this is done again.
        done += sorted(found, key=lambda one: one.exchange.round)
        if failed is not None and not found:
            _log.warning("task %s ends before round %d: %s", work.task.id, numbers[0], failed)
            cut_off = one_line(str(failed))
            return KernelOutcome(task_id=work.task.id, rounds=tuple(done), cut_off=cut_off)
        if not has_more or any(_is_enough(work, one) for one in found):
            break
    return KernelOutcome(task_id=work.task.id, rounds=tuple(done))


def _answers(
    work: KernelTask, desks: Sequence[Asks], brief: Brief, numbers: Sequence[int]
) -> Generator[Answer | Exception, None, None]:
    def ask(number: int) -> Answer:
        desk = desks[number - numbers[0]]
        return desk.ask(brief, plan_id=work.plan_id, round=number)

    return as_they_come(ask, numbers, (ChatFailedError, NoHostError, NoModelError, UnansweredError))


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
    parent = _best(earlier) or (work.reviewed.candidate if work.reviewed else None)
    try:
        parents = (parent.id,) if parent else ()
        candidate = kernel_from(answer.reply, work.target, parents)
    except ReplyError as error:
        return _round(answer, refused=str(error))
    same = next((r for r in earlier if r.candidate and r.candidate.id == candidate.id), None)
    if same is not None:
        again = f"this is the kernel of round {same.exchange.round} again; send a different one"
        return _round(answer, refused=again)
    if work.reviewed is not None and work.reviewed.candidate.id == candidate.id:
        return _round(answer, refused="this is the kernel that the review asks to change")
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
        kernel=work.reviewed.candidate if work.reviewed else None,
        evidence=EvidenceSummary.of(work.reviewed.evidence) if work.reviewed else None,
    )


def _best(rounds: list[KernelRound]) -> Candidate | None:
    ranked = [
        (value, r.candidate)
        for r in rounds
        if r.candidate and r.evidence and (value := score(r.evidence)) is not None
    ]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None
