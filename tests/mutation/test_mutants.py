"""A check that can never fail is caught: every defect planted into a checker fails some test."""

import importlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import RecordFigure
from tests.mutation.mutants import load_whole, mutants_of
from tests.mutation.suites import Suites
from tests.scale import is_long

EQUIVALENT = Path(__file__).parent / "equivalent.yaml"
"""Defects that change nothing that can be seen, by module and name, each with the reason."""
MOST_OF_A_MODULE = 40
"""Defects of one module that are tried in CI, from all over it; `--long` tries every one."""


@dataclass(frozen=True)
class Subject:
    """A module whose defects must be found by these test files; `only` limits it to functions."""

    module: str
    suites: tuple[str, ...]
    only: tuple[str, ...] = ()
    skipped: frozenset[str] = frozenset()


SUBJECTS = (
    Subject(
        "rocm_pipeline.lab.numerics", ("tests.lab.test_numerics", "tests.mutation.test_comparator")
    ),
    Subject("rocm_pipeline.lab.ranking", ("tests.mutation.test_aggregator",)),
    Subject(
        "rocm_pipeline.lab.roofline",
        ("tests.lab.test_roofline", "tests.mutation.test_aggregator"),
        only=("speedup",),
    ),
    Subject("rocm_pipeline.lab.evidence", ("tests.mutation.test_evidence_rules",)),
    Subject("rocm_pipeline.planning.review", ("tests.mutation.test_review_model",)),
    Subject(
        "rocm_pipeline.planning.rule_reviewer",
        ("tests.planning.test_rule_reviewer", "tests.mutation.test_review_rules"),
    ),
    Subject(
        "rocm_pipeline.lab.policy",
        ("tests.lab.test_policy", "tests.mutation.test_policy_rules"),
        skipped=frozenset({"test_a_hostile_source_of_full_length_is_read_in_linear_time"}),
    ),
    Subject(
        "rocm_pipeline.lab.one_meaning",
        ("tests.lab.test_one_meaning", "tests.lab.test_one_meaning_rules"),
        skipped=frozenset({"test_it_takes_linear_time"}),
    ),
    Subject(
        "rocm_pipeline.lab.macro_rules",
        (
            "tests.lab.test_macro_rules",
            "tests.lab.test_one_meaning",
            "tests.lab.test_one_meaning_rules",
        ),
        skipped=frozenset({"test_it_takes_linear_time"}),
    ),
    Subject(
        "rocm_pipeline.lab.pasting",
        ("tests.lab.test_pasting", "tests.mutation.test_policy_rules"),
    ),
    Subject(
        "rocm_pipeline.lab.controls",
        ("tests.mutation.test_control_rules", "tests.lab.test_control_kernels"),
    ),
    Subject("rocm_pipeline.lab.static_check", ("tests.lab.test_static_check_rules",)),
    Subject("rocm_pipeline.lab.prediction", ("tests.lab.test_prediction",)),
    Subject("rocm_pipeline.lab.slow_cases", ("tests.lab.test_slow_cases",)),
    Subject("rocm_pipeline.lab.runs", ("tests.lab.test_runs",), only=("settled", "settled_sample")),
    Subject(
        "rocm_pipeline.lab.plan_check",
        ("tests.mutation.test_plan_rules", "tests.lab.test_plan_check"),
    ),
    Subject(
        "rocm_pipeline.integration.policy",
        ("tests.integration.test_policy", "tests.mutation.test_operator_rules"),
    ),
    Subject(
        "rocm_pipeline.integration.evidence",
        ("tests.integration.test_evidence", "tests.mutation.test_operator_evidence_rules"),
    ),
    Subject(
        "rocm_pipeline.integration.one_behaviour",
        (
            "tests.integration.test_one_behaviour",
            "tests.integration.test_one_behaviour_rules",
        ),
    ),
    Subject("rocm_pipeline.integration.operator_tree", ("tests.integration.test_operator_tree",)),
    Subject(
        "rocm_pipeline.assets.gates", ("tests.assets.test_gates", "tests.mutation.test_gate_rules")
    ),
    Subject(
        "rocm_pipeline.publishing.pull_request",
        ("tests.mutation.test_gate_rules",),
        only=("_reason_against",),
    ),
    Subject(
        "rocm_pipeline.bundle.compare",
        ("tests.bundle.test_compare", "tests.bundle.test_compare_rules"),
    ),
)


def equivalents(module: str) -> dict[str, str]:
    listed = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or {}
    return listed.get(module) or {}


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.module)
def test_every_defect_of_a_checker_fails_a_test(
    subject: Subject, record_figure: RecordFigure
) -> None:
    importlib.import_module(subject.module)
    for name in subject.suites:
        load_whole(name)  # all that they import is then there, and free of defects
    suites = Suites(subject.suites, subject.skipped)
    assert suites.killer(subject.module, load_whole(subject.module)) is None, "no defect, yet"
    harmless = equivalents(subject.module)
    tried: list[str] = []
    survivors: list[str] = []
    most = None if is_long() else MOST_OF_A_MODULE
    for mutant in mutants_of(subject.module, subject.only, most):
        tried.append(mutant.name)
        try:
            defective = mutant.load(subject.module)
        except Exception:  # noqa: S112
            continue  # it cannot be imported: everything fails
        if suites.killer(subject.module, defective) is None:
            survivors.append(mutant.name)
    unknown = [name for name in survivors if name not in harmless]
    asked = harmless if most is None else set(harmless) & set(tried)
    stale = [name for name in asked if name not in survivors]
    assert not unknown, "nothing noticed:\n" + "\n".join(unknown)
    assert not stale, "no longer harmless, or no longer there:\n" + "\n".join(stale)
    assert tried
    record_figure(
        "mutants",
        f"{subject.module}: {len(tried) - len(survivors)}/{len(tried)}, "
        f"equivalent {len(survivors)}",
    )
