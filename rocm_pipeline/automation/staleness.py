"""Which stages of a target must be made again, by the versions that Dagster recorded.

Per partition: Dagster's own `stale_assets_only` looks at an asset as a whole, and takes a
partitioned one for fresh.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

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
    gate_failed: bool
    """A blocking check failed, so what comes after must not run."""


def stages_of(definitions: dg.Definitions) -> tuple[Stage, ...]:
    """Return the stages that can be made, parents first."""
    graph = definitions.resolve_asset_graph()
    return tuple(
        Stage(
            key.to_user_string(),
            tuple(sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)),
            graph.get(key).code_version,
        )
        for key in graph.toposorted_asset_keys
        if graph.get(key).is_executable
    )


def read_made(instance: dg.DagsterInstance, stage: str, target: str) -> Made | None:
    """Return what was made last, or None."""
    key = dg.AssetKey.from_user_string(stage)
    record = _newest(instance, key, target)
    if record is None:
        return None
    tags = _tags(record)
    return Made(
        data_version=tags.get(_DATA, ""),
        code_version=tags.get(_CODE),
        inputs=_inputs(instance, tags, target),
        run_id=record.run_id,
        gate_failed=any(
            check.asset_key == key and check.blocking and stops(check)
            for check in evaluations(instance, record.run_id)
        ),
    )


def _inputs(
    instance: dg.DagsterInstance, tags: Mapping[str, str], target: str
) -> dict[str, str]:
    """Return the version of each parent that was read.

    Dagster records the newest event of the parent in any partition; what was read is the target's
    own newest one up to there.
    """
    found: dict[str, str] = {}
    for name, event in tags.items():
        if name.startswith(_POINTER) and event.isdigit():
            parent = name.removeprefix(_POINTER)
            key = dg.AssetKey.from_user_string(parent)
            read = _newest(instance, key, target, before=int(event) + 1)
            found[parent] = _tags(read).get(_DATA, "") if read else ""
    return found


def _newest(
    instance: dg.DagsterInstance, key: dg.AssetKey, target: str, before: int | None = None
) -> dg.EventLogRecord | None:
    wanted = dg.AssetRecordsFilter(
        asset_key=key, asset_partitions=[target], before_storage_id=before
    )
    records = instance.fetch_materializations(wanted, limit=1).records
    return records[0] if records else None


def _tags(record: dg.EventLogRecord) -> Mapping[str, str]:
    materialization = record.asset_materialization
    return (materialization.tags if materialization else None) or {}


def evaluations(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    """Return the results of all checks of a run."""
    records = instance.get_records_for_run(
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


def next_wave(stages: Sequence[Stage], is_stale: Callable[[Stage], bool]) -> tuple[str, ...]:
    """Return the stale stages that can be made now, in one run.

    A stage waits for the next wave while a fresh one between it and this wave may still change.
    """
    chosen: list[str] = []
    unsettled: set[str] = set()
    for stage in stages:
        if unsettled.intersection(stage.parents):
            unsettled.add(stage.name)
        elif is_stale(stage):
            chosen.append(stage.name)
        elif set(chosen).intersection(stage.parents):
            unsettled.add(stage.name)
    return tuple(chosen)
