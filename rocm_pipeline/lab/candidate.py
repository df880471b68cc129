"""A kernel to judge: device source and its launch plan."""

import hashlib

from pydantic import BaseModel, ConfigDict

from rocm_pipeline.targets.launch_plan import LaunchPlan


class Candidate(BaseModel):
    """Device code and a launch plan; `parents` are candidates it was made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    source: str
    launch_plan: LaunchPlan
    parents: tuple[str, ...] = ()

    @property
    def source_sha256(self) -> str:
        return hashlib.sha256(self.source.encode()).hexdigest()

    @property
    def plan_sha256(self) -> str:
        return hashlib.sha256(self.launch_plan.model_dump_json().encode()).hexdigest()

    @property
    def id(self) -> str:
        """Content hash of source and launch plan: the same kernel has the same id everywhere."""
        joined = f"{self.target}\n{self.source_sha256}\n{self.plan_sha256}"
        return "k-" + hashlib.sha256(joined.encode()).hexdigest()[:16]
