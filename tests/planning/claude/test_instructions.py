"""The part of a planner's prompt that all targets share."""

from pathlib import Path

from rocm_pipeline.lab.architectures import architecture
from rocm_pipeline.lab.evidence import Status, Tier
from rocm_pipeline.planning.claude.form import PlannedTask
from rocm_pipeline.planning.claude.instructions import (
    hint_system,
    knowledge,
    planner_instructions,
    planner_system,
)
from rocm_pipeline.planning.plan import TaskType
from rocm_pipeline.targets import library
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import ARCHITECTURES


def cells(label: str) -> list[str]:
    (row,) = [line for line in knowledge().splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in row.strip().strip("|").split("|")][1:]


def test_every_status_and_tier_of_the_harness_is_explained() -> None:
    words = knowledge()
    assert [status.value for status in Status if status.value not in words] == []
    assert [tier.label for tier in Tier if f"| {tier.label} |" not in words] == []
    assert [dtype.suffix for dtype in DType if dtype.suffix not in words] == []


def test_the_table_shows_the_harness_s_own_facts() -> None:
    known = [architecture(name) for name in ARCHITECTURES]
    assert cells("fact") == list(ARCHITECTURES)
    assert cells("lanes in a wave") == [str(a.wave) for a in known]
    assert cells("LDS of a block at most, bytes") == [str(a.lds_per_block) for a in known]
    assert cells("compute units") == [str(a.compute_units) for a in known]


def test_every_type_of_task_and_every_field_of_the_form_is_explained() -> None:
    words = planner_instructions()
    assert [kind.value for kind in TaskType if f"| {kind.value} |" not in words] == []
    assert [name for name in PlannedTask.model_fields if f"`{name}`" not in words] == []


def test_nothing_of_any_target_is_in_the_shared_part() -> None:
    shared = "".join(block.text for block in planner_system())
    for name in library.builtin_names():
        target = library.load(name, Path("/nonexistent"))
        assert target.objective not in shared
        assert target.baseline.why_slow not in shared
        assert target.baseline.source not in shared


def test_a_hint_shares_the_first_block_with_a_plan() -> None:
    assert hint_system(900)[0] == planner_system()[0]
    assert "900 characters" in hint_system(900)[1].text
