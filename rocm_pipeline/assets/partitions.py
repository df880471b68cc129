"""Partitions: one per target, and one per task of a target's plan."""

import dagster as dg

from rocm_pipeline.resources.instance import TARGET_PARTITIONS

targets = dg.DynamicPartitionsDefinition(name=TARGET_PARTITIONS)
tasks = dg.DynamicPartitionsDefinition(name="task")


def task_key(target: str, task_id: str) -> str:
    return f"{target}.{task_id}"
