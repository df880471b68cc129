"""What the embedded agent answers in each role, through the real prompts and the real parser."""

import json
import re
from collections.abc import Callable

import pytest

from rocm_pipeline.agents.brief import Brief, EvidenceSummary, RoundFeedback
from rocm_pipeline.agents.embedded.brain import answer
from rocm_pipeline.agents.embedded.model import NOT_A_MODEL
from rocm_pipeline.agents.embedded.question import read_question
from rocm_pipeline.agents.embedded.writing import as_markdown
from rocm_pipeline.agents.parser import kernel_from, parse
from rocm_pipeline.agents.placeholders import placeholders_in, unknown_placeholders
from rocm_pipeline.agents.prompts import MAX_CASES, render
from rocm_pipeline.agents.reply import Reply
from rocm_pipeline.agents.roles import allowed_files
from rocm_pipeline.agents.schedules import schedule_of
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.cases import within_domain
from rocm_pipeline.lab.evidence import Evidence
from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.lab.policy import check_source
from rocm_pipeline.planning.plan import Role, Task
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.targets.spec import Case, Target

MakeBrief = Callable[..., Brief]
BUILT_IN = ("row_softmax", "flash_attention", "vae_decoder_block")


def ask(made: Brief, seed: int = 1) -> Reply:
    """Go the whole way: prompt, brain, text, parser."""
    role = made.task.role
    reply = answer(read_question(render(role, made).user), seed)
    text = as_markdown(reply)
    read = parse(text, allowed_files(role))
    assert read == reply
    assert read.limitations[-1] == NOT_A_MODEL
    assert len(text) // 4 < made.task.max_tokens
    return read


@pytest.fixture(params=BUILT_IN)
def built_in(request: pytest.FixtureRequest, load_target: Callable[[str], Target]) -> Target:
    return load_target(request.param)


def _kernel_tasks(target: Target) -> list[Task]:
    return [t for t in make_plan(target, "c0ffee", ()).tasks if t.role is Role.KERNEL_DEV]


def test_a_kernel_reply_is_a_candidate_that_the_harness_would_compile(built_in: Target) -> None:
    for task in _kernel_tasks(built_in):
        candidate = kernel_from(ask(Brief(target=built_in, task=task)), built_in)
        assert check_plan(candidate.launch_plan, built_in) == ()
        assert check_source(candidate, built_in) == ()
        assert schedule_of(candidate.source) is not None


def test_the_two_kernel_tasks_start_in_different_directions(built_in: Target) -> None:
    wide, lean = (
        kernel_from(ask(Brief(target=built_in, task=task)), built_in)
        for task in _kernel_tasks(built_in)
    )
    assert wide.id != lean.id


def test_a_plan_that_names_its_tasks_otherwise_still_gets_both_directions(
    built_in: Target,
) -> None:
    tasks = [
        task.model_copy(update={"id": f"write_{i}"})
        for i, task in enumerate(_kernel_tasks(built_in))
    ]
    ids = {kernel_from(ask(Brief(target=built_in, task=task)), built_in).id for task in tasks}
    assert len(ids) == 2


def test_rounds_of_feedback_lead_to_new_kernels_each_time(
    built_in: Target, passed: Evidence, failed: Evidence
) -> None:
    task = _kernel_tasks(built_in)[0]
    feedback: tuple[RoundFeedback, ...] = ()
    seen: set[str] = set()
    for number, evidence in enumerate((passed, failed, passed, passed), start=1):
        made = Brief(target=built_in, task=task, feedback=feedback)
        candidate = kernel_from(ask(made), built_in)
        assert candidate.id not in seen
        seen.add(candidate.id)
        feedback = (
            *feedback,
            RoundFeedback(round=number, candidate=candidate, evidence=EvidenceSummary.of(evidence)),
        )
    assert len(seen) == 4


def test_kernels_of_others_in_the_feedback_are_not_taken_for_its_own(
    brief: MakeBrief, candidate: Candidate, passed: Evidence
) -> None:
    foreign = candidate.model_copy(update={"source": '// schedule: {"evil": [1]}\nint x;\n'})
    feedback = tuple(
        RoundFeedback(round=i, candidate=c, evidence=EvidenceSummary.of(passed))
        for i, c in enumerate((candidate, foreign), start=1)
    )
    with_foreign = ask(brief(Role.KERNEL_DEV, feedback=feedback))
    assert with_foreign.files == ask(brief(Role.KERNEL_DEV)).files


def test_an_unknown_family_gets_an_honest_reply_without_files(
    brief: MakeBrief, target: Target
) -> None:
    unknown = target.model_copy(update={"family": "sparse_conjuring"})
    reply = ask(brief(Role.KERNEL_DEV, target=unknown))
    assert reply.files == ()
    assert "none for 'sparse_conjuring'" in reply.limitations[0]


def test_cases_are_new_runnable_and_cover_types_and_choices(built_in: Target) -> None:
    task = next(t for t in make_plan(built_in, "c0ffee", ()).tasks if t.role is Role.TESTER)
    names: set[str] = set()
    for seed in range(5):
        text = ask(Brief(target=built_in, task=task), seed).file("cases.json")
        assert text is not None
        cases = [Case.model_validate(item) for item in json.loads(text)]
        assert 4 <= len(cases) <= MAX_CASES
        assert [reason for case in cases if (reason := within_domain(built_in, case))] == []
        assert {c.name for c in cases}.isdisjoint(c.name for c in built_in.public_cases)
        assert {c.dtypes["io"] for c in cases} == set(built_in.dtypes["io"])
        ranged = [n for n, symbol in built_in.symbols.items() if symbol.choices is None]
        assert all(cases[0].symbols[name] == 1 for name in ranged)
        names |= {case.name for case in cases}
    assert len(names) > MAX_CASES


def test_cases_sit_beside_the_kernels_own_block_size(
    brief: MakeBrief, candidate: Candidate
) -> None:
    launch = candidate.launch_plan.launches[0].model_copy(update={"block": ("224", "1", "1")})
    plan = candidate.launch_plan.model_copy(update={"launches": (launch,)})
    kernel = candidate.model_copy(update={"launch_plan": plan})
    sizes: set[int] = set()
    for seed in range(12):
        text = ask(brief(Role.TESTER, kernel=kernel), seed).file("cases.json")
        sizes |= {n for case in json.loads(text or "[]") for n in case["symbols"].values()}
    assert {223, 224, 225} & sizes


def test_the_analysis_names_resources_and_spills_and_no_figure(
    brief: MakeBrief, candidate: Candidate, summary: EvidenceSummary
) -> None:
    text = ask(brief(Role.PROFILER, kernel=candidate, evidence=summary)).file("analysis.md") or ""
    assert "device memory limits it on gfx942, gfx1100 (estimated)" in text
    assert "registers spill on gfx1100" in text
    assert "Registers spill to scratch memory" in text
    assert unknown_placeholders(text) == ()
    assert "resources_table" in placeholders_in(text)
    assert _figures(text) == []


def test_an_analysis_of_nothing_says_so(brief: MakeBrief) -> None:
    reply = ask(brief(Role.PROFILER))
    assert reply.files == ()
    assert "no evidence" in reply.explanation


def test_documentation_has_every_section_and_no_figure_of_its_own(
    built_in: Target, candidate: Candidate, summary: EvidenceSummary
) -> None:
    task = next(t for t in make_plan(built_in, "c0ffee", ()).tasks if t.role is Role.DOCS_WRITER)
    made = Brief(target=built_in, task=task, kernel=candidate, evidence=summary)
    text = ask(made).file("documentation.md") or ""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    assert headings == [
        built_in.title, "What it does", "Usage", "Kernel design", "Correctness", "Performance",
        "Limits",
    ]  # fmt: skip
    assert unknown_placeholders(text) == ()
    assert set(placeholders_in(text)) == {
        "usage", "tier", "evidence_id", "kernel_id", "correctness_table", "architectures",
        "speedup_table", "resources_table", "limits",
    }  # fmt: skip
    assert _figures(text.replace(built_in.title, "")) == []


def _figures(text: str) -> list[str]:
    """Return the numbers in prose: outside code spans and names such as gfx942."""
    prose = re.sub(r"`[^`]*`|\bgfx\d+\w*", "", text)
    return re.findall(r"(?<![A-Za-z_])\d+(?:\.\d+)?", prose)
