"""Plan and Task: the decomposition of a target into agent-sized units.

The field names of a Task are the wire format that agents see; they are fixed.
"""

import hashlib
from enum import Enum

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Role(str, Enum):
    """What an agent is asked to be."""

    KERNEL_DEV = "kernel_dev"
    PYTORCH_DEV = "pytorch_dev"
    PROFILER = "profiler"
    DOCS_WRITER = "docs_writer"
    TESTER = "tester"


class TaskType(str, Enum):
    """What kind of work a task is."""

    CODE_OPTIMIZATION = "code_optimization"
    PYTORCH_INTEGRATION = "pytorch_integration"
    TEST_GENERATION = "test_generation"
    PERFORMANCE_ANALYSIS = "performance_analysis"
    DOCUMENTATION = "documentation"


class Priority(str, Enum):
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Context(_Frozen):
    """What the agent is given to work from; `files` are paths in the configured repository."""

    files: tuple[str, ...] = ()
    objective: str
    constraints: tuple[str, ...] = ()
    reference_docs: tuple[str, ...] = ()


class Task(_Frozen):
    """One agent-sized unit of work."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    agent_id: str = Field(pattern=r"^(kernel_dev|pytorch_dev|profiler|docs_writer|tester)_\d+$")
    task_type: TaskType
    priority: Priority = Priority.NORMAL
    context: Context
    expected_output: str
    max_tokens: int = Field(default=4000, gt=0, le=32768)
    depends_on: tuple[str, ...] = ()
    estimated_hours: float = Field(default=2.0, gt=0, le=4.0)

    @property
    def role(self) -> Role:
        return Role(self.agent_id.rsplit("_", 1)[0])


class Plan(_Frozen):
    """Tasks for one target at one commit; `planner` says who made it."""

    target: str
    commit: str
    planner: str
    tasks: tuple[Task, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> "Plan":
        seen: set[str] = set()
        for task in self.tasks:
            if task.id in seen:
                raise ValueError(f"task '{task.id}' appears twice")
            missing = set(task.depends_on) - seen
            if missing:
                raise ValueError(
                    f"task '{task.id}' depends on {', '.join(sorted(missing))}, "
                    "which no earlier task is"
                )
            seen.add(task.id)
        return self

    @property
    def id(self) -> str:
        return "plan-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    def tasks_for(self, *types: TaskType) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.task_type in types)
