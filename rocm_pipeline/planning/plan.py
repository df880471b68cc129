"""Plan and Task: the decomposition of a target into agent-sized units.

The field names of a Task are the wire format that agents see; they are fixed.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rocm_pipeline.planning.acceptance import Acceptance


class Role(str, Enum):
    """What an agent is asked to be."""

    KERNEL_DEV = "kernel_dev"
    PYTORCH_DEV = "pytorch_dev"
    PROFILER = "profiler"
    DOCS_WRITER = "docs_writer"
    TESTER = "tester"


class Work(str, Enum):
    """A kind of work: who does it, in which stage, and which file comes of it."""

    TESTING = "testing"
    KERNEL = "kernel"
    INTEGRATION = "integration"
    PROFILING = "profiling"
    DOCS = "docs"

    @property
    def role(self) -> Role:
        return _WORK[self].role

    @property
    def stage(self) -> int:
        """Tasks of one stage run at the same time, those of a later stage after them."""
        return _WORK[self].stage

    @property
    def expected_output(self) -> str:
        """The files that the role's reply may hold, in words."""
        return _WORK[self].expected_output

    @property
    def max_tokens(self) -> int:
        """Tokens that the role's answer needs at most."""
        return _WORK[self].max_tokens


class _About(NamedTuple):
    role: Role
    stage: int
    expected_output: str
    max_tokens: int


_WORK: Mapping[Work, _About] = {
    Work.TESTING: _About(Role.TESTER, 0, "cases.json", 2000),
    Work.KERNEL: _About(Role.KERNEL_DEV, 1, "kernel.hip and launch_plan.json", 8000),
    Work.INTEGRATION: _About(Role.PYTORCH_DEV, 2, "op.py", 4000),
    Work.PROFILING: _About(Role.PROFILER, 2, "analysis.md", 4000),
    Work.DOCS: _About(Role.DOCS_WRITER, 3, "documentation.md", 4000),
}


class TaskType(str, Enum):
    """What a task is, more closely than its kind of work; kernels are made in several ways."""

    CODE_OPTIMIZATION = "code_optimization"
    CUDA_PORT = "cuda_port"
    CK_TEMPLATE = "ck_template"
    """A schedule known from Composable Kernel, written out in plain HIP."""
    BUG_FIX = "bug_fix"
    PYTORCH_INTEGRATION = "pytorch_integration"
    TEST_GENERATION = "test_generation"
    PERFORMANCE_ANALYSIS = "performance_analysis"
    DOCUMENTATION = "documentation"

    @property
    def work(self) -> Work:
        return _NOT_KERNELS.get(self, Work.KERNEL)


_NOT_KERNELS: Mapping[TaskType, Work] = {
    TaskType.TEST_GENERATION: Work.TESTING,
    TaskType.PYTORCH_INTEGRATION: Work.INTEGRATION,
    TaskType.PERFORMANCE_ANALYSIS: Work.PROFILING,
    TaskType.DOCUMENTATION: Work.DOCS,
}


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
    acceptance: Acceptance | None = None
    """What the harness must find; None where the gate of the task's stage says it all."""

    @model_validator(mode="after")
    def _of_its_role(self) -> "Task":
        if self.role is not self.task_type.work.role:
            raise ValueError(
                f"a {self.task_type.value} task is for a {self.task_type.work.role.value}, "
                f"not for {self.agent_id}"
            )
        return self

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

    def tasks_of(self, work: Work) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if task.task_type.work is work)


ONE_TASK = (Work.INTEGRATION, Work.PROFILING, Work.DOCS)
"""Kinds of work that a plan holds exactly once: they are about the one chosen kernel."""


def uncovered(types: Iterable[TaskType]) -> tuple[str, ...]:
    """Return what tasks of these types lack to be a whole plan, or have twice."""
    count = Counter(kind.work for kind in types)
    missing = [f"no {work.value} task" for work in Work if not count[work]]
    doubled = [f"{count[work]} {work.value} tasks, not one" for work in ONE_TASK if count[work] > 1]
    return (*missing, *doubled)
