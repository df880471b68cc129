"""Does single tasks of a plan with the parts that the assets use; see `AIDevCoordinator`."""

import uuid
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rocm_pipeline.agents.outcome import (
    CandidateSet,
    ChosenKernel,
    Document,
    KernelOutcome,
    TestSuite,
)
from rocm_pipeline.agents.workshop import Workshop as RealWorkshop
from rocm_pipeline.errors import UserError
from rocm_pipeline.home import Home
from rocm_pipeline.integration.outcome import TorchOp
from rocm_pipeline.planning.coordinator import ReviewKind
from rocm_pipeline.planning.follow_up import returned_kernels
from rocm_pipeline.planning.plan import Plan, Task, Work
from rocm_pipeline.planning.review import Review
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.resources.operators import HomeIntegration
from rocm_pipeline.resources.protocols import Integration, Sources, Workshop
from rocm_pipeline.resources.rounds import document_rounds, operator_rounds
from rocm_pipeline.resources.sources import HomeSources
from rocm_pipeline.resources.submissions import submission
from rocm_pipeline.targets.spec import Target

T = TypeVar("T")


@contextmanager
def open_work(home: Home) -> Generator["HomeTaskWork", None, None]:
    """Yield what an `AIDevCoordinator` works with, over the records and the fleet of `home`."""
    home.create()
    with RealWorkshop.open(home) as workshop:
        yield HomeTaskWork(workshop, HomeIntegration(home), HomeSources(home))


class HomeTaskWork:
    """Plans, tasks by their kind, and reviews. Holds no results: those are handed in.

    All that it asks Claude spends the budget of one run.
    """

    def __init__(self, workshop: Workshop, integration: Integration, sources: Sources) -> None:
        self._workshop = workshop
        self._integration = integration
        self._sources = sources
        self._run_id = f"coordinator-{uuid.uuid4()}"
        self._planned: dict[str, tuple[Target, RepoSnapshot]] = {}

    def target(self, name: str) -> Target:
        return self._sources.target(name)

    def plan(self, target: Target) -> Plan:
        snapshot = self._sources.snapshot(target)
        history = self._sources.history(snapshot)
        plan = self._workshop.plan(target, snapshot, history, self._run_id).plan
        self._planned[plan.id] = (target, snapshot)
        return plan

    def perform(self, plan: Plan, task: Task, results: Mapping[str, object]) -> object:
        """Return a TestSuite, KernelOutcome, TorchOp, Analysis or Document."""
        target, snapshot = self._of(plan)
        work = task.task_type.work
        if work is Work.TESTING:
            return self._workshop.propose_cases(target, plan, task, snapshot)
        if work is Work.KERNEL:
            suite = _suite(target, results)
            return self._workshop.develop(
                target, plan, task, suite, snapshot, lambda _: None, self._run_id
            )
        kernel = self._chosen(target, plan, results)
        if work is Work.INTEGRATION:
            return _last(operator_rounds(*self._parts, target, plan, task, kernel, snapshot))
        if work is Work.PROFILING:
            return self._workshop.analyse(target, plan, task, kernel, snapshot)
        made = _only(results, TorchOp)
        rounds = document_rounds(*self._parts, target, plan, task, kernel, snapshot, made)
        return _last(rounds).document

    def review(self, plan: Plan, kind: ReviewKind, results: Mapping[str, object]) -> Review:
        target, _ = self._of(plan)
        kernel = self._chosen(target, plan, results)
        cross = self._workshop.cross_review(target, kernel)
        if kind == "cross":
            return cross
        made = _only(results, TorchOp)
        document = next(iter(_all(results, Document)), None)
        review = self._workshop.final_review(
            submission(target, kernel, made, cross, document=document), self._run_id
        )
        self._workshop.send_back(plan, review, kernel)
        return review

    @property
    def _parts(self) -> tuple[Workshop, Integration]:
        return self._workshop, self._integration

    def _of(self, plan: Plan) -> tuple[Target, RepoSnapshot]:
        """Return what the plan was made from; of a plan made elsewhere what there is now."""
        if plan.id not in self._planned:
            target = self.target(plan.target)
            self._planned[plan.id] = (target, self._sources.snapshot(target))
        return self._planned[plan.id]

    def _chosen(self, target: Target, plan: Plan, results: Mapping[str, object]) -> ChosenKernel:
        outcomes = tuple(_all(results, KernelOutcome))
        if not outcomes:
            raise _missing(KernelOutcome)
        baseline, evidence = self._workshop.judge_baseline(target, _suite(target, results))
        return self._workshop.choose(
            CandidateSet(
                target=target.name,
                baseline=baseline,
                baseline_evidence=evidence,
                outcomes=outcomes,
            ),
            returned_kernels(plan),
        )


def _suite(target: Target, results: Mapping[str, object]) -> TestSuite:
    """Put the cases of all testing tasks together, each once."""
    suites: Sequence[TestSuite] = tuple(_all(results, TestSuite))
    cases = {case.name: case for suite in suites for case in suite.cases}
    return TestSuite(
        target=target.name,
        cases=tuple(cases.values()),
        refused=tuple(reason for suite in suites for reason in suite.refused),
        exchanges=tuple(exchange for suite in suites for exchange in suite.exchanges),
    )


_NAMES: Mapping[type, str] = {
    KernelOutcome: "a kernel task",
    TorchOp: "the integration task",
}


def _last(rounds: Iterable[T]) -> T:
    *_, last = rounds
    return last


def _all(results: Mapping[str, object], kind: type[T]) -> Iterable[T]:
    return (result for result in results.values() if isinstance(result, kind))


def _only(results: Mapping[str, object], kind: type[T]) -> T:
    found = next(iter(_all(results, kind)), None)
    if found is None:
        raise _missing(kind)
    return found


def _missing(kind: type) -> UserError:
    return UserError(
        f"this needs the result of {_NAMES[kind]}, and there is none",
        where="coordinator",
        fix="Assign that task first, or let this one depend on it.",
    )
