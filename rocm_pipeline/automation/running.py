"""Running targets from a command: only what is stale or missing, with progress as it goes."""

import importlib
import multiprocessing
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.execution.api import execute_run_iterator
from dagster._utils.interrupts import check_captured_interrupt

from rocm_pipeline.automation.events import (
    StageEvent,
    StageState,
    is_interrupt,
    reason_of,
    stage_of,
)
from rocm_pipeline.automation.full_disk import full_disk, tells_of_full_disk
from rocm_pipeline.automation.jobs import MAIN_JOB
from rocm_pipeline.automation.launcher import PROCESS_TAG
from rocm_pipeline.automation.others import Others
from rocm_pipeline.automation.outputs import Outputs
from rocm_pipeline.automation.staleness import (
    FINAL_REVIEW,
    PLAN,
    Made,
    from_stage_on,
    next_wave,
    read_made,
    stages_of,
    standing,
    stops,
    versions_outside,
)
from rocm_pipeline.home import Home
from rocm_pipeline.planning.claude.settings import has_key
from rocm_pipeline.planning.follow_up import MAX_RETURNS, asked_tasks
from rocm_pipeline.records.owner import this_process
from rocm_pipeline.resources.artefacts import digest_of
from rocm_pipeline.resources.asking import REVIEWED_TAG, RUN_TAG, TRIGGER_TAG, together
from rocm_pipeline.resources.instance import add_targets, prepare_instance
from rocm_pipeline.resources.protocols import Sources
from rocm_pipeline.targets.spec import Target

CODE_LOCATION = "rocm_pipeline.definitions"
OnEvent = Callable[[StageEvent], None]
STOP_SECONDS = 10.0
"""How long the steps of an interrupted run may take to end before they are killed."""
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class Remark:
    """A check that did not pass."""

    stage: str
    check: str
    is_error: bool
    description: str

    @property
    def words(self) -> str:
        return f"{self.stage}: {self.check}: {self.description}"


@dataclass(frozen=True)
class RunSummary:
    """What came of one target."""

    target: str
    made: tuple[str, ...]
    """Stages that ran, in order, once for each time that work was sent back and once more; empty
    when nothing had changed."""
    failure: str = ""
    """Why it did not come to its end, on one line; empty when it did."""
    remarks: tuple[Remark, ...] = ()
    run_ids: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        return not self.failure


def run_targets(
    home: Home,
    names: Sequence[str],
    on_event: OnEvent,
    *,
    sources: Sources,
    code_location: str = CODE_LOCATION,
) -> list[RunSummary]:
    """Bring each target up to date, one after another, and say what came of it.

    With a key for Claude all come up to their final review first, and go on from there together.

    A stage that fails, or a gate that does not pass, ends its own target alone. Raises UserError
    for an unknown target, before anything runs, and for a full disk; KeyboardInterrupt when a run
    was interrupted, once its steps have ended.
    """
    found = {name: sources.target(name) for name in names}
    with prepare_instance(home) as instance:
        add_targets(instance, names)
        runner = _Runner(instance, Outputs(home), code_location, on_event, sources)
        summaries: list[RunSummary] = []
        targets = list(found.values())
        runner.plan_together(targets)
        if has_key() and len(targets) > 1:
            # Claude reviews the kernels of all of them in one call, so that all must be there
            for target in targets:
                if tells_of_full_disk(home, runner.run_up_to_review(target)):
                    raise full_disk(home)
            runner.review_together(targets)
        for target in targets:
            summaries.append(runner.run(target))
            if tells_of_full_disk(home, summaries[-1].failure):
                raise full_disk(home)
        return summaries


@dataclass
class _Progress:
    made: list[str] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)
    failure: str = ""
    seconds: float = 0.0
    outside: dict[str, str] = field(default_factory=dict)
    """Versions as they were at the beginning: later ones are for the next call."""


class _Runner:
    """Runs waves of stages until the target is up to date or a stage fails.

    Each wave is a Dagster run; together they spend the budget of one run.
    """

    def __init__(
        self,
        instance: dg.DagsterInstance,
        outputs: Outputs,
        code_location: str,
        on_event: OnEvent,
        sources: Sources,
    ) -> None:
        self._instance = instance
        self._sources = sources
        self._outputs = outputs
        self._others = Others(instance)
        self._on_event = on_event
        self._job = dg.build_reconstructable_job(__name__, "job_of", (code_location,))
        self._stages = stages_of(definitions_of(code_location).get_repository_def())
        self._run_id = f"command-{uuid.uuid4()}"
        self._together: Mapping[str, str] = {}
        self._progress: dict[str, _Progress] = {}

    def plan_together(self, targets: Sequence[Target]) -> None:
        """Let those of the targets whose plans do not stand be planned in one call to Claude."""
        self._together = together([t.name for t in targets if not self._stands(t, PLAN)])

    def review_together(self, targets: Sequence[Target]) -> None:
        """Let those of the targets that wait for their final review be reviewed in one call."""
        names = [
            target.name
            for target in targets
            if not self._progress[target.name].failure and not self._stands(target, FINAL_REVIEW)
        ]
        self._together = together(names, REVIEWED_TAG)

    def run_up_to_review(self, target: Target) -> str:
        """Make what is stale before the final review; return why that failed, if it did."""
        progress = self._progress_of(target)
        held = from_stage_on(self._stages, FINAL_REVIEW)
        self._bring_up_to_date(target.name, progress.outside, progress, held)
        return progress.failure

    def run(self, target: Target) -> RunSummary:
        progress = self._progress_of(target)
        outside = progress.outside
        made = self._bring_up_to_date(target.name, outside, progress)
        for _ in range(MAX_RETURNS):
            # Of what changes outside meanwhile only this is not left to the next call.
            asked = self._sources.sent_back(target, self._sources.snapshot(target))
            if progress.failure or not asked or digest_of(asked) == made[PLAN].data_version:
                break
            outside[PLAN] = digest_of(asked)
            to = ", ".join(task.id for task in asked_tasks(asked))
            self._on_event(StageEvent(target.name, PLAN, StageState.SENT_BACK, to))
            made = self._bring_up_to_date(target.name, outside, progress)
        for stage in standing(self._stages, made, outside).difference(progress.made):
            self._on_event(StageEvent(target.name, stage, StageState.UNCHANGED))
        return RunSummary(
            target=target.name,
            made=tuple(progress.made),
            failure=progress.failure,
            remarks=tuple(_remarks(made)),
            run_ids=tuple(progress.run_ids),
            seconds=progress.seconds,
        )

    def _progress_of(self, target: Target) -> _Progress:
        if target.name not in self._progress:
            outside = versions_outside(self._sources, target)
            self._progress[target.name] = _Progress(outside=outside)
        return self._progress[target.name]

    def _stands(self, target: Target, stage: str) -> bool:
        outside = self._progress_of(target).outside
        return stage in standing(self._stages, self._made(target.name), outside)

    def _bring_up_to_date(
        self,
        target: str,
        outside: Mapping[str, str],
        progress: _Progress,
        held: Collection[str] = (),
    ) -> dict[str, Made]:
        """Make what is stale and not `held`, each stage once, until nothing is or a stage fails."""
        started = time.monotonic()
        made = self._made(target)
        before = len(progress.made)
        while not progress.failure:
            stale = next_wave(self._stages, made, outside)
            wave = [s for s in stale if s not in progress.made[before:] and s not in held]
            if not wave:
                break
            if not self._others.waited(target, self._on_event):
                self._run_wave(target, wave, progress)
            made = self._made(target)
        progress.seconds += time.monotonic() - started
        return made

    def _made(self, target: str) -> dict[str, Made]:
        return read_made(self._instance, self._outputs, self._stages, target)

    def _run_wave(self, target: str, wave: Sequence[str], progress: _Progress) -> None:
        keys = {dg.AssetKey.from_user_string(name) for name in wave}
        run = self._instance.create_run_for_job(
            self._job.get_definition(),
            run_config=_QUIET,
            tags={
                "dagster/partition": target,
                TRIGGER_TAG: "command",
                RUN_TAG: self._run_id,
                **self._together,
                PROCESS_TAG: this_process(),
                # Who killed the command will start it again.
                "dagster/max_retries": "0",
            },
            asset_selection=keys,
            job_code_origin=self._job.get_python_origin(),
        )
        progress.run_ids.append(run.run_id)
        failed: set[str] = set()
        stopping: threading.Timer | None = None
        for event in execute_run_iterator(self._job, run, self._instance):
            # Dagster holds the signal back, and takes an interrupted run for one that failed.
            if stopping is None and (check_captured_interrupt() or is_interrupt(event)):
                stopping = self._stop(run)
            if stopping is not None:
                continue
            for seen in _translated(event, target):
                if seen.state is StageState.FAILED and seen.stage in failed:
                    continue  # the gate said it before the step did
                self._on_event(seen)
                if seen.state is StageState.FINISHED:
                    progress.made.append(seen.stage)
                elif seen.state is StageState.FAILED:
                    failed.add(seen.stage)
                    progress.failure = progress.failure or f"{seen.stage}: {seen.detail}"
            if event.event_type is dg.DagsterEventType.RUN_FAILURE and not progress.failure:
                progress.failure = reason_of(event)
        if stopping is not None:
            stopping.cancel()
            raise KeyboardInterrupt

    def _stop(self, run: dg.DagsterRun) -> threading.Timer:
        """Note that the run was cancelled, not failed; its steps are killed if they do not end."""
        self._instance.report_run_canceling(run)
        timer = threading.Timer(STOP_SECONDS, _kill_steps)
        timer.daemon = True
        timer.start()
        return timer


def _kill_steps() -> None:
    for step in multiprocessing.active_children():
        step.kill()


def _remarks(made: Mapping[str, Made]) -> Iterator[Remark]:
    for name, last in made.items():
        for check in last.checks:
            if not check.passed:
                yield Remark(
                    stage=name,
                    check=check.check_name,
                    is_error=check.severity is dg.AssetCheckSeverity.ERROR,
                    description=check.description or "",
                )


def definitions_of(code_location: str) -> dg.Definitions:
    """Return the `defs` of a module."""
    return importlib.import_module(code_location).defs


def job_of(code_location: str) -> dg.JobDefinition:
    """Return the main job of a code location; every process of a run calls this."""
    return definitions_of(code_location).resolve_job_def(MAIN_JOB)


def _translated(event: dg.DagsterEvent, target: str) -> Iterator[StageEvent]:
    kind = event.event_type
    stage = stage_of(event.step_key or "")
    if kind is dg.DagsterEventType.STEP_START:
        yield StageEvent(target, stage, StageState.STARTED)
    elif kind is dg.DagsterEventType.STEP_FAILURE:
        yield StageEvent(target, stage, StageState.FAILED, reason_of(event))
    elif kind is dg.DagsterEventType.ASSET_MATERIALIZATION:
        made = event.step_materialization_data.materialization
        if made.asset_key.to_user_string() == stage:
            yield StageEvent(target, stage, StageState.FINISHED)
        else:
            yield StageEvent(target, stage, StageState.REPLIED, _reply_words(made))
    elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        if check.blocking and stops(check):
            words = f"{check.check_name}: {check.description}"
            yield StageEvent(target, stage, StageState.FAILED, words)


def _reply_words(reply: dg.AssetMaterialization) -> str:
    verdict = reply.metadata["verdict"].value
    return f"{reply.partition}, round {reply.metadata['round'].value}: {verdict}"
