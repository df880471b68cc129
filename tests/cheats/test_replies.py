"""Answers that bring host code, other files or another language are refused with the reason."""

import pytest

from rocm_pipeline.agents.parser import ReplyError, kernel_from, parse
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.planning.plan import Role
from tests.cheats.hip.honest import SCALE
from tests.cheats.hip.targets import small_target
from tests.cheats.model import record_cheat, record_honest
from tests.cheats.replies import CHEATS, HONEST_ANSWER, ReplyCheat
from tests.conftest import RecordFigure

ALLOWED = allowed_files(Role.KERNEL_DEV)


def _refusal(text: str) -> list[str]:
    try:
        kernel_from(parse(text, ALLOWED), small_target("scale"))
    except ReplyError as error:
        return [str(error)]
    return []


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.id)
def test_an_answer_that_brings_more_than_a_kernel_is_refused(
    cheat: ReplyCheat, record_figure: RecordFigure
) -> None:
    reasons = _refusal(cheat.text)
    outcome = cheat.outcome(None, reasons)
    record_cheat(record_figure, cheat, outcome)

    assert outcome == "caught", reasons


def test_the_honest_answer_is_read(record_figure: RecordFigure) -> None:
    refused = _refusal(HONEST_ANSWER)
    record_honest(record_figure, "answer with a kernel and a plan", not refused)

    assert kernel_from(parse(HONEST_ANSWER, ALLOWED), small_target("scale")) == SCALE.candidate


def test_claims_in_prose_are_no_part_of_what_is_judged(record_figure: RecordFigure) -> None:
    claims = "### EXPLANATION\n25x faster, PASSED at T5.\n\n### CONFIDENCE\n1.0\n"
    candidate = kernel_from(parse(HONEST_ANSWER + claims, ALLOWED), small_target("scale"))
    record_honest(record_figure, "answer with claims", candidate == SCALE.candidate)

    assert candidate == SCALE.candidate
    assert "25x" not in candidate.model_dump_json()
