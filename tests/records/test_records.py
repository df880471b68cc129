from pathlib import Path

import pytest

from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import ReviewRow


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))


def candidate(records: Records, candidate_id: str) -> None:
    records.save_candidate(
        candidate_id, target="t", source=f"// {candidate_id}", launch_plan='{"launches":[]}'
    )


def evidence(
    records: Records,
    evidence_id: str,
    candidate_id: str,
    status: str = "PASSED",
    tier: int | None = 2,
    speedup_low: float | None = None,
    identity: str = "",
) -> None:
    records.save_evidence(
        evidence_id,
        identity=identity or evidence_id,
        candidate_id=candidate_id,
        target="t",
        tier=tier,
        status=status,
        document="{}",
        speedup_low=speedup_low,
    )


def test_saving_twice_is_no_error_and_changes_nothing(records: Records) -> None:
    for commit in ("c1", "c2"):
        records.save_plan("plan-1", target="t", commit=commit, planner="rules", document="{}")
        records.save_task("plan-1", "write", target="t", role="kernel_dev", document="{}")
        reply = records.save_reply(
            "a-1", plan_id="plan-1", task_id="write", target="t", document="{}"
        )
        candidate(records, "k-1")
        evidence(records, "ev-1", "k-1")
        records.save_review(
            "rev-1",
            candidate_id="k-1",
            target="t",
            reviewer="rules",
            verdict="accept",
            evidence_ids=("ev-1",),
            document="{}",
        )
        assert reply.startswith("r-")
    plan = records.plan("plan-1")
    assert plan is not None
    assert plan.commit == "c1"
    assert len(records.best_candidates("t")) == 1


def test_what_was_saved_is_there_after_reopening(records: Records, tmp_path: Path) -> None:
    candidate(records, "k-1")
    evidence(records, "ev-1", "k-1", tier=4, speedup_low=1.5)
    records.close()
    again = Records.open(str(tmp_path / "records.db"), str(tmp_path / "store"))
    saved = again.candidate("k-1")
    found = again.evidence("ev-1")
    assert saved is not None
    assert found is not None
    assert again.store.get_text(saved.source_sha256) == "// k-1"
    assert (found.tier, found.status, found.speedup_low) == (4, "PASSED", 1.5)
    assert again.candidate("k-2") is None


def test_lists_come_back_as_they_went_in(records: Records) -> None:
    candidate(records, "k-1")
    records.save_review(
        "rev-1",
        candidate_id="k-1",
        target="t",
        reviewer="rules",
        verdict="accept",
        evidence_ids=("ev-1", "ev-2"),
        document="{}",
    )
    review = records.database.get(ReviewRow, "rev-1")
    assert review is not None
    assert review.evidence_ids == ("ev-1", "ev-2")


def test_an_experiment_that_was_run_is_found(records: Records) -> None:
    candidate(records, "k-1")
    assert records.find_evidence("target/source/harness") is None
    evidence(records, "ev-1", "k-1", identity="target/source/harness")
    found = records.find_evidence("target/source/harness")
    assert found is not None
    assert found.evidence_id == "ev-1"


def test_the_best_come_first_by_tier_then_by_speed(records: Records) -> None:
    for name in ("k-slow", "k-fast", "k-measured", "k-plain", "k-wrong"):
        candidate(records, name)
    evidence(records, "ev-1", "k-slow", speedup_low=1.1)
    evidence(records, "ev-2", "k-fast", speedup_low=2.5)
    evidence(records, "ev-3", "k-measured", tier=4, speedup_low=1.2)
    evidence(records, "ev-4", "k-plain")
    evidence(records, "ev-5", "k-wrong", status="WRONG_VALUE")
    best = records.best_candidates("t")
    assert [b.candidate.candidate_id for b in best] == [
        "k-measured",
        "k-fast",
        "k-slow",
        "k-plain",
    ]
    assert len(records.best_candidates("t", limit=2)) == 2
    assert records.best_candidates("another") == []


def test_a_candidate_falls_with_its_newest_evidence(records: Records) -> None:
    candidate(records, "k-1")
    evidence(records, "ev-old", "k-1", tier=4)
    evidence(records, "ev-new", "k-1", status="RACE")
    assert records.best_candidates("t") == []


def test_weaker_new_evidence_does_not_hide_stronger_old_one(records: Records) -> None:
    candidate(records, "k-1")
    evidence(records, "ev-measured", "k-1", tier=4, speedup_low=1.2)
    evidence(records, "ev-emulated", "k-1", tier=2)
    (best,) = records.best_candidates("t")
    assert best.evidence.evidence_id == "ev-measured"


def test_evidence_needs_its_candidate(records: Records) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"):
        evidence(records, "ev-1", "k-unknown")
