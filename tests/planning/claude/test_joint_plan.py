"""Plans of several targets by one question; whoever plans a target next finds it."""

import json
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.call import Purpose, Reason
from rocm_pipeline.planning.claude.joint_plan import MOST_TARGETS, TOKENS_FOR_ANOTHER
from rocm_pipeline.planning.claude.planner import (
    MAX_TOKENS,
    ClaudePlanner,
    How,
    Planned,
    PlanRequest,
)
from rocm_pipeline.planning.history import Commit
from rocm_pipeline.quoting.blocks import read_blocks
from rocm_pipeline.records.questions import QuestionBook
from rocm_pipeline.records.records import Records
from rocm_pipeline.targets import library
from tests.planning.claude.scripted import VALID, ScriptedClaude, a_form, the_snapshot, the_target

NAMES = library.builtin_names()
FIRST, SECOND, THIRD = NAMES


def answer(*names: str, **tasks: object) -> str:
    """Return valid plans for targets, with other tasks for some."""
    plans = [{"target": name, "tasks": tasks.get(name, a_form()["tasks"])} for name in names]
    return json.dumps({"plans": plans})


def request(name: str, **changes: object) -> PlanRequest:
    target = the_target(name)
    snapshot = the_snapshot(**{f"kernels/{name}/kernel.hip": target.baseline.source})
    return PlanRequest(target, snapshot, **changes)  # pyright: ignore[reportArgumentType]


class Night:
    """Targets that are planned one after another, each beside all."""

    def __init__(self, folder: Path, *script: str | Reason) -> None:
        records = Records.open(str(folder / "records.db"), str(folder / "store"))
        self.book = QuestionBook(records.database, records.store)
        self.claude = ScriptedClaude(*script)

    def plan(self, name: str, *beside: PlanRequest, **changes: object) -> Planned:
        others = beside or tuple(request(other) for other in NAMES if other != name)
        own = request(name, **changes)
        return ClaudePlanner(self.claude).plan_together(own, others, self.book)


def test_all_targets_are_in_one_question_with_the_shared_part_once(tmp_path: Path) -> None:
    night = Night(tmp_path, answer(*NAMES))
    planned = night.plan(FIRST)
    assert (planned.how, planned.plan.target) == (How.CLAUDE, FIRST)
    (call,) = night.claude.calls
    assert (call.purpose, call.targets) == (Purpose.PLAN, NAMES)
    assert call.max_tokens == MAX_TOKENS + 2 * TOKENS_FOR_ANOTHER
    blocks = read_blocks(call.prompt)
    for number, name in enumerate(NAMES, start=1):
        assert the_target(name).objective in blocks[f"T{number} TARGET"]
        assert blocks[f"T{number} BASELINE"].strip() == the_target(name).baseline.source.strip()
        assert f"`{name}` (T{number})" in call.prompt


def test_the_targets_planned_next_put_the_very_same_question(tmp_path: Path) -> None:
    night = Night(tmp_path, *[answer(*NAMES)] * 3)
    for name in NAMES:
        assert night.plan(name).plan.target == name
    first, *others = night.claude.calls
    # an equal call is answered from the records
    assert [call.prompt for call in others] == [first.prompt] * 2


def test_what_changed_since_is_asked_about_anew_and_alone(tmp_path: Path) -> None:
    night = Night(tmp_path, answer(*NAMES), VALID)
    night.plan(FIRST)
    commit = Commit(sha="1" * 40, date="2026-03-01", subject="faster", files=("kernel.hip",))
    assert night.plan(SECOND, history=(commit,)).how is How.CLAUDE
    assert night.claude.calls[1].targets == (SECOND,)


def test_a_target_alone_is_asked_as_ever(tmp_path: Path) -> None:
    night = Night(tmp_path, VALID)
    only = request(FIRST)
    ClaudePlanner(night.claude).plan_together(only, (), night.book)
    plain = ScriptedClaude(VALID)
    ClaudePlanner(plain).plan(only.target, only.snapshot)
    assert night.claude.calls == plain.calls


def test_no_question_holds_more_targets_than_its_answer_has_room_for(tmp_path: Path) -> None:
    targets = [
        the_target(FIRST).model_copy(update={"name": f"target_{number}"})
        for number in range(MOST_TARGETS + 2)
    ]
    requests = [PlanRequest(target, the_snapshot()) for target in targets]
    names = [target.name for target in targets]
    night = Night(tmp_path, answer(*names[:MOST_TARGETS]), answer(*names[MOST_TARGETS:]))
    for own in (requests[0], requests[-2]):
        ClaudePlanner(night.claude).plan_together(own, requests, night.book)
    asked = [call.targets for call in night.claude.calls]
    assert asked == [tuple(names[:MOST_TARGETS]), tuple(names[MOST_TARGETS:])]


def test_an_invalid_plan_is_repaired_alone_and_the_others_stand(tmp_path: Path) -> None:
    wrong = a_form()["tasks"]
    wrong[1]["estimated_hours"] = 9
    together = answer(*NAMES, **{SECOND: wrong})
    night = Night(tmp_path, together, VALID, together)
    planned = night.plan(SECOND)
    assert (planned.how, planned.attempts) == (How.REPAIRED, ("a-1", "a-2"))
    repair = night.claude.calls[1]
    assert (repair.purpose, repair.targets) == (Purpose.REPAIR, (SECOND,))
    assert json.loads(read_blocks(repair.prompt)["ANSWER"])["tasks"] == wrong
    assert night.plan(THIRD).how is How.CLAUDE
    assert len(night.claude.calls) == 3


@pytest.mark.parametrize(
    "said",
    [Reason.REFUSED, Reason.TRUNCATED, Reason.OVER_BUDGET, "{}", answer(SECOND, THIRD)],
    ids=["refused", "truncated", "over budget", "no form", "left out"],
)
def test_where_the_common_answer_brings_nothing_the_target_is_asked_about_alone(
    tmp_path: Path, said: str | Reason
) -> None:
    night = Night(tmp_path, said, VALID)
    planned = night.plan(FIRST)
    assert (planned.how, planned.attempts) == (How.CLAUDE, ("a-1", "a-2"))
    assert night.claude.calls[1].targets == (FIRST,)


@pytest.mark.parametrize("reason", [Reason.NO_KEY, Reason.HELD, Reason.UNREACHABLE])
def test_where_no_answer_can_be_had_rules_plan_at_once(tmp_path: Path, reason: Reason) -> None:
    night = Night(tmp_path, reason)
    planned = night.plan(FIRST)
    assert (planned.how, planned.reason) == (How.RULES, reason)
