"""Where a text is cut, no half of a secret is left: it is redacted first."""

import json

import pytest

from rocm_pipeline.agents.brief import MAX_MESSAGE, RoundFeedback
from rocm_pipeline.errors import UserError, one_line
from rocm_pipeline.planning.claude import hints
from rocm_pipeline.planning.claude.hints import FailedRound, Stuck, hint_call
from rocm_pipeline.planning.plan import Work
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.quoting.blocks import read_blocks
from rocm_pipeline.quoting.untrusted import untrusted
from rocm_pipeline.redaction import cutting, process
from rocm_pipeline.redaction.cutting import cut
from rocm_pipeline.redaction.fingerprints import Fingerprints
from rocm_pipeline.redaction.redactor import Redactor
from tests.fakes.values import a_candidate, a_failing_evidence, a_target
from tests.redaction.canaries import CANARIES

SECRET = CANARIES[0]
KEPT = range(5, len(SECRET))
"""So many characters of the secret stand before the cut."""


@pytest.fixture(autouse=True)
def _knowing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = type("State", (), {"redactor": Redactor(Fingerprints.of([SECRET]))})
    monkeypatch.setattr(process, "_State", known)
    cleaning = type("State", (), {"clean": staticmethod(process.clean_text)})
    monkeypatch.setattr(cutting, "_State", cleaning)


def across(longest: int, kept: int) -> str:
    """Return a text that, cut to `longest`, would end in `kept` characters of the secret."""
    return "- " * ((longest - kept) // 2) + "-" * ((longest - kept) % 2) + SECRET + " more" * 99


@pytest.mark.parametrize("kept", KEPT)
def test_a_cut_leaves_no_half_of_a_secret(kept: int) -> None:
    assert SECRET[:5] in across(100, kept)[:100]
    for text in (
        cut(across(100, kept), 100),
        one_line(across(100, kept), 100),
        str(UserError(across(1996, kept), where="w", fix="f")),
        untrusted(across(100, kept), 100).text,
        RoundFeedback(round=1, reply_error=across(MAX_MESSAGE, kept)).reply_error,
    ):
        assert text is not None
        assert SECRET[:5] not in text


@pytest.mark.parametrize("longest", [0, 1, 10, 99, 100, 101])
def test_a_cut_text_is_no_longer_than_it_may_be(longest: int) -> None:
    text = "x" * 100
    assert cut(text, longest, "") == text[:longest]
    assert len(cut(text, max(longest, 1))) == min(max(longest, 1), 100)


def test_a_message_in_the_question_for_a_hint_is_redacted_before_it_is_cut() -> None:
    target = a_target()
    candidate = a_candidate(target)
    evidence = a_failing_evidence(target, candidate)
    (finding,) = evidence.findings
    longer = finding.model_copy(update={"message": across(hints.MAX_MESSAGE, 7)})
    failed = evidence.model_copy(update={"findings": (longer,)})
    plan = make_plan(target, "c", ())
    stuck = Stuck(target, plan.id, plan.tasks_of(Work.KERNEL)[0], (FailedRound(1, None, failed),))
    (shown,) = map(json.loads, read_blocks(hint_call(stuck).prompt)["ROUNDS"].splitlines())
    assert len(shown["findings"][0]["message"]) >= hints.MAX_MESSAGE - 10
    assert SECRET[:5] not in shown["findings"][0]["message"]
