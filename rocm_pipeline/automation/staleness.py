"""Which stages of a target must be made again, by the versions that Dagster recorded.

Per partition: Dagster's own `stale_assets_only` looks at an asset as a whole, and takes a
partitioned one for fresh.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from rocm_pipeline.automation.outputs import Outputs
from rocm_pipeline.resources.artefacts import digest_of
from rocm_pipeline.resources.protocols import Sources
from rocm_pipeline.targets.spec import Target

PLAN = "plan"
FINAL_REVIEW = "final_review"
_CODE = "dagster/code_version"
_DATA = "dagster/data_version"
_POINTER = "dagster/input_event_pointer/"


@dataclass(frozen=True)
class Stage:
    """An asset as far as staleness goes."""

    name: str
    parents: tuple[str, ...]
    code_version: str | None


@dataclass(frozen=True)
class Made:
    """The newest materialisation of a stage for one target."""

    data_version: str
    code_version: str | None
    inputs: Mapping[str, str]
    """Data version of each parent that it was made from."""
    run_id: str
    checks: tuple[dg.AssetCheckEvaluation, ...]
    """What the stage's checks said of it."""
    lost: bool = False
    """Dagster remembers it, but its value or its page is gone from the home."""

    @property
    def gate_failed(self) -> bool:
        """A blocking check failed, so what comes after must not run."""
        return any(check.blocking and stops(check) for check in self.checks)


def stages_of(repository: dg.RepositoryDefinition) -> tuple[Stage, ...]:
    """Return the stages that can be made, parents first."""
    graph = repository.asset_graph
    return tuple(
        Stage(
            key.to_user_string(),
            tuple(sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)),
            graph.get(key).code_version,
        )
        for key in graph.toposorted_asset_keys
        if graph.get(key).is_executable
    )


def from_stage_on(stages: Sequence[Stage], first: str) -> frozenset[str]:
    """Return the stage `first` and all that come after it."""
    found = {first}
    for stage in stages:
        if found.intersection(stage.parents):
            found.add(stage.name)
    return frozenset(found)


def versions_outside(sources: Sources, target: Target) -> dict[str, str]:
    """Return the current version of what comes from outside, by stage.

    A plan comes from outside when a review made it: it is the review of an earlier plan.
    """
    snapshot = sources.snapshot(target)
    versions = {"target": digest_of(target), "repo_snapshot": digest_of(snapshot)}
    sent_back = sources.sent_back(target, snapshot)
    return {**versions, PLAN: digest_of(sent_back)} if sent_back else versions


def read_made(
    instance: dg.DagsterInstance, outputs: Outputs, stages: Sequence[Stage], target: str
) -> dict[str, Made]:
    """Return what was made last for `target`, by stage."""
    newest = {stage.name: _newest(instance, stage.name, target) for stage in stages}
    made = {name: record for name, record in newest.items() if record is not None}
    checks = _Checks(instance)
    return {
        name: Made(
            data_version=_tags(record).get(_DATA, ""),
            code_version=_tags(record).get(_CODE),
            inputs=_inputs(instance, _tags(record), made, target),
            run_id=record.run_id,
            checks=checks.of(record.run_id, name),
            lost=not outputs.has(name, target, _tags(record).get(_DATA, "")),
        )
        for name, record in made.items()
    }


def _inputs(
    instance: dg.DagsterInstance,
    tags: Mapping[str, str],
    made: Mapping[str, dg.EventLogRecord],
    target: str,
) -> dict[str, str]:
    """Return the version of each parent that was read.

    Dagster records the newest event of the parent in any partition; what was read is the target's
    own newest one up to there.
    """
    found: dict[str, str] = {}
    for name, event in tags.items():
        parent = name.removeprefix(_POINTER)
        if parent == name or not event.isdigit():
            continue
        read = made.get(parent)
        if read is not None and read.storage_id > int(event):
            read = _newest(instance, parent, target, before=int(event) + 1)
        found[parent] = _tags(read).get(_DATA, "") if read else ""
    return found


def _newest(
    instance: dg.DagsterInstance, stage: str, target: str, before: int | None = None
) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey.from_user_string(stage),
        asset_partitions=[target],
        before_storage_id=before,
    )
    records = instance.fetch_materializations(wanted, limit=1).records
    return records[0] if records else None


def _tags(record: dg.EventLogRecord) -> Mapping[str, str]:
    materialization = record.asset_materialization
    return (materialization.tags if materialization else None) or {}


class _Checks:
    """Results of checks, read once per run."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._by_run: dict[str, list[dg.AssetCheckEvaluation]] = {}

    def of(self, run_id: str, stage: str) -> tuple[dg.AssetCheckEvaluation, ...]:
        if run_id not in self._by_run:
            self._by_run[run_id] = self._read(run_id)
        found = self._by_run[run_id]
        return tuple(check for check in found if check.asset_key.to_user_string() == stage)

    def _read(self, run_id: str) -> list[dg.AssetCheckEvaluation]:
        records = self._instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
        events = (record.event_log_entry.dagster_event for record in records)
        return [event.asset_check_evaluation_data for event in events if event]


def stops(check: dg.AssetCheckEvaluation) -> bool:
    """Say whether a result is worse than a warning."""
    return not check.passed and check.severity is dg.AssetCheckSeverity.ERROR


def why_stale(stage: Stage, made: Mapping[str, Made], sources: Mapping[str, str]) -> str | None:
    """Return why `stage` must be made again, or None when it stands.

    `sources` holds the current version of what comes from outside, by stage.
    """
    last = made.get(stage.name)
    if last is None:
        return "was never made"
    if last.lost:
        return "what it made is gone"
    if last.gate_failed:
        return "did not pass its gate"
    if stage.code_version is not None and last.code_version != stage.code_version:
        return "its code, prompt or settings changed"
    if stage.name in sources and sources[stage.name] != last.data_version:
        return "changed outside"
    for parent in stage.parents:
        known = made.get(parent)
        if known is None or last.inputs.get(parent) != known.data_version:
            return f"{parent} changed"
    return None


def standing(
    stages: Sequence[Stage], made: Mapping[str, Made], sources: Mapping[str, str]
) -> frozenset[str]:
    """Return the stages that stand, and so does everything that they were made from."""
    found: set[str] = set()
    for stage in stages:
        if found.issuperset(stage.parents) and why_stale(stage, made, sources) is None:
            found.add(stage.name)
    return frozenset(found)


def next_wave(
    stages: Sequence[Stage], made: Mapping[str, Made], sources: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the stale stages that can be made now, in one run.

    A stage waits for the next wave while a fresh one between it and this wave may still change.
    """
    chosen: list[str] = []
    unsettled: set[str] = set()
    for stage in stages:
        if unsettled.intersection(stage.parents):
            unsettled.add(stage.name)
        elif why_stale(stage, made, sources) is not None:
            chosen.append(stage.name)
        elif set(chosen).intersection(stage.parents):
            unsettled.add(stage.name)
    return tuple(chosen)
