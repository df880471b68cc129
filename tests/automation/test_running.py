"""The command runs what is stale or missing, and nothing else."""

import errno
import os
import shutil

import pytest
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus

from rocm_pipeline.automation.events import StageState
from rocm_pipeline.automation.running import definitions_of
from rocm_pipeline.errors import UserError
from rocm_pipeline.reporting.page import INDEX
from rocm_pipeline.resources.instance import prepare_instance
from tests.automation.conftest import LOCATION, Command, Finished
from tests.fakes.pipeline import FakeSources
from tests.scale import is_long, only_long

EVERYTHING = {
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


def refuse(*_: object) -> object:
    raise UserError("no host answers", where="hosts.yaml", fix="Start Ollama.")


def test_a_first_run_makes_everything_and_a_second_asks_nobody(
    finished: Finished, command_again: Command
) -> None:
    first = finished.summary
    assert first.succeeded
    assert set(first.made) == EVERYTHING
    assert len(first.run_ids) == 1
    (second,) = command_again.run()
    assert second.succeeded
    assert second.made == ()
    assert second.run_ids == ()
    assert {event.state for event in command_again.events} == {StageState.UNCHANGED}
    assert {event.stage for event in command_again.events} == EVERYTHING
    assert not command_again.pipeline.workshop.calls
    assert second.remarks == first.remarks


@only_long
@pytest.mark.parametrize("lost", ["row_softmax.html", "row_softmax.json", INDEX])
def test_a_deleted_page_is_written_again_and_nothing_else_is_made(
    command_again: Command, lost: str
) -> None:
    (command_again.home.reports / lost).unlink()
    (summary,) = command_again.run()
    assert summary.succeeded
    assert summary.made == ("report",)
    assert (command_again.home.reports / lost).is_file()
    (again,) = command_again.run()
    assert again.made == ()


def test_a_deleted_value_is_made_again_and_what_it_led_to_stands(command_again: Command) -> None:
    (command_again.home.artefacts / "plan" / "row_softmax").unlink()
    (summary,) = command_again.run()
    assert summary.succeeded
    assert summary.made == ("plan",)


@only_long
def test_deleted_values_are_all_made_again(command_again: Command) -> None:
    shutil.rmtree(command_again.home.artefacts)
    (summary,) = command_again.run()
    assert summary.succeeded
    assert set(summary.made) == EVERYTHING


@only_long
def test_a_deleted_store_is_filled_again(command_again: Command) -> None:
    shutil.rmtree(command_again.home.store)
    (summary,) = command_again.run()
    assert summary.succeeded
    assert set(summary.made) == EVERYTHING
    (again,) = command_again.run()
    assert again.made == ()


@only_long
def test_a_value_that_is_not_the_recorded_one_is_made_again(command_again: Command) -> None:
    """A kill after the value was written, and before Dagster noted it, leaves that behind."""
    pointer = command_again.home.artefacts / "plan" / "row_softmax"
    recorded = pointer.read_text()
    pointer.write_text((command_again.home.artefacts / "kernel" / "row_softmax").read_text())
    (summary,) = command_again.run()
    assert summary.made == ("plan",)
    assert pointer.read_text() == recorded


@only_long
@pytest.mark.parametrize("damage", [b"", b"{}"])
def test_a_damaged_value_is_made_again(command_again: Command, damage: bytes) -> None:
    digest = (command_again.home.artefacts / "plan" / "row_softmax").read_text()
    (blob,) = command_again.home.store.rglob(digest)
    whole = blob.read_bytes()
    blob.write_bytes(damage)
    (summary,) = command_again.run()
    assert summary.made == ("plan",)
    assert blob.read_bytes() == whole


def test_a_full_disk_ends_everything_with_one_line(command: Command) -> None:
    def fill(*_: object) -> object:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command.pipeline.workshop, "analyse", fill)
        with pytest.raises(UserError, match="the disk is full") as raised:
            command.run("row_softmax", "flash_attention")
    assert str(command.home.path) in str(raised.value)
    assert {event.target for event in command.events} == {"row_softmax"}
    again = ("row_softmax", "flash_attention") if is_long() else ("row_softmax",)
    for summary in command.run(*again):
        assert summary.succeeded


def test_a_changed_file_makes_again_what_depends_on_it_and_no_more(command_again: Command) -> None:
    command_again.pipeline.sources.kernel_text = "__global__ void other() {}\n"
    (summary,) = command_again.run()
    # Whoever asks an agent quotes the file; all comes out as before, and so the rest stands.
    asking = {"plan", "test_suite", "kernel_candidates", "torch_op", "benchmark", "documentation"}
    assert set(summary.made) == {"repo_snapshot", *asking, "pull_request"}
    written = {"propose_cases", "develop", "write_operator", "analyse", "write_document"}
    assert set(command_again.pipeline.workshop.calls) == {"plan", "judge_baseline", *written}


def test_another_answer_makes_stale_what_was_made_from_it(command_again: Command) -> None:
    (command_again.home.artefacts / "kernel_candidates" / "row_softmax").unlink()
    command_again.pipeline.workshop.speedup = 3.0
    (summary,) = command_again.run()
    assert EVERYTHING - set(summary.made) == {"target", "repo_snapshot", "plan", "test_suite"}


@only_long
def test_a_changed_target_makes_everything_again(command_again: Command) -> None:
    command_again.pipeline.sources.title = "Another title"
    (summary,) = command_again.run()
    assert set(summary.made) == EVERYTHING


@only_long
def test_one_target_s_change_leaves_the_other_as_it_is(command_again: Command) -> None:
    command_again.run("row_softmax", "flash_attention")
    sources = FakeSources(kernel_text="changed")
    plain = command_again.pipeline.sources
    command_again.pipeline.sources.snapshot = (  # pyright: ignore[reportAttributeAccessIssue]
        lambda target: (
            sources.snapshot(target)
            if target.name == "flash_attention"
            else FakeSources.snapshot(plain, target)
        )
    )
    softmax, attention = command_again.run("row_softmax", "flash_attention")
    assert softmax.made == ()
    assert attention.made[0] == "repo_snapshot"


def test_a_gate_that_does_not_pass_is_a_reason_and_no_traceback(command: Command) -> None:
    command.pipeline.workshop.kernels_pass = False
    failed, other = command.run("row_softmax", "flash_attention")
    assert not failed.succeeded
    assert failed.failure.startswith(
        "kernel_candidates: some_candidate_passed: 0 of 2 candidates passed every check; "
    )
    assert "COMPILE_ERROR" in failed.failure
    assert not other.succeeded, "one target's failure does not end the others"
    assert "kernel" not in failed.made
    (remark,) = failed.remarks
    assert remark.words == failed.failure, "so that it is shown once"
    assert (remark.stage, remark.is_error) == ("kernel_candidates", True)


@only_long
def test_a_gate_is_told_of_once(command: Command) -> None:
    command.pipeline.workshop.kernels_pass = False
    command.run()
    failures = [event for event in command.events if event.state is StageState.FAILED]
    assert [failure.stage for failure in failures] == ["kernel_candidates"]


def test_dagster_s_own_view_of_what_is_stale_agrees(command_again: Command) -> None:
    """What the UI shows of a partition comes from Dagster's resolver."""

    def stale() -> set[tuple[str, str]]:
        with prepare_instance(command_again.home) as instance:
            view = AssetGraphView.for_test(definitions_of(LOCATION), instance)
            resolver = CachingStaleStatusResolver(instance, view.asset_graph, view)
            return {
                (target, key.to_user_string())
                for target in ("row_softmax", "flash_attention")
                for key in view.asset_graph.executable_asset_keys
                if resolver.get_status(key, target) is not StaleStatus.FRESH
            }

    command_again.run("row_softmax", "flash_attention")
    command_again.pipeline.sources.kernel_text = "changed"
    command_again.run("row_softmax")
    assert stale() == set()
    command_again.pipeline.workshop.speedup = 3.0
    command_again.pipeline.sources.kernel_text = "changed again"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command_again.pipeline.workshop, "choose", refuse)
        command_again.run("flash_attention")
    assert stale() == {
        ("flash_attention", "kernel"),
        ("flash_attention", "reproduction"),
        ("flash_attention", "torch_op"),
        ("flash_attention", "benchmark"),
        ("flash_attention", "documentation"),
        ("flash_attention", "report"),
        ("flash_attention", "pull_request"),
    }


def test_a_failed_gate_is_tried_again_and_never_passed_by(command: Command) -> None:
    command.pipeline.workshop.kernels_pass = False
    command.run()
    (again,) = command.run()
    assert again.made == ("kernel_candidates",)
    assert not again.succeeded
    command.pipeline.workshop.kernels_pass = True
    (mended,) = command.run()
    assert mended.succeeded
    assert set(mended.made) == EVERYTHING - {"target", "repo_snapshot", "plan", "test_suite"}


def test_a_stage_that_raises_leaves_its_own_words(command: Command) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command.pipeline.workshop, "analyse", refuse)
        (summary,) = command.run()
    assert summary.failure == "benchmark: hosts.yaml: no host answers. Start Ollama."
    (resumed,) = command.run()
    assert resumed.succeeded
    assert "kernel_candidates" not in resumed.made, "what was made before stands"


@only_long
def test_progress_is_told_as_it_happens(command: Command) -> None:
    command.run()
    states = [(event.stage, event.state) for event in command.events]
    for stage in EVERYTHING:
        assert states.index((stage, StageState.STARTED)) < states.index(
            (stage, StageState.FINISHED)
        )
    replies = [event for event in command.events if event.state is StageState.REPLIED]
    assert len(replies) == 6
    assert "row_softmax.kernel_wide, round 1: T2 PASSED" in {reply.detail for reply in replies}


def test_an_unknown_target_runs_nothing(command: Command) -> None:
    with pytest.raises(UserError, match="no target 'nothing'"):
        command.run("row_softmax", "nothing")
    assert command.events == []
