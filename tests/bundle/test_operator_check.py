"""The operator of a bundle, checked again: its package, and with PyTorch its checks."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from rocm_pipeline.bundle import operator_check
from rocm_pipeline.bundle.claims import Kind, Row, Verdict
from rocm_pipeline.bundle.contents import Bundle
from rocm_pipeline.bundle.environment import environment
from rocm_pipeline.bundle.operator_check import (
    check_operator,
    judge_checks,
    operator_not_asked,
)
from rocm_pipeline.integration.evidence import CheckRecord, OperatorEvidence
from rocm_pipeline.integration.job import Check
from rocm_pipeline.integration.package import OperatorPackage, PackageFile, generate
from rocm_pipeline.integration.verify import HOW_TO_ADD_TORCH, verify
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from tests.fakes.values import an_environment
from tests.integration.conftest import changed, honest_operator
from tests.scale import only_long

OPERATOR = honest_operator("row_softmax")
SEED = 11
ASKED = (Check.POLICY, Check.FORWARD)
TWO_PASSED = f"{len(Check) - 2} NOT_RUN, 2 PASSED"

needs_torch = pytest.mark.skipif(
    find_spec("torch") is None,
    reason="PyTorch is not installed: see README.md",
)


def recorded(package_sha256: str, bundle: Bundle, **changes: Any) -> OperatorEvidence:
    """Return a record in which what `ASKED` names passed and nothing else was run."""
    passed = {
        Check.POLICY: CheckRecord(check=Check.POLICY, status=Status.PASSED),
        Check.FORWARD: CheckRecord(check=Check.FORWARD, status=Status.PASSED, worst_ratio=0.1),
    }
    fields: dict[str, Any] = {
        "target": bundle.target.name,
        "candidate": bundle.candidate.id,
        "package_sha256": package_sha256,
        "seed": SEED,
        "torch_version": "1.2.3",
        "checks": tuple(
            passed.get(check)
            or CheckRecord(check=check, status=Status.NOT_RUN, message="not asked for")
            for check in Check
        ),
    }
    return OperatorEvidence(**{**fields, **changes})


def with_operator(bundle: Bundle, op: str = OPERATOR, **changes: Any) -> Bundle:
    """Return the bundle with the package of this `op.py` and a record that says it passed."""
    package = generate(bundle.target, bundle.candidate, op)
    evidence = recorded(package.sha256, bundle, **changes)
    return replace(bundle, package=package, operator_evidence=evidence)


Rows = Callable[[Bundle], list[Row]]


@pytest.fixture
def rows(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rows:
    """Check the operator of a bundle where PyTorch is, with the checks of `ASKED`: they suffice."""
    monkeypatch.setattr(operator_check, "verify", partial(verify, only=ASKED))
    here = environment(sandbox, "some compiler")

    def check(bundle: Bundle) -> list[Row]:
        return check_operator(bundle, bundle.target, sandbox, tmp_path, here)

    return check


@pytest.fixture
def rows_without_torch(sandbox: Sandbox, tmp_path: Path) -> Rows:
    here = an_environment()
    assert "torch" not in here.packages

    def check(bundle: Bundle) -> list[Row]:
        return check_operator(bundle, bundle.target, sandbox, tmp_path, here)

    return check


def replaced(package: OperatorPackage, path: str, text: str) -> OperatorPackage:
    """Return the package with another text, or one file more."""
    others = [file for file in package.files if file.path != path]
    files = sorted([*others, PackageFile(path=path, text=text)], key=lambda file: file.path)
    return package.model_copy(update={"files": tuple(files)})


def test_a_bundle_without_an_operator_claims_nothing_of_one(
    paper: Bundle, rows_without_torch: Rows
) -> None:
    assert rows_without_torch(paper) == []
    assert operator_not_asked(paper, "why") == []


def test_an_operator_that_was_left_out_is_named_with_the_reason(paper: Bundle) -> None:
    whole = with_operator(paper)
    alone = replace(whole, operator_evidence=None)
    for bundle, words in ((whole, TWO_PASSED), (alone, "nothing")):
        (row,) = operator_not_asked(bundle, "for a reason")
        assert (row.kind, row.verdict, row.reason) == (
            Kind.OPERATOR,
            Verdict.UNCHECKED,
            "for a reason",
        )
        assert row.recorded == words


def test_a_record_without_its_package_cannot_be_checked(
    paper: Bundle, rows_without_torch: Rows
) -> None:
    (row,) = rows_without_torch(replace(with_operator(paper), package=None))
    assert (row.verdict, row.reason) == (Verdict.UNCHECKED, "the package was not recorded")


def test_a_package_without_a_record_is_still_held_against_the_generator(
    paper: Bundle, rows_without_torch: Rows
) -> None:
    alone = replace(with_operator(paper), operator_evidence=None)
    assert alone.package is not None
    package, checks = rows_without_torch(alone)
    assert (package.verdict, package.recorded) == (Verdict.REPRODUCED, alone.package.sha256)
    assert (checks.verdict, checks.reason) == (Verdict.UNCHECKED, "no checks of it were recorded")
    other = replace(alone, package=replaced(alone.package, "runtime.py", "launch = print\n"))
    package, _ = rows_without_torch(other)
    assert package.verdict is Verdict.NOT_REPRODUCED


def test_only_op_py_may_be_an_agents(paper: Bundle, rows_without_torch: Rows) -> None:
    honest = with_operator(paper)
    assert rows_without_torch(honest)[0].verdict is Verdict.REPRODUCED
    other_op = with_operator(paper, "anything at all")
    assert rows_without_torch(other_op)[0].verdict is Verdict.REPRODUCED
    assert honest.package is not None
    for path in ("__init__.py", "kernel.hip", "launch_plan.json", "runtime.py", "more.py"):
        package = replaced(honest.package, path, "changed")
        evidence = recorded(package.sha256, paper)
        forged = replace(honest, package=package, operator_evidence=evidence)
        row = rows_without_torch(forged)[0]
        assert row.verdict is Verdict.NOT_REPRODUCED, path
        assert row.recorded == package.sha256 != row.found
        assert row.reason == "the generator installed here makes other files of it"


def test_a_package_without_op_py_and_a_record_of_another_package_are_refuted(
    paper: Bundle, rows_without_torch: Rows
) -> None:
    honest = with_operator(paper)
    assert honest.package is not None
    files = tuple(file for file in honest.package.files if file.path != "op.py")
    without = honest.package.model_copy(update={"files": files})
    for forged in (
        replace(honest, package=without),
        replace(honest, operator_evidence=recorded("0" * 64, paper)),
    ):
        assert rows_without_torch(forged)[0].verdict is Verdict.NOT_REPRODUCED


def test_nothing_is_said_of_checks_where_there_is_no_pytorch(
    paper: Bundle, rows_without_torch: Rows
) -> None:
    _, checks = rows_without_torch(with_operator(paper))
    assert (checks.verdict, checks.reason) == (Verdict.UNCHECKED, HOW_TO_ADD_TORCH)
    assert (checks.recorded, checks.found) == (TWO_PASSED, "")


def test_the_rules_are_read_from_the_source_where_there_is_no_pytorch(
    paper: Bundle, rows_without_torch: Rows
) -> None:
    shell = f"import os\n\nos.system('id')\n{OPERATOR}"
    none = tuple(CheckRecord(check=c, status=Status.NOT_RUN, message="no") for c in Check)
    for changes in ({}, {"torch_version": None, "checks": none}):
        package, checks = rows_without_torch(with_operator(paper, shell, **changes))
        assert package.verdict is Verdict.REPRODUCED
        assert checks.verdict is Verdict.NOT_REPRODUCED
        assert checks.found.startswith("POLICY_VIOLATION; line 1: imports 'os'")
    honest = CheckRecord(check=Check.POLICY, status=Status.POLICY_VIOLATION, message="no")
    said = tuple(honest if each.check is Check.POLICY else each for each in none)
    _, checks = rows_without_torch(with_operator(paper, shell, checks=said))
    assert checks.verdict is Verdict.UNCHECKED, "it was never said to keep them"


def test_checks_that_were_never_run_are_not_run_now(paper: Bundle, rows: Rows) -> None:
    none = tuple(
        CheckRecord(check=check, status=Status.NOT_RUN, message="no PyTorch") for check in Check
    )
    _, checks = rows(with_operator(paper, torch_version=None, checks=none))
    assert checks.verdict is Verdict.UNCHECKED
    assert checks.reason.startswith("it was not run when it was recorded")


@needs_torch
def test_an_operator_that_breaks_the_policy_here_is_no_pass(paper: Bundle, rows: Rows) -> None:
    """Another PyTorch than the record's explains nothing: the rules are this program's."""
    package, checks = rows(with_operator(paper, "import os\n" + OPERATOR))
    assert package.verdict is Verdict.REPRODUCED
    assert checks.verdict is Verdict.NOT_REPRODUCED
    assert checks.recorded == TWO_PASSED
    assert checks.found.startswith(f"{len(Check) - 1} NOT_RUN, 1 POLICY_VIOLATION; policy: ")
    assert checks.reason.startswith("'policy' fails here: line 1: imports 'os'")


def one(status: Status, message: str = "", ratio: float | None = None) -> OperatorEvidence:
    """Return a record in which the check of the forward alone was made, with this result."""
    made = CheckRecord(check=Check.FORWARD, status=status, message=message, worst_ratio=ratio)
    rest = (CheckRecord(check=c, status=Status.NOT_RUN, message="no") for c in Check)
    return OperatorEvidence(
        target="t",
        candidate="k",
        package_sha256="0",
        seed=SEED,
        torch_version="2",
        checks=tuple(made if each.check is Check.FORWARD else each for each in rest),
    )


PASSED = one(Status.PASSED, ratio=0.25)
WRONG = one(Status.WRONG_VALUE, "3 elements are wrong")
CRASHED = one(Status.CRASHED, "died at 0x7f")


@pytest.mark.parametrize(
    ("before", "after", "explanation", "verdict", "reason"),
    [
        (PASSED, PASSED, "", Verdict.REPRODUCED, ""),
        (PASSED, one(Status.PASSED, ratio=0.2501), "", Verdict.REPRODUCED, ""),
        (PASSED, one(Status.PASSED, ratio=0.26), "", Verdict.NOT_REPRODUCED, "gives 0.26 here"),
        (PASSED, one(Status.PASSED, ratio=0.26), "why", Verdict.REPRODUCED, "outcomes alone; why"),
        (PASSED, CRASHED, "", Verdict.NOT_REPRODUCED, "nothing here explains it"),
        (PASSED, CRASHED, "why", Verdict.UNCHECKED, "why"),
        (PASSED, WRONG, "why", Verdict.NOT_REPRODUCED, "'forward' fails here: 3 elements"),
        (WRONG, PASSED, "", Verdict.NOT_REPRODUCED, "nothing here explains it"),
        (WRONG, WRONG, "", Verdict.REPRODUCED, ""),
        (WRONG, one(Status.WRONG_VALUE, "4 wrong"), "", Verdict.NOT_REPRODUCED, "gives 4 wrong"),
        (CRASHED, one(Status.CRASHED, "died at 0x8f"), "", Verdict.REPRODUCED, ""),
    ],
)
def test_outcomes_errors_and_messages_are_compared(
    before: OperatorEvidence,
    after: OperatorEvidence,
    explanation: str,
    verdict: Verdict,
    reason: str,
) -> None:
    found, why = judge_checks(before, after, explanation)
    assert found is verdict
    assert reason in why
    assert bool(reason) == bool(why)


@pytest.mark.torch
@needs_torch
def test_the_checks_are_made_again_with_the_recorded_seed_and_the_bundles_kernel(
    paper: Bundle, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int | None] = []
    real = operator_check.verify

    def watched(*arguments: Any, seed: int | None) -> OperatorEvidence:
        seeds.append(seed)
        return real(*arguments, seed=seed)

    monkeypatch.setattr(operator_check, "verify", watched)
    package, checks = rows(with_operator(paper))
    assert (package.verdict, checks.verdict) == (Verdict.REPRODUCED, Verdict.REPRODUCED)
    assert (checks.recorded, checks.found) == (TWO_PASSED, TWO_PASSED)
    assert checks.reason.startswith("the outcomes alone; PyTorch 1.2.3, here ")
    assert seeds == [SEED]


@only_long
@pytest.mark.torch
@needs_torch
def test_an_operator_of_a_wrong_kernel_that_claims_a_pass_is_refuted(
    paper: Bundle, rows: Rows, sandbox: Sandbox
) -> None:
    version = environment(sandbox, "").packages["torch"]
    wrong = changed(paper.candidate.source, ("expf(", "exp2f("))
    candidate = paper.candidate.model_copy(update={"source": wrong})
    forged = with_operator(replace(paper, candidate=candidate), torch_version=version)
    package, checks = rows(forged)
    assert package.verdict is Verdict.REPRODUCED
    assert checks.verdict is Verdict.NOT_REPRODUCED
    assert "1 WRONG_VALUE" in checks.found
    assert "forward: " in checks.found
