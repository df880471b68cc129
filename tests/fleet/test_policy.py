"""The policy's promises, on states drawn at random and on small ones that show one rule each."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rocm_pipeline.fleet.backlog import AGEING_SECONDS, Backlog
from rocm_pipeline.fleet.policy import HEDGE_SAVING, EarliestEnd
from rocm_pipeline.fleet.state import Assignment, HostState, Job, Running, Speed
from tests.scale import scaled

MODELS = ("coder@1", "expert@2", "small@3")
NOW = 1_000.0
FAST, SLOW = Speed(1_000, 60, 10), Speed(200, 10, 30)


def job(name: str, models: Sequence[str] = MODELS[:1], tokens: float = 600, **more: Any) -> Job:
    return Job(name, tuple(models), 500, tokens, waiting_since=NOW, **more)


def host(name: str, speed: Speed = FAST, **more: Any) -> HostState:
    return replace(HostState(name, 1, models=dict.fromkeys(MODELS, speed), room=1), **more)


def decide(
    jobs: Sequence[Job], hosts: Sequence[HostState], now: float = NOW
) -> tuple[Assignment, ...]:
    """Decide as the fleet does: what waits first; copies where nothing does."""
    running = {work.job_id for host in hosts for work in host.busy}
    waiting = [job for job in jobs if job.id not in running]
    if waiting:
        return EarliestEnd().decide(now, Backlog(waiting), hosts)
    return EarliestEnd().hedge(now, jobs, hosts)


def drawn(seed: int) -> tuple[list[Job], list[HostState]]:
    """Return up to 20 jobs, some of which run, and up to 4 hosts in any state."""
    rng = random.Random(seed)
    pairs = [(name, model) for name in "abcd" for model in MODELS]
    jobs = [
        Job(
            f"j{number}",
            tuple(rng.sample(MODELS, rng.randint(1, 3))),
            rng.uniform(1, 16_000),
            rng.uniform(1, 4_000),
            rng.randint(-1, 2),
            NOW - rng.uniform(0, 5_000),
            frozenset(rng.sample(pairs, rng.choice((0, 0, 1, 6)))),
        )
        for number in range(rng.randint(0, 20))
    ]
    unstarted = [some.id for some in jobs]
    hosts: list[HostState] = []
    for name in "abcd"[: rng.randint(1, 4)]:
        slots = rng.randint(1, 4)
        taken = min(len(unstarted), rng.randint(0, slots))
        busy = tuple(
            Running(unstarted.pop(), rng.choice(MODELS), NOW - 50, NOW + rng.uniform(-49, 400))
            for _ in range(taken)
        )
        hosts.append(
            HostState(
                name,
                slots,
                busy,
                tuple(rng.sample(MODELS, rng.randint(0, 3))),
                {
                    model: Speed(rng.uniform(50, 5_000), rng.uniform(1, 200), rng.uniform(0, 60))
                    for model in rng.sample(MODELS, rng.randint(0, 3))
                },
                rng.choice((None, 1, 2, 3)),
                rng.random() < 0.2,
                frozenset(rng.sample(MODELS, rng.choice((0, 0, 1)))),
            )
        )
    return jobs, hosts


def may_be_asked(host: HostState, model: str) -> bool:
    return not host.closed and model in host.models and model not in host.closed_models


def states() -> Iterator[tuple[list[Job], list[HostState]]]:
    return map(drawn, range(scaled(short=1_000, long=20_000)))


def test_whatever_the_state_every_decision_can_be_carried_out() -> None:
    made_any = hedged = 0
    for jobs, hosts in states():
        by_id, by_name = {some.id: some for some in jobs}, {some.name: some for some in hosts}
        running = {work.job_id: some.name for some in hosts for work in some.busy}
        made = decide(jobs, hosts)
        starts = Counter(start.host for start in made)
        assert all(starts[name] <= by_name[name].free for name in starts)
        assert max(Counter(start.job_id for start in made).values(), default=0) <= 1
        for start in made:
            asked, at = by_id[start.job_id], by_name[start.host]
            assert may_be_asked(at, start.model)
            assert start.model in asked.models
            assert (start.host, start.model) not in asked.avoid
            assert start.expected_end > NOW
            assert start.hedge == (start.job_id in running)
            assert running.get(start.job_id) != start.host
        for at in hosts:
            in_use = {work.model for work in at.busy}
            begun = {one.model for one in made if one.host == at.name and not one.hedge} - in_use
            assert at.room is None or len(begun) <= max(0, at.room - len(in_use))
        made_any += bool(made)
        hedged += any(start.hedge for start in made)
    assert made_any
    assert hedged


def test_an_idle_fleet_that_can_do_something_does_something() -> None:
    for jobs, hosts in states():
        idle = [replace(some, busy=(), closed=False) for some in hosts]
        possible = any(
            may_be_asked(at, model) and (at.name, model) not in some.avoid
            for some in jobs
            for at in idle
            for model in some.models
        )
        assert bool(decide(jobs, idle)) == possible


def test_copies_start_only_when_nothing_waits() -> None:
    for jobs, hosts in states():
        running = {work.job_id for some in hosts for work in some.busy}
        if any(some.id not in running for some in jobs):
            assert not any(start.hedge for start in decide(jobs, hosts))


def test_the_longest_job_starts_first() -> None:
    made = decide([job("short", tokens=100), job("long", tokens=3_000)], [host("a")])
    assert [start.job_id for start in made] == ["long"]


def test_a_high_priority_goes_before_a_longer_and_a_loaded_job() -> None:
    jobs = [job("low", tokens=3_000), job("high", MODELS[1:2], tokens=100, priority=1)]
    made = decide(jobs, [host("a", resident=MODELS[:1])])
    assert [start.job_id for start in made] == ["high"]


def test_a_host_keeps_to_the_model_it_holds_while_there_is_work_for_it() -> None:
    jobs = [job("loaded", tokens=100), job("cold", MODELS[1:2], tokens=3_000)]
    made = decide(jobs, [host("a", resident=MODELS[:1])])
    assert [start.job_id for start in made] == ["loaded"]


def test_what_has_waited_long_goes_before_what_keeps_arriving() -> None:
    hosts = [host("a", resident=MODELS[:1])]
    old = Job("old", MODELS[1:2], 500, 60, waiting_since=NOW)
    for step in range(100):
        now = NOW + step * 30
        fresh = Job(f"fresh-{step}", MODELS[:1], 500, 2_000, waiting_since=now)
        if [start.job_id for start in decide([old, fresh], hosts, now)] == ["old"]:
            assert now - NOW <= 2 * AGEING_SECONDS
            return
    raise AssertionError("the old job starves")


def test_a_second_host_loads_a_model_only_when_the_backlog_is_longer_than_the_load() -> None:
    busy = (Running("r", MODELS[0], NOW, NOW + 5),)
    homes = [host("home", busy=busy, resident=MODELS[:1]), host("cold")]
    assert decide([job("r"), job("one")], homes) == ()
    made = decide([job("r"), *(job(f"many-{n}") for n in range(6))], homes)
    assert [start.host for start in made] == ["cold"]


def test_a_slow_host_is_left_idle_when_a_fast_one_would_end_the_job_sooner() -> None:
    busy = (Running("r", MODELS[0], NOW, NOW + 2),)
    fast = host("fast", busy=busy, resident=MODELS[:1])
    slow = host("slow", SLOW, resident=MODELS[:1])
    assert decide([job("r"), job("next", tokens=1_000)], [fast, slow]) == ()


def test_a_closed_host_and_a_closed_model_get_nothing() -> None:
    assert decide([job("one")], [host("a", closed=True)]) == ()
    assert decide([job("one")], [host("a", closed_models=frozenset(MODELS[:1]))]) == ()


def test_a_model_without_room_waits_until_those_that_answer_have_drained() -> None:
    busy = (Running("r", MODELS[0], NOW, NOW + 5),)
    at = host("a", slots=4, busy=busy, resident=MODELS[:1])
    assert decide([job("r"), job("other", MODELS[1:2])], [at]) == ()
    assert len(decide([job("r"), job("same")], [at])) == 1


def test_an_empty_host_starts_no_more_models_than_it_has_room_for() -> None:
    """Asked for two at once, its server kept the second one waiting until it was taken to hang."""
    jobs = [job("a1"), job("a2", tokens=580), job("b1", MODELS[1:2], tokens=100)]
    for room, expected in ((1, ["a1", "a2"]), (2, ["a1", "a2", "b1"]), (None, ["a1", "a2", "b1"])):
        made = decide(jobs, [host("a", slots=4, room=room)])
        assert [start.job_id for start in made] == expected


def test_a_host_drains_for_a_higher_priority_that_needs_its_room() -> None:
    busy = (Running("r", MODELS[0], NOW, NOW + 5),)
    at = host("a", slots=4, busy=busy, resident=MODELS[:1])
    low = [job(f"low-{n}") for n in range(9)]
    assert len(decide([job("r"), *low], [at])) == 3
    assert decide([job("r"), *low, job("high", MODELS[1:2], priority=1)], [at]) == ()


def test_the_better_model_is_worth_a_wait_but_not_any_wait() -> None:
    for left, expected in ((5.0, ()), (500.0, ("second",))):
        busy = (Running("r", MODELS[0], NOW, NOW + left),)
        first = host("first", busy=busy, models={MODELS[0]: FAST}, resident=MODELS[:1])
        second = host("second", models={MODELS[1]: FAST}, resident=MODELS[1:2])
        made = decide([job("r"), job("any", MODELS[:2])], [first, second])
        assert tuple(start.host for start in made) == expected


def late_job(seconds: float) -> HostState:
    return host("slow", SLOW, busy=(Running("late", MODELS[0], NOW - 50, NOW + seconds),))


def test_at_the_tail_a_copy_starts_where_it_saves_enough() -> None:
    made = decide([job("late")], [late_job(100), host("fast", resident=MODELS[:1])])
    assert made == (Assignment("late", "fast", MODELS[0], NOW + 10.5, hedge=True),)


def test_no_copy_starts_for_a_small_saving_or_while_anything_waits_or_twice() -> None:
    fast = host("fast", resident=MODELS[:1])
    barely = 10.5 / (1 - HEDGE_SAVING) - 0.1
    young = host("slow", SLOW, busy=(Running("late", MODELS[0], NOW, NOW + barely),))
    assert decide([job("late")], [young, fast]) == ()
    made = decide([job("late"), job("waits")], [late_job(100), fast])
    assert [start.hedge for start in made] == [False]
    copied = host("copy", busy=(Running("late", MODELS[0], NOW, NOW + 99, hedge=True),))
    assert decide([job("late")], [late_job(100), copied, fast]) == ()


def test_an_overdue_answer_counts_as_unfinished_not_as_nearly_done() -> None:
    overdue = host("slow", SLOW, busy=(Running("late", MODELS[0], NOW - 400, NOW - 300),))
    made = decide([job("late", tokens=300)], [overdue, host("fast", resident=MODELS[:1])])
    assert [start.hedge for start in made] == [True]
