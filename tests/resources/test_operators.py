"""Operator packages are judged once."""

from pathlib import Path

import pytest

from rocm_pipeline.agents.examples import Examples
from rocm_pipeline.agents.outcome import ChosenKernel, Operator
from rocm_pipeline.assets import gates
from rocm_pipeline.home import Home
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.resources import operators
from rocm_pipeline.resources.operators import HomeIntegration
from tests.fakes.values import a_candidate, a_passing_evidence, a_target, some_examples

target = a_target()


@pytest.fixture
def kernel() -> ChosenKernel:
    candidate = a_candidate(target)
    return ChosenKernel(
        target=target.name,
        candidate=candidate,
        evidence=a_passing_evidence(target, candidate),
        is_baseline=True,
        exchange=None,
        reason="nothing better",
    )


def an_operator(source: str, refused: str = "") -> Operator:
    return Operator(target=target.name, source=source, exchange=None, refused=refused)


def test_the_same_package_is_judged_once(tmp_path: Path, kernel: ChosenKernel) -> None:
    """A second judgement would draw other inputs, and so make another record."""
    operator = an_operator("import os\n")
    first = HomeIntegration(Home(tmp_path)).build(target, kernel, operator)
    assert first.evidence.status is Status.POLICY_VIOLATION
    assert first.package is not None
    again = HomeIntegration(Home(tmp_path)).build(target, kernel, operator)
    assert again == first
    elsewhere = HomeIntegration(Home(tmp_path / "other")).build(target, kernel, operator)
    assert elsewhere.evidence.seed != first.evidence.seed


def test_the_same_document_is_judged_once_and_a_changed_one_again(
    tmp_path: Path, kernel: ChosenKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    statuses = iter([Status.TIMEOUT, Status.PASSED, Status.CRASHED])

    def judge(markdown: str, *_: object) -> Examples:
        asked.append(markdown)
        return some_examples(next(statuses))

    monkeypatch.setattr(operators, "run_examples", judge)
    home = HomeIntegration(Home(tmp_path))
    made = home.build(target, kernel, an_operator("import os\n"))
    texts = ("one", "one", "one", "other")
    found = [home.run_examples(target, kernel, made, text).blocks[0].status for text in texts]
    # running out of time says as much of the machine's load
    assert found == [Status.TIMEOUT, Status.PASSED, Status.PASSED, Status.CRASHED]
    assert asked == ["one", "one", "other"]


@pytest.mark.parametrize("version", [None, "2.6"])
def test_a_reply_without_an_operator_is_a_failure_whether_or_not_torch_is_there(
    tmp_path: Path, kernel: ChosenKernel, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    monkeypatch.setattr(operators, "torch_version", lambda: version)
    operator = an_operator("", refused="no op.py in the reply")
    made = HomeIntegration(Home(tmp_path)).build(target, kernel, operator)
    assert made.package is None
    assert made.evidence.status is Status.POLICY_VIOLATION
    assert made.evidence.torch_version == version
    assert not made.evidence.could_not_run
    found = gates.operator_passes_opcheck(made.evidence)
    assert (found.passed, found.severity.value) == (False, "ERROR")
    assert "no op.py in the reply" in made.evidence.checks[0].message
