"""Scheduled runs plan all targets by one question in one batch, wherever a process is killed."""

import json
import re
from pathlib import Path

from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.targets import library
from tests.conftest import RecordFigure
from tests.planning.claude.batch_calls import records_in
from tests.planning.claude.mortal import BATCH_DEATHS, QUESTION_DEATHS, Order
from tests.planning.claude.mortals import Mortals
from tests.planning.claude.scripted import a_form
from tests.standins.claude import Accepts, Request, Says, StandIn, Then, serving

ACCEPTED = "after the batch was accepted, before the answer"
POINTS = [
    *QUESTION_DEATHS,
    # there is one request, so nothing is second
    *(point for point, (_, _, _, at) in BATCH_DEATHS.items() if at == 1),
    ACCEPTED,
]


def plans(request: Request) -> str:
    names = re.findall(r"`(\w+)` \(T\d\)", request.prompt)
    return json.dumps({"plans": [{"target": name, **a_form()} for name in names]})


def planned(server: StandIn, mortals: Mortals, folder: Path, name: str) -> str:
    """Plan a target in a process of its own and return how that came about; empty if killed."""
    order = Order(url=server.url, folder=folder, in_batch=True, plans=name)
    if not mortals.run(order):
        return ""
    return str(json.loads(order.result.read_text())[name])


def test_killed_scheduled_runs_are_planned_by_one_call_that_is_paid_once(
    tmp_path: Path, mortals: Mortals, record_figure: RecordFigure
) -> None:
    names = library.builtin_names()
    duplicates = 0
    for number, point in enumerate(POINTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        with serving(lambda request: Says(plans(request)), batch_seconds=0.05) as server:
            first = Order(url=server.url, folder=folder, in_batch=True, plans=names[0], dies=point)
            if point == ACCEPTED:

                def accept(_: Request, server: StandIn = server) -> Then:
                    server.on_batch = lambda _: Accepts()
                    return Then(Accepts(), mortals.kill)

                server.on_batch = accept
                first = first.model_copy(update={"dies": None})
            assert not mortals.run(first), point
            for name in names:
                assert planned(server, mortals, folder, name).startswith("Claude"), (point, name)
            assert server.tally.requests["POST /v1/messages"] == 0
            assert len(server.tally.charged) == 1, point
            duplicates += server.tally.duplicates
            records = records_in(folder)
            known = [r for r in records.ledger.attempts() if r.status == Outcome.OK.value]
            records.close()
            (row,) = known
            assert (row.target, *row.shared_with) == names
            charge = server.tally.of(row.attempt_id)
            assert row.tokens_in + row.tokens_cache_write + row.tokens_cache_read == charge.prompt
            assert row.tokens_out == charge.out
    record_figure("claude scheduled runs killed", len(POINTS))
    record_figure("claude duplicates (scheduled)", duplicates)
    assert duplicates == 0


def test_a_batch_that_takes_too_long_leaves_the_plan_to_rules_and_is_found_the_next_night(
    tmp_path: Path, mortals: Mortals
) -> None:
    first, *_ = library.builtin_names()
    now = 1000.0
    with serving(
        lambda request: Says(plans(request)), batch_seconds=60, clock=lambda: now
    ) as server:
        assert planned(server, mortals, tmp_path, first).startswith("rules, since Claude")
        now += 100
        assert planned(server, mortals, tmp_path, first).startswith("Claude")
    assert (len(server.tally.charged), server.tally.duplicates) == (1, 0)
