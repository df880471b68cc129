"""Several targets of one command: what of them is asked of Claude in one call.

Stages are made in memory here; that Dagster's runs carry the tags on to whoever asks is shown by
`test_nights.py`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from rocm_pipeline.automation import running
from rocm_pipeline.automation.staleness import Made, Stage, stages_of
from rocm_pipeline.resources.asking import asking_of
from tests.automation.conftest import LOCATION, Command

TARGETS = ("row_softmax", "flash_attention")


@dataclass
class Memory:
    """Makes every stage at once, and remembers in which order and with which tags."""

    made: dict[str, dict[str, Made]] = field(default_factory=lambda: defaultdict(dict))
    order: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    tags: dict[tuple[str, str], Mapping[str, str]] = field(
        default_factory=dict[tuple[str, str], Mapping[str, str]]
    )
    fails_for: str = ""

    def read(
        self, instance: object, outputs: object, stages: Sequence[Stage], target: str
    ) -> dict[str, Made]:
        del instance, outputs, stages
        return dict(self.made[target])

    def run_wave(self, runner: Any, target: str, wave: Sequence[str], progress: Any) -> None:
        stages = {stage.name: stage for stage in stages_of(repository())}
        for name in wave:
            if name == "plan" and target == self.fails_for:
                progress.failure = "plan: no"
                return
            made = self.made[target]
            made[name] = Made(
                data_version=progress.outside.get(name, f"{name}-1"),
                code_version=stages[name].code_version,
                inputs={each: made[each].data_version for each in stages[name].parents},
                run_id="run-1",
                checks=(),
            )
            progress.made.append(name)
            self.order.append((target, name))
            self.tags[target, name] = dict(runner._together)

    def planned_beside(self) -> list[tuple[str, ...]]:
        return [asking_of("r", self.tags[name, "plan"]).together for name in TARGETS]

    def reviewed_beside(self, name: str) -> tuple[str, ...]:
        return asking_of("r", self.tags[name, "final_review"]).reviewed_together


def repository() -> Any:
    return running.definitions_of(LOCATION).get_repository_def()


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    found = Memory()

    def run_wave(runner: Any, target: str, wave: Sequence[str], progress: Any) -> None:
        found.run_wave(runner, target, wave, progress)

    monkeypatch.setattr(running, "read_made", found.read)
    monkeypatch.setattr("rocm_pipeline.automation.running._Runner._run_wave", run_wave)
    monkeypatch.setattr(running, "has_key", lambda: True)
    return found


def test_with_a_key_all_kernels_are_there_before_the_first_final_review(
    command: Command, memory: Memory
) -> None:
    summaries = command.run(*TARGETS)
    assert all(one.succeeded for one in summaries)
    order = memory.order
    reviews = [order.index((name, "final_review")) for name in TARGETS]
    assert max(order.index((name, "documentation")) for name in TARGETS) < min(reviews)
    assert len(set(order)) == len(order)
    assert memory.planned_beside() == [TARGETS, TARGETS]
    assert [memory.reviewed_beside(name) for name in TARGETS] == [TARGETS, TARGETS]
    assert not any(one.made for one in command.run(*TARGETS))


def test_without_a_key_each_target_comes_to_its_end_first(
    command: Command, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "has_key", lambda: False)
    command.run(*TARGETS)
    names = [name for name, _ in memory.order]
    assert names == sorted(names, key=TARGETS.index)
    assert not memory.reviewed_beside(TARGETS[0])


def test_a_target_whose_plan_stands_is_not_planned_again_beside_another(
    command: Command, memory: Memory
) -> None:
    command.run(TARGETS[0])
    command.run(*TARGETS)
    assert memory.planned_beside() == [(), ()]
    assert memory.order.count((TARGETS[0], "plan")) == 1


def test_a_target_that_fails_does_not_keep_the_other_from_its_review(
    command: Command, memory: Memory
) -> None:
    memory.fails_for = TARGETS[0]
    first, second = command.run(*TARGETS)
    assert (first.succeeded, second.succeeded) == (False, True)
    assert not memory.reviewed_beside(TARGETS[1])
