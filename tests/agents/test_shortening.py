"""What a brief loses first where a model's window is too small."""

from rocm_pipeline.agents.brief import Brief
from rocm_pipeline.agents.shortening import shorten
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.planning.rules import make_plan
from rocm_pipeline.targets.spec import Target


def _length(brief: Brief) -> int:
    return sum(map(len, brief.files.values()))


def test_repository_files_go_before_what_the_agent_is_to_mend(target: Target) -> None:
    plan = make_plan(target, "c0ffee", ("a.hip", "b.hip"))
    task = next(task for task in plan.tasks if task.role is Role.PYTORCH_DEV)
    files = {"a.hip": "a", "b.hip": "bb", "op.py of the last round": "long text"}
    brief = Brief(target=target, task=task, files=files)
    lost = [shorten(brief, _length, room)[1] for room in (11, 9, 8)]
    assert lost == [
        ("file b.hip",),
        ("file b.hip", "file a.hip"),
        ("file b.hip", "file a.hip", "file op.py of the last round"),
    ]
