"""Plans asked for through the real SDK, of a server on loopback."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.agents.workshop import Workshop
from rocm_pipeline.fleet.service import Fleet
from rocm_pipeline.lab.harness import Harness
from rocm_pipeline.planning.claude.call import Reason
from rocm_pipeline.planning.claude.client import AnthropicClaude
from rocm_pipeline.planning.claude.planner import ClaudePlanner, How, Planned
from rocm_pipeline.planning.claude.settings import read_settings
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding, Verdict
from rocm_pipeline.records.lineage import lineage
from rocm_pipeline.records.records import Records
from rocm_pipeline.records.schema import AttemptRow
from rocm_pipeline.targets import library
from tests.conftest import RecordFigure
from tests.fakes.values import a_candidate, a_passing_evidence
from tests.planning.claude.scripted import VALID, changed, the_snapshot, the_target
from tests.standins.claude import KEY, Ending, Refuses, Says, in_turn, serving


@contextmanager
def asking(folder: Path, *endings: Ending) -> Generator[tuple[AnthropicClaude, Records]]:
    with serving(in_turn(*endings), minimum_prefix=4096) as server:
        records = Records.open(str(folder / "records.db"), str(folder / "store"))
        claude = AnthropicClaude(records, read_settings(), key=KEY, url=server.url)
        yield claude, records
        claude.close()
        records.close()


@contextmanager
def planning(folder: Path, *endings: Ending) -> Generator[tuple[ClaudePlanner, Records]]:
    with asking(folder, *endings) as (claude, records):
        yield ClaudePlanner(claude), records


def planned(planner: ClaudePlanner, name: str) -> Planned:
    target = the_target(name)
    snapshot = the_snapshot(**{f"kernels/{name}/kernel.hip": target.baseline.source})
    return planner.plan(target, snapshot, run_id="run-1")


def cached_share(row: AttemptRow) -> float:
    prompt = row.tokens_in + row.tokens_cache_write + row.tokens_cache_read
    return row.tokens_cache_read / prompt


def test_from_the_second_target_on_most_of_the_prompt_comes_out_of_the_cache(
    tmp_path: Path, record_figure: RecordFigure
) -> None:
    with planning(tmp_path, *(Says(VALID) for _ in library.builtin_names())) as (planner, records):
        for name in library.builtin_names():
            assert planned(planner, name).how is How.CLAUDE
        first, *later = sorted(records.ledger.attempts(), key=lambda row: row.t_sent)
        assert first.tokens_cache_write > 4096
        assert cached_share(first) == 0
        assert all(cached_share(row) >= 0.7 for row in later)
        record_figure("planner_prompt_cached_share", min(map(cached_share, later)))


def test_a_repair_is_a_second_paid_call_under_its_own_purpose(tmp_path: Path) -> None:
    wrong = changed(1, estimated_hours=9)
    with planning(tmp_path, Says(wrong), Says(VALID)) as (planner, records):
        assert planned(planner, "row_softmax").how is How.REPAIRED
        rows = sorted(records.ledger.attempts(), key=lambda row: row.t_sent)
        assert [row.purpose for row in rows] == ["plan", "repair"]
        assert cached_share(rows[1]) > 0.5


def test_an_answer_in_another_form_reaches_the_repair_with_its_text(tmp_path: Path) -> None:
    with planning(tmp_path, Says('{"tasks": 1}'), Says(VALID)) as (planner, _):
        found = planned(planner, "row_softmax")
        assert found.how is How.REPAIRED
        assert found.problems == ("tasks: Input should be a valid array",)


def test_a_refusal_for_frontier_work_ends_in_a_plan_by_rules(tmp_path: Path) -> None:
    with planning(tmp_path, Refuses(category="frontier_llm")) as (planner, records):
        found = planned(planner, "row_softmax")
        assert (found.how, found.reason) == (How.RULES, Reason.REFUSED)
        assert found.plan.planner == "rules (refused)"
        assert len(records.ledger.attempts()) == 1


def test_the_call_that_made_a_plan_is_in_its_lineage_and_in_that_of_its_changes(
    tmp_path: Path,
) -> None:
    target = the_target()
    candidate = a_candidate(target)
    kernel = ChosenKernel(
        target=target.name,
        candidate=candidate,
        evidence=a_passing_evidence(target, candidate),
        is_baseline=True,
        exchange=None,
        reason="the only one",
    )
    asked = ReviewFinding(
        heading=Heading.ARCHITECTURE, severity="major", message="mend it", cites="kernel.hip:1"
    )
    review = Review(
        subject=candidate.id,
        reviewer="rules",
        kind="final",
        verdict=Verdict.CHANGES,
        findings=(asked,),
        evidence_ids=(kernel.evidence.id,),
    )
    wrong = changed(1, estimated_hours=9)
    with asking(tmp_path, Says(wrong), Says(VALID)) as (claude, records):
        # neither a fleet nor a harness is asked for a plan
        workshop = Workshop(cast(Fleet, None), cast(Harness, None), records, claude, 1)
        found = workshop.plan(target, the_snapshot())
        sent_back = workshop.send_back(found.plan, review, kernel)
        repair = next(row for row in records.ledger.attempts() if row.purpose == "repair")
        for plan in (found.plan, sent_back):
            attempt = lineage(records, plan.id)[0]
            assert (attempt.id, attempt.facts["model"]) == (
                repair.attempt_id,
                repair.model_requested,
            )
            assert attempt.facts["prompt"] == repair.prompt_sha256
        assert sent_back.id != found.plan.id
