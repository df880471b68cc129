"""Several targets of one command: what of them is asked of Claude in one call."""

import pytest

from rocm_pipeline.automation import running
from rocm_pipeline.automation.events import StageState
from rocm_pipeline.planning.claude.settings import KEY_VARIABLE
from tests.automation.conftest import Command

TARGETS = ("row_softmax", "flash_attention")


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "has_key", lambda: True)


def finished(command: Command) -> list[tuple[str, str]]:
    return [(e.target, e.stage) for e in command.events if e.state is StageState.FINISHED]


@pytest.mark.usefixtures("with_key")
def test_with_a_key_all_kernels_are_there_before_the_first_final_review(command: Command) -> None:
    summaries = command.run(*TARGETS)
    assert all(one.succeeded for one in summaries)
    order = finished(command)
    reviews = [order.index((name, "final_review")) for name in TARGETS]
    assert max(order.index((name, "documentation")) for name in TARGETS) < min(reviews)
    assert len(set(order)) == len(order)
    workshop = command.pipeline.workshop
    # the first of them is planned and reviewed beside the other
    assert workshop.beside["plan"] == [("flash_attention",), ("row_softmax",)]
    assert workshop.beside["final"] == [("flash_attention",), ("row_softmax",)]
    assert not any(one.made for one in command.run(*TARGETS))


def test_without_a_key_each_target_comes_to_its_end_first(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    command.run(*TARGETS)
    names = [name for name, _ in finished(command)]
    assert names == sorted(names, key=TARGETS.index)


@pytest.mark.usefixtures("with_key")
def test_a_target_whose_plan_stands_is_not_planned_again_beside_another(command: Command) -> None:
    command.run(TARGETS[0])
    command.run(*TARGETS)
    assert command.pipeline.workshop.beside["plan"] == [(), ()]
    assert command.pipeline.workshop.calls["plan"] == 1


@pytest.mark.usefixtures("with_key")
def test_a_target_that_fails_does_not_keep_the_other_from_its_review(command: Command) -> None:
    command.pipeline.workshop.fails_for = TARGETS[0]
    first, second = command.run(*TARGETS)
    assert (first.succeeded, second.succeeded) == (False, True)
    assert command.pipeline.workshop.beside["final"] == [()]
