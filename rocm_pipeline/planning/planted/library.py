"""The planted kernels, each with a packet's worth of evidence that says it passed."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Evidence, Status
from rocm_pipeline.planning import rule_reviewer
from rocm_pipeline.planning.claude.packet import Submission
from rocm_pipeline.planning.planted.evidence import EvidenceFault, evidence_for
from rocm_pipeline.planning.rule_reviewer import OperatorFacts
from rocm_pipeline.strict_yaml import read_mapping
from rocm_pipeline.targets import library
from rocm_pipeline.targets.launch_plan import LaunchPlan
from rocm_pipeline.targets.spec import Target
from rocm_pipeline.versions import package_sha256

TARGET = "row_softmax"
_NO_FOLDER = Path("/nonexistent")


class Planted(BaseModel):
    """One entry of kernels.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    file: str = ""
    launches: Literal["one", "two"] = "one"
    grid: str = "rows"
    block: tuple[str | int, str | int, str | int]
    shared: str = "0"
    args: tuple[str, ...] = ("x", "y", "cols")
    lds: int = 0
    """Bytes of static LDS, as compiled."""
    evidence: EvidenceFault | None = None
    fault: str = ""
    at: str = ""
    passes: bool = False
    """Whether the harness lets the bad source through; an honest one always passes."""

    @model_validator(mode="after")
    def _a_fault_is_somewhere(self) -> "Planted":
        if bool(self.fault) != bool(self.at or self.evidence):
            raise ValueError(f"{self.name}: a fault shows in the source or in the evidence")
        if self.passes and not self.at:
            raise ValueError(f"{self.name}: only a bad source passes for a reason to be told")
        return self

    @property
    def is_bad(self) -> bool:
        return bool(self.fault)

    @property
    def source(self) -> str:
        name = f"kernels/{self.file or self.name}.hip"
        return files("rocm_pipeline.planning.planted").joinpath(name).read_text()

    @property
    def line(self) -> int | None:
        """Where the fault shows in the source, from 1; None for a fault of the evidence."""
        lines = self.source.split("\n")
        return next((n for n, text in enumerate(lines, 1) if self.at and self.at in text), None)

    @property
    def launch_plan(self) -> LaunchPlan:
        if self.launches == "two":
            stats = {"dtype": "float32", "shape": ["rows"]}
            workspace = [{"name": name, **stats} for name in ("largest_of", "sum_of")]
            launches = [
                self._launch("find_{io}", ("x", "largest_of", "sum_of", "cols")),
                self._launch("apply_{io}", ("x", "largest_of", "sum_of", "y", "cols")),
            ]
        else:
            workspace = []
            launches = [self._launch("row_softmax_{io}", self.args)]
        return LaunchPlan.model_validate({"launches": launches, "workspace": workspace})

    def _launch(self, kernel: str, args: tuple[str, ...]) -> dict[str, object]:
        return {
            "kernel": kernel,
            "grid": (self.grid, 1, 1),
            "block": self.block,
            "shared_bytes": self.shared,
            "args": args,
        }

    @property
    def candidate(self) -> Candidate:
        return Candidate(target=TARGET, source=self.source, launch_plan=self.launch_plan)

    @property
    def found(self) -> Evidence:
        return evidence_for(planted_target(), self.candidate, self.lds, self.evidence)

    def submission(self) -> Submission:
        """Return what a final reviewer is given; the cross review approved and names nothing."""
        target, candidate, evidence = planted_target(), self.candidate, self.found
        cross = rule_reviewer.cross_review(target, candidate, evidence)
        return Submission(
            target=target,
            candidate=candidate,
            evidence=evidence,
            operator=OperatorFacts(Status.PASSED, "op-planted", ""),
            cross=cross,
        )


class _Library(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kernels: tuple[Planted, ...]


@cache
def planted_target() -> Target:
    return library.load(TARGET, _NO_FOLDER)


@cache
def planted_kernels() -> tuple[Planted, ...]:
    text = files("rocm_pipeline.planning.planted").joinpath("kernels.yaml").read_text()
    return _Library.model_validate(read_mapping(text)).kernels


def library_sha256() -> str:
    """Return the hash by which two measurements are known to be over the same kernels."""
    return package_sha256("rocm_pipeline.planning.planted")[:16]
