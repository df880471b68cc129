"""The backlog that is kept up to date holds what one made anew would hold."""

import random
from dataclasses import replace

from rocm_pipeline.fleet.backlog import AGEING_SECONDS, Backlog, Kind
from rocm_pipeline.fleet.state import Job
from tests.scale import scaled

MODELS = ("coder@1", "expert@2")


def a_job(rng: random.Random, number: int, now: float) -> Job:
    return Job(
        f"j{number}",
        tuple(rng.sample(MODELS, rng.randint(1, 2))),
        rng.choice((10, 10, rng.uniform(1, 16_000))),
        rng.choice((100, 100, rng.uniform(1, 4_000))),
        rng.randint(-1, 2),
        now - rng.choice((0, 0, rng.uniform(0, 5_000))),
        frozenset(rng.sample([("a", "coder@1"), ("b", "coder@1")], rng.randint(0, 2))),
    )


def by_kind(kinds: list[Kind]) -> list[tuple[object, ...]]:
    found = [(kind.level, kind.models, sorted(kind.avoid), list(kind.jobs)) for kind in kinds]
    return sorted(found, key=str)


def test_what_came_went_and_grew_older_is_where_a_new_backlog_puts_it() -> None:
    for seed in range(scaled(short=60, long=2_000)):
        rng, now, kept = random.Random(seed), 1_000.0, dict[str, Job]()
        backlog = Backlog()
        for number in range(60):
            now += rng.choice((0.0, 1.0, AGEING_SECONDS / 7, AGEING_SECONDS))
            if rng.random() < 0.4 and kept:
                name = rng.choice([*kept, "unknown"])
                kept.pop(name, None)
                backlog.drop(name)
            else:
                job = a_job(rng, rng.randint(0, number), now)
                kept[job.id] = job
                backlog.put(job)
            if rng.random() < 0.5:
                assert by_kind(backlog.kinds(now)) == by_kind(Backlog(kept.values()).kinds(now))
            assert len(backlog) == len(kept)


def test_each_kind_is_of_one_level_and_longest_first() -> None:
    rng = random.Random(0)
    jobs = [a_job(rng, number, 1_000.0) for number in range(300)]
    kinds = Backlog(jobs).kinds(1_000.0)
    assert sorted(job.id for kind in kinds for job in kind.jobs) == sorted(job.id for job in jobs)
    for kind in kinds:
        lengths = [(job.tokens_out, job.tokens_in) for job in kind.jobs]
        assert lengths == sorted(lengths, reverse=True)
        assert lengths[0][0] + lengths[0][1] / 20 <= 2 * (lengths[-1][0] + lengths[-1][1] / 20) + 1


def test_a_job_counts_one_level_higher_after_each_wait() -> None:
    job = Job("j", MODELS[:1], 10, 100, priority=1, waiting_since=5_000.0)
    backlog = Backlog([job])
    for waits in (0, 1, 2, 7, 7, 8):
        (kind,) = backlog.kinds(5_000.0 + AGEING_SECONDS * waits + 1.0)
        assert kind.level == 1 + waits
    backlog.put(replace(job, waiting_since=20_000.0))
    (kind,) = backlog.kinds(20_000.0)
    assert kind.level == 1
    backlog.drop("j")
    assert backlog.kinds(30_000.0) == []
