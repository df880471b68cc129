"""What `propose` hands out: for every family, every schedule, and targets it does not know."""

import json

import pytest

from rocm_pipeline.agents.schedules import FAMILIES, Tried, propose, schedule_of
from rocm_pipeline.agents.schedules.model import Family
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.plan_check import check_plan
from rocm_pipeline.lab.policy import check_source
from rocm_pipeline.targets.spec import Target
from tests.agents.schedules.samples import sample


def test_the_first_line_names_the_schedule(target: Target) -> None:
    proposal = propose(target, (), "wide", seed=0)
    assert proposal is not None
    first = proposal.source.split("\n", 1)[0]
    assert first == f"// schedule: {json.dumps(proposal.schedule, sort_keys=True)}"
    assert schedule_of(proposal.source) == proposal.schedule


@pytest.mark.parametrize("source", ["", "int x;", "// schedule: {", '// schedule: {"a": "b"}'])
def test_a_source_without_a_schedule_has_none(source: str) -> None:
    assert schedule_of(source) is None


def test_the_same_arguments_give_the_same_proposal(target: Target) -> None:
    history = [Tried(dict(FAMILIES[target.family].starts["lean"]), "PASSED", speedup=2.0)]
    assert propose(target, history, "lean", seed=3) == propose(target, history, "lean", seed=3)


def test_directions_start_with_different_kernels(target: Target) -> None:
    wide, lean = (propose(target, (), direction, seed=0) for direction in ("wide", "lean"))
    assert wide is not None
    assert lean is not None
    assert wide.source != lean.source


def test_an_unknown_family_has_no_proposal(target: Target) -> None:
    foreign = target.model_copy(update={"family": "sorting"})
    assert propose(foreign, (), "wide", seed=0) is None


def test_a_target_of_the_family_with_other_tensors_has_no_proposal(target: Target) -> None:
    name, spec = next(iter(target.tensors.items()))
    changed = spec.model_copy(update={"shape": (*spec.shape, "2")})
    foreign = target.model_copy(update={"tensors": {**target.tensors, name: changed}})
    assert propose(foreign, (), "wide", seed=0) is None


def test_kernels_take_the_name_of_the_target(target: Target) -> None:
    renamed = target.model_copy(update={"name": "mine"})
    proposal = propose(renamed, (), "wide", seed=0)
    assert proposal is not None
    for kernel in renamed.kernel_names(proposal.launch_plan):
        assert kernel.startswith("mine_")
        assert f" {kernel}(" in proposal.source


def test_every_sampled_schedule_is_within_plan_and_policy(family: Family, target: Target) -> None:
    for schedule in sample(family):
        rendered = family.render(target, schedule)
        candidate = Candidate(
            target=target.name, source=rendered.source, launch_plan=rendered.launch_plan
        )
        assert check_plan(candidate.launch_plan, target) == ()
        assert check_source(candidate, target) == ()


def test_explanations_hold_no_numbers(target: Target) -> None:
    """Numbers come from the harness alone."""
    history: list[Tried] = []
    for turn in range(12):
        proposal = propose(target, history, "lean", seed=turn)
        assert proposal is not None
        words = " ".join((proposal.explanation, *proposal.limitations))
        assert not any(character.isdigit() for character in words), words
        history.append(
            Tried(proposal.schedule, "PASSED", speedup=1.0 + turn % 3, bottleneck="latency")
        )
