"""What a plan asked of its kernel tasks is shown beside what the harness found."""

from pathlib import Path

import pytest

from rocm_pipeline.agents.outcome import KernelRound
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.planning.acceptance import acceptance_for
from rocm_pipeline.planning.plan import Plan, Work
from rocm_pipeline.reporting.aims import aims_table
from rocm_pipeline.reporting.page import write_page
from tests.reporting.inputs import report_inputs

INPUTS = report_inputs()
(OUTCOME,) = INPUTS.candidates.outcomes
BROKEN, SLOW, FAST, REFUSED = OUTCOME.rounds
AIM = ("gfx942",)


def asking(speedup: float) -> Plan:
    """Return the plan with an aim for each kernel task."""
    acceptance = acceptance_for(INPUTS.target, AIM, speedup)
    tasks = (
        task.model_copy(update={"acceptance": acceptance}) if task.acceptance else task
        for task in INPUTS.plan.tasks
    )
    return INPUTS.plan.model_copy(update={"tasks": tuple(tasks)})


def rows(speedup: float, *rounds: KernelRound) -> dict[str, list[str]]:
    """Return the cells of the table by task, where one task had these rounds."""
    outcome = OUTCOME.model_copy(update={"rounds": rounds})
    found = INPUTS.candidates.model_copy(update={"outcomes": (outcome,)})
    lines = aims_table(asking(speedup), found).splitlines()[2:]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {task: rest for task, *rest in cells}


def own(speedup: float, *rounds: KernelRound) -> list[str]:
    return rows(speedup, *rounds)[OUTCOME.task_id]


def id_of(found: KernelRound) -> str:
    assert found.candidate
    return found.candidate.id


def with_evidence(found: KernelRound, **changes: object) -> KernelRound:
    assert found.evidence
    evidence: Evidence = found.evidence.model_copy(update=changes)
    return found.model_copy(update={"evidence": evidence})


def test_every_task_with_an_acceptance_has_a_row_and_no_other_has() -> None:
    kernels = [task.id for task in INPUTS.plan.tasks_of(Work.KERNEL)]
    assert len(kernels) > 1
    assert list(rows(2, *OUTCOME.rounds)) == kernels
    other = next(task for task in kernels if task != OUTCOME.task_id)
    assert rows(2)[other] == [
        "T2, estimated 2x on gfx942",
        "none",
        "unmet: no kernel was judged",
    ]


@pytest.mark.parametrize(
    ("aim", "reached"), [(3.5, "met"), (9, "unmet: gfx942: estimated 3.67x, not 9x")]
)
def test_a_task_is_judged_by_the_fastest_of_its_kernels(aim: float, reached: str) -> None:
    assert own(aim, BROKEN, SLOW, FAST, REFUSED) == [
        f"T2, estimated {aim:g}x on gfx942",
        id_of(FAST),
        reached,
    ]


def test_a_task_whose_kernels_all_failed_names_the_last_status() -> None:
    assert own(1, BROKEN, REFUSED)[1:] == [id_of(BROKEN), "unmet: the harness says COMPILE_ERROR"]


def test_a_kernel_that_meets_the_aim_comes_before_one_that_is_faster_elsewhere() -> None:
    assert FAST.evidence
    elsewhere = {
        "speedups": tuple(s for s in FAST.evidence.speedups if s.architecture not in AIM),
        "estimates": tuple(e for e in FAST.evidence.estimates if e.architecture not in AIM),
    }
    assert SLOW.evidence
    enough = tuple(s.model_copy(update={"low": 1.2, "high": 1.3}) for s in SLOW.evidence.speedups)
    met = with_evidence(SLOW, speedups=enough)
    assert own(1, met, with_evidence(FAST, **elsewhere))[1:] == [id_of(SLOW), "met"]
    assert own(2, met, with_evidence(FAST, **elsewhere))[1:] == [
        id_of(FAST),
        "unmet: gfx942: no estimate of the speed-up",
    ]


def test_a_plan_that_asks_nothing_says_so() -> None:
    tasks = (task.model_copy(update={"acceptance": None}) for task in INPUTS.plan.tasks)
    plan = INPUTS.plan.model_copy(update={"tasks": tuple(tasks)})
    assert aims_table(plan, INPUTS.candidates).startswith("The plan asks nothing")


def test_the_page_shows_it(tmp_path: Path) -> None:
    page = write_page(tmp_path, INPUTS).read_text()
    asked = page.partition("What the plan asked")[2].partition("<h2>")[0]
    assert asked.count("<td>met</td>") == 1
    assert asked.count("<td>unmet: no kernel was judged</td>") == 1
