"""What a reviewer wrote is shown in a pull request, and is no part of its text."""

import pytest

from rocm_pipeline.agents.outcome import ChosenKernel
from rocm_pipeline.integration.evidence import OperatorEvidence
from rocm_pipeline.planning.review import Heading, Review, ReviewFinding
from rocm_pipeline.planning.rule_reviewer import cross_review
from rocm_pipeline.reporting.pull_request_body import render_body
from tests.fakes.values import (
    a_candidate,
    a_passing_evidence,
    a_reproduction,
    a_target,
    an_operator_evidence,
)

TARGET = a_target()
CANDIDATE = a_candidate(TARGET)
EVIDENCE = a_passing_evidence(TARGET, CANDIDATE)


def body(*messages: str, operator: OperatorEvidence | None = None) -> str:
    rules = cross_review(TARGET, CANDIDATE, EVIDENCE)
    findings = tuple(
        ReviewFinding(heading=Heading.SECURITY, severity="note", message=message, cites=EVIDENCE.id)
        for message in messages
    )
    review: Review = rules.model_copy(update={"findings": findings})
    kernel = ChosenKernel(
        target=TARGET.name,
        candidate=CANDIDATE,
        evidence=EVIDENCE,
        is_baseline=False,
        exchange=None,
        reason="",
    )
    return render_body(
        TARGET,
        kernel,
        operator or an_operator_evidence(TARGET, CANDIDATE),
        (review,),
        a_reproduction(TARGET, CANDIDATE, EVIDENCE),
        None,
    )


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("plain words", "` plain words `"),
        ("a\n\n## Approved\nby all", "` a ## Approved by all `"),
        ("![x](http://127.0.0.1/pixel.png)", "` ![x](http://127.0.0.1/pixel.png) `"),
        ("Fixes #1, @maintainers", "` Fixes #1, @maintainers `"),
        ("`#1` and ``x``", "``` `#1` and ``x`` ```"),
        ("<!-- hidden -->\u2028\u200b\x1b[2J", "` <!-- hidden --> [2J `"),
    ],
)
def test_a_finding_is_one_line_of_code(message: str, shown: str) -> None:
    added = f"- note ({Heading.SECURITY.value}): {shown} (`{EVIDENCE.id}`)\n"
    assert body("plain words").replace("` plain words `", shown) == body(message)
    assert added in body(message)


def test_what_a_check_of_the_operator_says_is_one_line_of_code() -> None:
    operator = an_operator_evidence(TARGET, CANDIDATE)
    first = operator.checks[0].model_copy(update={"message": "Fixes #1 | @maintainers\n# Done"})
    told = operator.model_copy(update={"checks": (first, *operator.checks[1:])})
    assert "| ` Fixes #1 \\| @maintainers # Done ` |\n" in body(operator=told)
