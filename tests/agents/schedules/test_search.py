"""The search: led by feedback, deterministic, never the same schedule twice."""

from dataclasses import replace
from typing import Any

import pytest

from rocm_pipeline.agents.schedules import FAMILIES, Tried
from rocm_pipeline.agents.schedules.model import Cue, Family
from rocm_pipeline.agents.schedules.search import cues_of, next_step, schedules_of, start_of
from rocm_pipeline.targets.spec import Target
from tests.agents.schedules.samples import builtin

SOFTMAX = FAMILIES["row_softmax"]


@pytest.fixture
def softmax() -> Target:
    return builtin("row_softmax")


def passed(family: Family, speedup: float, change: dict[str, int], **feedback: Any) -> Tried:
    schedule = {**start_of(family, "wide"), **change}
    return Tried(schedule, "PASSED", speedup=speedup, **feedback)


@pytest.mark.parametrize(
    ("feedback", "cue"),
    [
        ({"spills": 3}, Cue.SPILLS),
        ({"occupancy": {"gfx90a": 0.5, "gfx1100": 0.1}}, Cue.LOW_OCCUPANCY),
        ({"bottleneck": "device memory"}, Cue.MEMORY),
        ({"bottleneck": "L2"}, Cue.CACHE),
        ({"bottleneck": "LDS"}, Cue.LDS),
        ({"bottleneck": "arithmetic"}, Cue.ARITHMETIC),
        ({"bottleneck": "transcendental"}, Cue.TRANSCENDENTAL),
        ({"bottleneck": "latency"}, Cue.LATENCY),
        ({"bottleneck": "launch"}, Cue.LAUNCH),
        ({"findings": ("LDS bank conflicts: 4 passes an access",)}, Cue.BANK_CONFLICTS),
        ({"findings": ("local memory (80000) exceeds limit (65536)",)}, Cue.TOO_LARGE),
    ],
)
def test_feedback_is_read_as_a_cue(feedback: dict[str, Any], cue: Cue) -> None:
    assert cues_of(Tried({}, "PASSED", speedup=1.0, **feedback)) == {cue}


def test_plenty_of_waves_is_no_cue() -> None:
    assert not cues_of(Tried({}, "PASSED", speedup=1.0, occupancy={"gfx90a": 1.0}))


def test_it_starts_where_the_direction_says(family: Family, target: Target) -> None:
    for direction in ("wide", "lean"):
        step = next_step(family, target, (), direction, seed=0)
        assert step is not None
        assert step.schedule == family.starts[direction]


def test_starts_differ_and_are_legal(family: Family, target: Target) -> None:
    assert family.starts["wide"] != family.starts["lean"]
    assert all(family.allows(target, start) for start in family.starts.values())


def test_a_family_has_an_answer_to_what_the_harness_says(family: Family) -> None:
    """A family whose moves answered nothing would ignore the harness."""
    answered = {cue for move in family.moves for cue in move.cues}
    assert {Cue.SPILLS, Cue.LOW_OCCUPANCY, Cue.LATENCY, Cue.ARITHMETIC, Cue.LDS} <= answered


@pytest.mark.parametrize(
    ("name", "change", "feedback", "expected"),
    [
        ("row_softmax", {}, {"bottleneck": "device memory"}, {"kept": 16}),
        ("row_softmax", {"kept": 64}, {"spills": 9}, {"kept": 32}),
        ("row_softmax", {"kept": 64}, {"bottleneck": "latency"}, {"rows": 2}),
        ("attention_forward", {}, {"spills": 9}, {"rows": -1}),
        ("attention_forward", {"pad": 0}, {"findings": ("bank conflicts",)}, {"pad": 1}),
        ("upsample_conv_silu", {"phases": 0}, {"bottleneck": "arithmetic"}, {"phases": 1}),
        ("upsample_conv_silu", {}, {"spills": 9}, {"channels": -1}),
    ],
)
def test_feedback_chooses_the_move(
    name: str, change: dict[str, int], feedback: dict[str, Any], expected: dict[str, int]
) -> None:
    """`expected` holds the knob's new value, or -1 for a lower one."""
    family = FAMILIES[name]
    base = passed(family, 2.0, change, **feedback)
    step = next_step(family, builtin(name), (base,), "wide", seed=0)
    assert step is not None
    for knob, value in expected.items():
        if value < 0:
            assert step.schedule[knob] < base.schedule[knob]
        else:
            assert step.schedule[knob] == value
    unchanged = set(base.schedule) - set(expected)
    assert all(step.schedule[knob] == base.schedule[knob] for knob in unchanged)


def test_a_slower_try_sends_it_back_to_the_best(softmax: Target) -> None:
    best = passed(SOFTMAX, 3.0, {}, bottleneck="device memory")
    worse = passed(SOFTMAX, 2.0, {"kept": 16}, bottleneck="device memory")
    step = next_step(SOFTMAX, softmax, (best, worse), "wide", seed=0)
    assert step is not None
    changed = {knob for knob, value in step.schedule.items() if value != best.schedule[knob]}
    assert changed
    assert step.schedule["kept"] == best.schedule["kept"]


def test_a_failed_try_sends_it_back_to_the_best(softmax: Target) -> None:
    best = passed(SOFTMAX, 3.0, {}, bottleneck="device memory")
    failed = Tried({**best.schedule, "kept": 16}, "TIMEOUT", ("took too long",))
    step = next_step(SOFTMAX, softmax, (best, failed), "wide", seed=0)
    assert step is not None
    assert step.schedule["kept"] == best.schedule["kept"]


def test_a_change_that_lost_comes_last_from_the_next_best_too(softmax: Target) -> None:
    first = passed(SOFTMAX, 2.0, {"vector_bytes": 8}, bottleneck="device memory")
    lost = passed(SOFTMAX, 1.0, {"vector_bytes": 8, "kept": 16})
    better = passed(SOFTMAX, 3.0, {"vector_bytes": 16}, bottleneck="device memory")
    step = next_step(SOFTMAX, softmax, (first, lost, better), "wide", seed=0)
    assert step is not None
    assert step.schedule["kept"] <= better.schedule["kept"]


def test_nothing_passed_leads_back_to_the_start(softmax: Target) -> None:
    failed = Tried({**start_of(SOFTMAX, "wide"), "kept": 64}, "COMPILE_ERROR", ("no",))
    step = next_step(SOFTMAX, softmax, (failed,), "wide", seed=0)
    assert step is not None
    assert step.schedule == start_of(SOFTMAX, "wide")


def test_a_history_of_another_family_is_ignored(softmax: Target) -> None:
    foreign = Tried({"tile": 3}, "PASSED", speedup=9.0)
    step = next_step(SOFTMAX, softmax, (foreign,), "lean", seed=0)
    assert step is not None
    assert step.schedule == start_of(SOFTMAX, "lean")


@pytest.mark.parametrize("seed", [0, 7])
def test_it_never_repeats_until_all_were_tried(softmax: Target, seed: int) -> None:
    small = replace(SOFTMAX, knobs={**SOFTMAX.knobs, "block": (64, 256), "rows": (1, 4)})
    every = list(schedules_of(small, softmax))
    history: list[Tried] = []
    while step := next_step(small, softmax, history, "wide", seed):
        assert small.allows(softmax, step.schedule)
        assert step.schedule not in [entry.schedule for entry in history]
        speedup = 1.0 + len(history) % 5
        history.append(Tried(dict(step.schedule), "PASSED", speedup=speedup))
    assert len(history) == len(every)


def test_hill_climbing_finds_a_hidden_best_in_few_tries(softmax: Target) -> None:
    """With a smooth speed-up, two dozen tries reach the best of some four hundred."""
    goal = {"block": 512, "rows": 4, "vector_bytes": 16, "kept": 32}
    ranks = {knob: values.index(goal[knob]) for knob, values in SOFTMAX.knobs.items()}
    history: list[Tried] = []
    for _ in range(24):
        step = next_step(SOFTMAX, softmax, history, "lean", seed=1)
        assert step is not None
        distance = sum(
            abs(SOFTMAX.knobs[knob].index(value) - ranks[knob])
            for knob, value in step.schedule.items()
        )
        history.append(Tried(dict(step.schedule), "PASSED", speedup=10.0 / (1 + distance)))
    assert goal in [entry.schedule for entry in history]
