"""The economy of real records: which kernels count, and what calls of unknown outcome count as."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocm_pipeline.planning.claude.economy.account import make_account
from rocm_pipeline.planning.claude.economy.baselines import Arm
from rocm_pipeline.planning.claude.economy.paired import Trial
from rocm_pipeline.planning.claude.economy.reading import (
    read_history,
    save_count,
    save_trial,
    stored_counts,
)
from rocm_pipeline.records.journal import Intent, Received
from rocm_pipeline.records.outcome import Outcome
from rocm_pipeline.records.records import Records


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(f"sqlite:///{tmp_path / 'records.sqlite'}", str(tmp_path / "store"))
    yield opened
    opened.close()


def intent(*, provider: str = "anthropic", usd_at_most: float = 0.0, targets: str = "t") -> Intent:
    first, *others = targets.split()
    return Intent(
        provider=provider,
        model="m",
        model_digest="",
        system="be good",
        prompt="write",
        host="h",
        target=first,
        shared_with=tuple(others),
        purpose="plan" if provider == "anthropic" else "code_optimization",
        role="",
        usd_at_most=usd_at_most,
        tokens_at_most=500,
    )


def finish(records: Records, call: Intent, **received: object) -> None:
    attempt = records.journal.intent(call)
    defaults = {"outcome": Outcome.OK, "t_done": time.time()}
    records.journal.finish(attempt, Received.model_validate({**defaults, **received}))


def kernel(records: Records, name: str, *, speedup: float | None = 2.0, origin: bool = True) -> str:
    records.save_candidate(
        name,
        target="t",
        source=f"source of {name}",
        launch_plan="{}",
        reply_id=f"r-{name}" if origin else None,
        task_id="kernel",
    )
    evidence = f"ev-{name}"
    records.save_evidence(
        evidence,
        identity=name,
        candidate_id=name,
        target="t",
        tier=2,
        status="PASSED",
        document="{}",
        speedup_low=speedup,
    )
    return evidence


def review(
    records: Records, number: int, name: str, *, kind: str = "final", verdict: str = "approve"
) -> None:
    records.save_review(
        f"review-{number}",
        candidate_id=name,
        target="t",
        reviewer="rules",
        verdict=verdict,
        evidence_ids=(f"ev-{name}",),
        document=json.dumps({"kind": kind, "number": number}),
    )


def reply(records: Records, name: str) -> None:
    """An origin names a reply, so there must be one."""
    attempt = records.journal.intent(intent(provider="ollama"))
    from rocm_pipeline.records.schema import ReplyRow

    row = ReplyRow(
        reply_id=f"r-{name}",
        attempt_id=attempt,
        plan_id="p",
        task_id="kernel",
        target="t",
        json_sha256="",
    )
    records.database.add_once(row)


def test_an_accepted_kernel_is_an_agents_and_its_newest_final_review_approves(
    records: Records,
) -> None:
    for name in ("good", "rejected", "crossed", "baseline"):
        reply(records, name)
    kernel(records, "good")
    kernel(records, "rejected")
    kernel(records, "crossed")
    kernel(records, "baseline", speedup=None)
    kernel(records, "nobodys", origin=False)
    review(records, 1, "good", verdict="changes")
    review(records, 2, "good")
    review(records, 3, "rejected")
    review(records, 4, "rejected", verdict="reject")
    review(records, 5, "crossed", kind="cross")
    review(records, 6, "baseline")
    review(records, 7, "nobodys")
    assert read_history(records).kernels == {"t": ("good",)}


def test_the_account_is_the_ledger_and_a_call_with_no_known_end_counts_at_its_worst(
    records: Records,
) -> None:
    finish(
        records,
        intent(),
        tokens_in=10,
        tokens_cache_write=30,
        tokens_cache_write_1h=20,
        tokens_cache_read=40,
        tokens_out=5,
        usd=0.5,
    )
    lost = Outcome.UNKNOWN
    finish(records, intent(usd_at_most=2.0), outcome=lost, tokens_in=7, usd=2.0, usd_is_bound=True)
    records.journal.intent(intent(usd_at_most=3.0))
    finish(records, intent(provider="ollama"), tokens_in=900, tokens_out=90, text="a kernel")
    account = make_account(read_history(records).attempts, {})
    totals = records.ledger.totals()
    claude = account.claude
    assert (claude.cache_write_5m, claude.cache_write_1h, claude.cache_read) == (10, 20, 40)
    assert claude.calls == totals.claude.attempts == 3
    assert claude.tokens - claude.unknown == totals.claude.tokens
    assert account.agents.tokens == totals.agents.tokens == 990
    # at worst: 500 tokens in either call, 7 of which are known, and what they may cost
    assert claude.unknown == 493 + 500
    assert claude.usd == pytest.approx(5.5)
    assert claude.usd_at_worst == 5.0
    assert account.outcomes == {"OK": 1, "PENDING": 1, "UNKNOWN": 1}


def test_a_call_for_several_targets_is_shared(records: Records) -> None:
    finish(records, intent(targets="a b"), tokens_in=10, usd=1.0)
    account = make_account(read_history(records).attempts, {})
    assert {t.target: t.claude.usd for t in account.targets} == {"a": 0.5, "b": 0.5}


def test_the_transcript_is_the_agents_usable_answers_with_their_prompts(records: Records) -> None:
    finish(records, intent(provider="ollama"), text="a kernel")
    finish(records, intent(provider="ollama"), text="half a", outcome=Outcome.TRUNCATED)
    finish(records, intent(), text="a plan")
    (exchange,) = read_history(records).transcript
    assert (exchange.prompt, exchange.answer) == ("be good\n\nwrite", "a kernel")
    assert exchange.is_kernel


def test_counts_are_kept_by_model_and_text(records: Records) -> None:
    save_count(records, "m", "text", 12)
    save_count(records, "other", "text", 15)
    count = stored_counts(records)
    assert count("m", "text") == 12
    assert count("other", "text") == 15
    assert count("m", "another text") is None


def test_trials_come_back_in_order_and_once(records: Records) -> None:
    trials = [
        Trial(
            series="s",
            arm=Arm.BEST_ALONE,
            model="m",
            target="t",
            repeat=n,
            run_id=f"run-{n}",
            accepted=True,
            rounds=1,
        )
        for n in (1, 2, 3)
    ]
    for trial in (*trials, *trials):
        save_trial(records, trial)
    assert read_history(records).trials == tuple(trials)
