"""How long an answer is expected to be."""

import time
from collections.abc import Iterable
from typing import Any

from rocm_pipeline.fleet.chat import PROVIDER
from rocm_pipeline.fleet.lengths import LATEST, Lengths
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.outcome import Outcome
from tests.fleet.ollama_server import answers
from tests.fleet.worlds import World, request

LIMIT = 10_000


def put_on_record(
    world: World, lengths: Iterable[int], outcome: Outcome = Outcome.OK, **of: Any
) -> None:
    """Have the records hold answers so long, the oldest first."""
    asked = request(**of)
    for length in lengths:
        attempt_id = world.records.journal.intent(
            Intent(
                provider=PROVIDER,
                model="m",
                model_digest="d",
                system="",
                prompt="earlier",
                host="",
                target=asked.target,
                purpose=asked.purpose,
                role=asked.role,
                task_id=asked.task_id,
            )
        )
        done = Received(outcome=outcome, text="x", t_done=time.time(), tokens_out=length)
        world.records.journal.finish(attempt_id, done)


def expected(world: World, **of: Any) -> int:
    return Lengths(world.records.journal).expected(request(max_tokens=LIMIT, **of))


def test_half_of_what_is_allowed_where_nothing_is_known(world: World) -> None:
    assert expected(world) == LIMIT // 2
    assert Lengths(world.records.journal).expected(request(max_tokens=1)) == 1


def test_the_answers_to_the_nearest_question_count(world: World) -> None:
    put_on_record(world, [9_000], role="tester")
    assert expected(world) == LIMIT // 2
    put_on_record(world, [100], purpose="doc", target="gemm", task_id="a")
    assert expected(world) == 100
    put_on_record(world, [200], target="gemm", task_id="b")
    assert expected(world) == 200
    put_on_record(world, [300], task_id="c")
    assert expected(world) == 300
    put_on_record(world, [400])
    assert expected(world) == 400


def test_a_high_quantile_of_the_latest_counts(world: World) -> None:
    put_on_record(world, [5_000] * LATEST)
    put_on_record(world, range(1, LATEST + 1))
    assert expected(world) == int(0.7 * LATEST) + 1


def test_never_more_than_is_allowed(world: World) -> None:
    put_on_record(world, [50_000])
    assert expected(world) == LIMIT


def test_what_was_no_whole_answer_of_the_fleet_tells_nothing(world: World) -> None:
    put_on_record(world, [7], outcome=Outcome.CANCELLED)
    put_on_record(world, [0])
    assert expected(world) == LIMIT // 2


def test_a_new_answer_counts_at_once(world: World) -> None:
    lengths = Lengths(world.records.journal)
    before = lengths.expected(request(max_tokens=LIMIT))
    lengths.observe(request(), 77)
    assert (before, lengths.expected(request(max_tokens=LIMIT))) == (LIMIT // 2, 77)


def test_the_fleet_learns_the_lengths_of_its_answers(world: World) -> None:
    world.add("alpha", answers("__global__", eval_count=40))
    fleet = world.fleet()
    fleet.chat(request())
    fleet.chat(request(seed=4))
    with_records = Lengths(world.records.journal)
    assert with_records.expected(request()) == 40
