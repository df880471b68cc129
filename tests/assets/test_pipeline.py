"""The whole job on fakes."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from dagster import AssetKey, AssetRecordsFilter, DagsterEventType, ExecuteInProcessResult

from rocm_pipeline.agents.outcome import CandidateSet, ChosenKernel, KernelOutcome
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.planning.plan import Plan, Task
from rocm_pipeline.resources.artefacts import Artefacts, digest_of
from rocm_pipeline.targets.spec import Target
from tests.assets.conftest import TARGET, Bench, on_fakes

STAGES = {
    "target",
    "repo_snapshot",
    "plan",
    "test_suite",
    "kernel_candidates",
    "kernel",
    "reproduction",
    "torch_op",
    "benchmark",
    "documentation",
    "cross_review",
    "final_review",
    "pull_request",
    "report",
}


class Finished(NamedTuple):
    bench: Bench
    result: ExecuteInProcessResult


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """One run of everything, for tests that only look at what came of it."""
    with on_fakes(tmp_path_factory.mktemp("home")) as bench:
        yield Finished(bench, bench.run())


def made(result: ExecuteInProcessResult) -> set[str]:
    events = result.get_asset_materialization_events()
    names = (event.asset_key.to_user_string() for event in events if event.asset_key)
    return {name for name in names if name != "agent_reply"}


def failed_checks(result: ExecuteInProcessResult) -> dict[str, str]:
    return {
        check.check_name: check.severity.value
        for check in result.get_asset_check_evaluations()
        if not check.passed
    }


def test_one_run_makes_every_stage(finished: Finished) -> None:
    result = finished.result
    assert result.success
    assert made(result) == STAGES


def test_every_gate_is_judged_for_the_target_it_is_about(finished: Finished) -> None:
    checks = finished.result.get_asset_check_evaluations()
    assert len(checks) == 14
    assert {check.partition for check in checks} == {TARGET}


def test_a_value_s_hash_is_its_data_version(finished: Finished) -> None:
    bench = finished.bench
    kernel = Artefacts.open(bench.pipeline.home).find("kernel", TARGET, ChosenKernel)
    assert kernel is not None
    record = bench.instance.fetch_materializations(AssetKey("kernel"), limit=1).records[0]
    assert record.asset_materialization is not None
    tags = record.asset_materialization.tags
    assert tags is not None
    assert tags["dagster/data_version"] == digest_of(kernel)


def test_each_task_s_reply_is_a_materialisation_of_its_own_partition(finished: Finished) -> None:
    bench = finished.bench
    plan = Artefacts.open(bench.pipeline.home).find("plan", TARGET, Plan)
    assert plan is not None
    for task in plan.tasks:
        records = bench.instance.fetch_materializations(
            AssetRecordsFilter(
                asset_key=AssetKey("agent_reply"), asset_partitions=[f"{TARGET}.{task.id}"]
            ),
            limit=5,
        ).records
        assert len(records) == 1, task.id
        reply = records[0].asset_materialization
        assert reply is not None
        assert reply.tags is not None
        assert reply.tags["rocm/agent"] == task.role.value
        assert reply.tags["rocm/model"] == "qwen2.5-coder-7b"
        assert reply.tags["dagster/data_version"] == reply.metadata["reply"].value
        assert len(str(reply.metadata["model_digest"].value)) == 64 + len("sha256:")


def test_the_tasks_of_a_plan_become_partitions(bench: Bench) -> None:
    bench.run("target", "repo_snapshot", "plan")
    found = bench.instance.get_dynamic_partitions("task")
    assert f"{TARGET}.kernel_wide" in found
    assert f"{TARGET}.edge_cases" in found


def test_a_round_is_shown_when_it_is_judged_and_kept_when_the_task_then_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = bench.pipeline.workshop
    develop = workshop.develop

    def fail_after_a_round(*arguments: object) -> object:
        develop(*arguments)  # pyright: ignore[reportArgumentType]
        raise RuntimeError("the host went away")

    monkeypatch.setattr(workshop, "develop", fail_after_a_round)
    result = bench.run()
    assert not result.success
    assert "kernel_candidates" not in made(result)
    replies = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == AssetKey("agent_reply")
    ]
    assert len(replies) == 3  # the tester's, and one round of each kernel task


@pytest.mark.parametrize("kernels_pass", [True, False])
def test_a_task_that_nobody_answers_leaves_the_other_s_kernel_or_is_asked_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kernels_pass: bool
) -> None:
    workshop = bench.pipeline.workshop
    workshop.kernels_pass = kernels_pass
    develop = workshop.develop

    def lose_one(target: Target, plan: Plan, task: Task, *rest: Any) -> KernelOutcome:
        if task.id == "kernel_wide":
            return KernelOutcome(task_id=task.id, rounds=(), cut_off="the host went away")
        return develop(target, plan, task, *rest)

    monkeypatch.setattr(workshop, "develop", lose_one)
    result = bench.run()
    assert result.success is kernels_pass
    assert ("kernel_candidates" in made(result)) is kernels_pass
    if not kernels_pass:
        failures = [event for event in result.all_events if event.is_step_failure]
        assert any("the host went away" in str(event.step_failure_data) for event in failures)


def test_no_stage_runs_after_a_gate_that_did_not_pass(bench: Bench) -> None:
    bench.pipeline.workshop.kernels_pass = False
    result = bench.run()
    assert not result.success
    assert made(result) == {"target", "repo_snapshot", "plan", "test_suite", "kernel_candidates"}
    assert failed_checks(result) == {"some_candidate_passed": "ERROR"}


def test_a_document_with_a_number_of_its_own_stops_the_pull_request(bench: Bench) -> None:
    bench.pipeline.workshop.document += "\nIt is 3.7 times faster.\n"
    result = bench.run()
    assert failed_checks(result)["numbers_come_from_evidence"] == "ERROR"
    assert "documentation" in made(result)
    assert "pull_request" not in made(result)


def test_a_document_whose_example_fails_stops_the_pull_request_and_goes_back(
    bench: Bench,
) -> None:
    bench.pipeline.integration.examples = Status.CRASHED
    result = bench.run()
    assert failed_checks(result)["documentation_examples_run"] == "ERROR"
    assert "documentation" in made(result)
    assert not {"pull_request", "report"} & made(result)
    (earlier,) = bench.pipeline.workshop.rejected_documents
    assert earlier.problem == "line 3, python: CRASHED: what came of it"


def test_examples_that_could_not_be_run_are_a_warning_and_stop_nothing(bench: Bench) -> None:
    bench.pipeline.integration.examples = Status.NOT_RUN
    result = bench.run()
    assert failed_checks(result)["documentation_examples_run"] == "WARN"
    assert result.success
    assert bench.pipeline.workshop.calls["write_document"] == 1


def test_a_kernel_that_a_clean_workspace_does_not_reproduce_is_never_proposed(
    bench: Bench,
) -> None:
    bench.pipeline.bundles.reproduces = False
    result = bench.run()
    assert failed_checks(result)["reproduced"] == "ERROR"
    assert "reproduction" in made(result)
    assert not {"pull_request", "report"} & made(result)


def test_the_tier_shown_says_t5_of_what_was_reached_and_what_was_not(finished: Finished) -> None:
    (event,) = finished.result.asset_materializations_for_node("reproduction")
    words = str(event.metadata["tier"].value)
    assert "T2 (right on the CPU emulator)" in words
    assert "T5 of T2" in words
    assert "not reached: T3, T4" in words


def test_an_operator_that_was_not_run_is_a_warning_and_stops_nothing(finished: Finished) -> None:
    result = finished.result
    assert failed_checks(result) == {"operator_passes_opcheck": "WARN"}
    assert result.success


def test_a_review_that_asks_for_changes_is_reported_and_nothing_is_proposed(bench: Bench) -> None:
    bench.pipeline.workshop.approves = False
    result = bench.run()
    assert result.success
    assert "report" in made(result)
    assert failed_checks(result)["reviewer_approved"] == "WARN"
    assert failed_checks(result)["branch_holds_evidence"] == "WARN"


def test_one_target_s_values_are_not_another_s(bench: Bench) -> None:
    bench.run()
    bench.run(target="flash_attention")
    artefacts = Artefacts.open(bench.pipeline.home)
    for name in (TARGET, "flash_attention"):
        found = artefacts.find("kernel_candidates", name, CandidateSet)
        assert found is not None
        assert found.target == name
        assert found.baseline.target == name


def test_what_the_ui_shows_of_the_kernel_is_labelled_an_estimate(finished: Finished) -> None:
    result = finished.result
    (event,) = result.asset_materializations_for_node("kernel")
    assert "estimate" in str(event.metadata["speedups"].value)
    assert "| met |" in str(event.metadata["aims"].value)
    assert "gfx1100" in str(event.metadata["resources"].value)
    assert event.metadata["estimated_speedup_low"].value == 2.0
    rows = result.get_asset_materialization_events()
    (candidates,) = [
        event.step_materialization_data.materialization
        for event in rows
        if event.event_type is DagsterEventType.ASSET_MATERIALIZATION
        and event.asset_key == AssetKey("kernel_candidates")
    ]
    assert "(estimate)" in str(candidates.metadata["candidates"].value)


def test_a_rejected_operator_goes_back_to_its_author_with_the_reasons(bench: Bench) -> None:
    bench.pipeline.integration.status = Status.WRONG_VALUE
    result = bench.run()
    assert not result.success
    workshop = bench.pipeline.workshop
    assert workshop.calls["write_operator"] == workshop.rounds
    assert len(workshop.rejected) == workshop.rounds - 1
    assert all(earlier.problem and earlier.text for earlier in workshop.rejected)


def test_an_operator_that_could_not_be_checked_is_not_asked_for_again(bench: Bench) -> None:
    bench.pipeline.integration.status = Status.NOT_RUN
    assert bench.run().success
    assert bench.pipeline.workshop.calls["write_operator"] == 1


def test_documentation_without_its_sections_is_asked_for_again_until_it_repeats(
    bench: Bench,
) -> None:
    bench.pipeline.workshop.document = "# Only a title\n"
    bench.run()
    assert bench.pipeline.workshop.calls["write_document"] == 2
