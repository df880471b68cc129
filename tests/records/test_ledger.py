from pathlib import Path

import pytest

from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))


def call(
    records: Records,
    outcome: Outcome,
    *,
    target: str = "row_softmax",
    shared_with: tuple[str, ...] = (),
    run_id: str = "run-1",
    provider: str = "ollama",
    model: str = "m:7b",
    usd: float = 0.0,
    tokens: tuple[int, int, int, int] = (100, 0, 0, 20),
) -> None:
    attempt_id = records.journal.intent(
        Intent(
            provider=provider,
            model=model,
            model_digest="",
            system="",
            prompt="",
            host="h",
            target=target,
            shared_with=shared_with,
            run_id=run_id,
            plan_id="plan-1",
            purpose="code",
            role="kernel_dev",
        )
    )
    fresh, write, read, out = tokens
    records.journal.finish(
        attempt_id,
        Received(
            outcome=outcome,
            t_done=records.ledger.attempts()[-1].t_sent + 2.0,
            tokens_in=fresh,
            tokens_cache_write=write,
            tokens_cache_read=read,
            tokens_out=out,
            usd=usd,
        ),
    )


def test_claude_and_the_agents_are_added_up_apart(records: Records) -> None:
    call(records, Outcome.OK)
    call(records, Outcome.TRUNCATED)
    call(records, Outcome.OK, model="other:1b")
    call(
        records,
        Outcome.OK,
        provider="anthropic",
        model="claude",
        usd=0.25,
        tokens=(10, 1000, 4000, 300),
    )
    totals = records.ledger.totals()
    assert totals.agents.attempts == 3
    assert totals.agents.outcomes == {Outcome.OK: 2, Outcome.TRUNCATED: 1}
    assert (totals.agents.tokens_in, totals.agents.tokens_out, totals.agents.tokens) == (
        300,
        60,
        360,
    )
    assert totals.agents.seconds == pytest.approx(6.0)
    assert (totals.claude.tokens, totals.claude.usd) == (5310, 0.25)
    assert {key: usage.attempts for key, usage in totals.models.items()} == {
        ("ollama", "m:7b"): 2,
        ("ollama", "other:1b"): 1,
        ("anthropic", "claude"): 1,
    }


def test_the_parts_add_up_to_the_whole(records: Records) -> None:
    for target, run_id in (("a", "1"), ("a", "2"), ("b", "2")):
        call(records, Outcome.OK, target=target, run_id=run_id)
    everything = records.ledger.totals().agents
    assert everything.attempts == 3
    by_target = [records.ledger.totals(target=t).agents for t in ("a", "b")]
    by_run = [records.ledger.totals(run_id=r).agents for r in ("1", "2")]
    assert [usage.attempts for usage in by_target] == [2, 1]
    assert [usage.attempts for usage in by_run] == [1, 2]
    assert sum(usage.tokens for usage in by_run) == everything.tokens
    assert records.ledger.totals(target="a", run_id="2").agents.attempts == 1
    assert records.ledger.totals(plan_id="plan-2").agents.attempts == 0


def test_a_call_that_is_still_running_is_counted(records: Records) -> None:
    call(records, Outcome.OK)
    records.journal.intent(
        Intent(
            provider="ollama",
            model="m",
            model_digest="",
            system="",
            prompt="",
            host="h",
            target="t",
            purpose="code",
            role="kernel_dev",
        )
    )
    assert records.ledger.totals().agents.outcomes == {Outcome.OK: 1, Outcome.PENDING: 1}


def test_targets_that_share_a_call_bear_it_in_parts_that_add_up(records: Records) -> None:
    call(records, Outcome.OK, target="a", shared_with=("b", "ab"), usd=0.3, tokens=(10, 5, 1, 2))
    call(records, Outcome.OK, target="b", usd=0.1, tokens=(100, 0, 0, 0))
    parts = {name: records.ledger.totals(target=name).agents for name in ("a", "b", "ab")}
    whole = records.ledger.totals().agents
    assert {name: part.tokens_in for name, part in parts.items()} == {"a": 4, "b": 103, "ab": 3}
    assert [part.tokens_cache_read for part in parts.values()] == [1, 0, 0]
    assert sum(part.tokens for part in parts.values()) == whole.tokens == 118
    assert sum(part.usd for part in parts.values()) == pytest.approx(whole.usd)
    assert records.ledger.totals(target="c").agents.attempts == 0
    assert records.ledger.totals(target="%").agents.attempts == 0
