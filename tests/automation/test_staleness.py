"""Which stages are made again, and in which wave."""

from dataclasses import replace

from dagster import AssetCheckEvaluation, AssetCheckSeverity, AssetKey

from rocm_pipeline.automation.staleness import (
    Made,
    Stage,
    next_wave,
    stages_of,
    standing,
    why_stale,
)
from rocm_pipeline.definitions import defs

#   source -> plan -> kernel -> review -> report
#                  -> docs ------------->
STAGES = (
    Stage("source", (), "1"),
    Stage("plan", ("source",), "1"),
    Stage("kernel", ("plan",), "1"),
    Stage("docs", ("plan",), "1"),
    Stage("review", ("kernel",), "1"),
    Stage("report", ("docs", "review"), "1"),
)


def everything_made(**versions: str) -> dict[str, Made]:
    """All stages at version v1 and made from each other, but for the `versions` given."""
    return {
        stage.name: Made(
            data_version=versions.get(stage.name, "v1"),
            code_version="1",
            inputs=dict.fromkeys(stage.parents, "v1"),
            run_id="run",
            checks=(),
        )
        for stage in STAGES
    }


def a_check(*, blocking: bool, severity: AssetCheckSeverity) -> AssetCheckEvaluation:
    return AssetCheckEvaluation(
        asset_key=AssetKey("kernel"),
        check_name="is_right",
        passed=False,
        metadata={},
        severity=severity,
        blocking=blocking,
    )


def test_what_was_never_made_is_made_in_one_wave() -> None:
    assert next_wave(STAGES, {}, {}) == tuple(stage.name for stage in STAGES)


def test_nothing_is_made_when_nothing_changed() -> None:
    assert next_wave(STAGES, everything_made(), {"source": "v1"}) == ()


def test_a_change_outside_is_made_first_and_alone() -> None:
    assert next_wave(STAGES, everything_made(), {"source": "v2"}) == ("source",)


def test_only_what_was_made_from_another_version_follows() -> None:
    assert next_wave(STAGES, everything_made(plan="v2"), {}) == ("kernel", "docs")
    assert next_wave(STAGES, everything_made(docs="v2"), {}) == ("report",)
    assert next_wave(STAGES, everything_made(report="v2"), {}) == ()


def test_a_stage_waits_while_something_before_it_may_still_change() -> None:
    made = everything_made(docs="v2")
    changed = replace(made["kernel"], code_version="0")
    wave = next_wave(STAGES, {**made, "kernel": changed}, {})
    assert wave == ("kernel",), "report is stale by docs, but review may yet change"


def test_new_code_makes_a_stage_stale_and_says_why() -> None:
    stage = Stage("kernel", ("plan",), "2")
    assert why_stale(stage, everything_made(), {}) == "its code, prompt or settings changed"


def test_what_was_lost_is_made_first_and_what_came_of_it_waits() -> None:
    made = everything_made()
    made["plan"] = replace(made["plan"], lost=True)
    assert next_wave(STAGES, made, {}) == ("plan",)
    assert standing(STAGES, made, {}) == {"source"}
    assert standing(STAGES, everything_made(), {}) == {stage.name for stage in STAGES}


def test_a_stage_behind_a_gate_that_did_not_pass_is_never_made_alone() -> None:
    failed = a_check(blocking=True, severity=AssetCheckSeverity.ERROR)
    made = everything_made()
    del made["review"], made["report"]
    made["kernel"] = Made("v1", "1", {"plan": "v1"}, "run", (failed,))
    assert next_wave(STAGES, made, {}) == ("kernel", "review", "report")


def test_a_warning_is_no_reason_to_make_a_stage_again() -> None:
    for check in (
        a_check(blocking=True, severity=AssetCheckSeverity.WARN),
        a_check(blocking=False, severity=AssetCheckSeverity.ERROR),
    ):
        made = everything_made()
        made["kernel"] = Made("v1", "1", {"plan": "v1"}, "run", (check,))
        assert next_wave(STAGES, made, {}) == ()


def test_the_stages_of_the_pipeline_come_parents_first() -> None:
    stages = stages_of(defs.get_repository_def())
    names = [stage.name for stage in stages]
    assert names[:2] == ["target", "repo_snapshot"]
    assert "agent_reply" not in names
    for stage in stages:
        assert all(names.index(parent) < names.index(stage.name) for parent in stage.parents)
