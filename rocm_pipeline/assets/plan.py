"""The plan: a target decomposed into agent-sized tasks."""

import dagster as dg

from rocm_pipeline.agents.code_version import code_version
from rocm_pipeline.assets import gates
from rocm_pipeline.assets.partitions import targets, task_key, tasks
from rocm_pipeline.assets.stage import OWNERS, Results, gate, result
from rocm_pipeline.assets.tables import plan_table
from rocm_pipeline.planning.plan import Plan
from rocm_pipeline.planning.snapshot import RepoSnapshot
from rocm_pipeline.resources.asking import asking_of, planned_beside
from rocm_pipeline.resources.protocols import Sources, Workshop
from rocm_pipeline.targets.spec import Target


@dg.asset(
    partitions_def=targets,
    group_name="planning",
    owners=OWNERS,
    kinds={"anthropic", "rules"},
    code_version=code_version("plan"),
    check_specs=[
        gate(
            "plan",
            "plan_covers_every_role",
            "Some test and kernel task; exactly one operator, analysis and documentation task.",
            blocking=True,
        )
    ],
)
def plan(
    context: dg.AssetExecutionContext,
    workshop: dg.ResourceParam[Workshop],
    sources: dg.ResourceParam[Sources],
    target: Target,
    repo_snapshot: RepoSnapshot,
) -> Results[Plan]:
    """Tasks for the agents, by Claude or by fixed rules; `planner` says which."""
    history = sources.history(repo_snapshot)
    asking = asking_of(context.run.run_id, context.run.tags)
    planned = workshop.plan(
        target,
        repo_snapshot,
        history,
        asking.run_id,
        beside=lambda: planned_beside(sources, asking, target.name),
        may_wait=asking.may_wait,
    )
    made = planned.plan
    context.instance.add_dynamic_partitions(
        tasks.name or "", [task_key(made.target, task.id) for task in made.tasks]
    )
    yield result(
        made,
        {
            "planner": made.planner,
            "how": planned.words,
            "problems": list(planned.problems),
            "attempts": list(planned.attempts),
            "left_out": list(planned.context.left_out),
            "commit": made.commit,
            "plan_id": made.id,
            "tasks": plan_table(made),
            "hours": sum(task.estimated_hours for task in made.tasks),
        },
        [gates.plan_covers_every_role(made)],
    )
