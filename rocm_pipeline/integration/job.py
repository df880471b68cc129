"""What verification asks of the sandboxed process, and what that process says happened.

Both ends read these models: the harness outside, and `inside/` in the sandbox. Several packages can
be asked about at once; `<n>` counts them. Arrays travel as `.npy` files: in as
`/job/<n>/<case>/<tensor>.npy`, and out in the box as `<n>/<check>/<case>/<call>_<output>.npy`; what
the kernels answered to that call is `<n>/<check>.kernel/<case>/<call>_<output>.npy` there.
"""

from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from rocm_pipeline.lab.evidence import Status

JOBS_FILE = "jobs.json"
RESULTS_FILE = "results.json"
ANSWERS = ".kernel"
MAX_MESSAGE = 2000
MIN_TURNS = 2
"""How often at least a public case's memory is used for a call with other values before its own."""

Kind = Literal["public", "held out", "gradient"]


class Check(str, Enum):
    """Everything that is asked of an operator, in the order in which it is judged."""

    POLICY = "policy"
    """`op.py` keeps to the rules that are read from its source alone."""
    LOAD = "load"
    """The package imports and offers the function."""
    KERNEL_USED = "kernel_used"
    """What the operator returns is what the kernel wrote, and nothing else."""
    FORWARD = "forward"
    """Values on every public case, against float64."""
    EQUIVALENT = "equivalent"
    """Values on every public case, against the target's PyTorch expression."""
    STRIDES = "strides"
    """Values for inputs that are not contiguous."""
    SCHEMA = "schema"
    """opcheck: changes and aliases no input."""
    FAKE = "fake"
    """The shapes and types without data, and opcheck's comparison with a real call."""
    DISPATCH = "dispatch"
    """opcheck: AOT dispatch with symbolic shapes."""
    AUTOGRAD = "autograd"
    """opcheck: the backward is registered where PyTorch looks for it."""
    BACKWARD = "backward"
    """Gradients against central differences of the float64 reference."""
    GRADCHECK = "gradcheck"
    """torch.autograd.gradcheck on the float32 build."""
    COMPILE = "compile"
    """torch.compile(fullgraph=True, backend="aot_eager"): values and gradients."""
    BAD_INPUT = "bad_input"
    """A wrong shape or type is an error, not a crash and not an answer; tensors without data
    (device `meta`) never reach the kernel."""


NEEDS_BACKWARD = (Check.AUTOGRAD, Check.BACKWARD, Check.GRADCHECK)
"""Without a backward formula in the target these are UNSUPPORTED, never PASSED."""

VALUE_CHECKS = (
    Check.FORWARD,
    Check.EQUIVALENT,
    Check.STRIDES,
    Check.BACKWARD,
    Check.COMPILE,
)
"""Checks whose pass is a comparison of values made outside the sandbox."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class JobCase(_Frozen):
    """One call of the operator; its tensors lie in the folder `id`."""

    id: str
    kind: Kind
    """`gradient` cases also hold `grad_<output>.npy` for a backward."""
    values: dict[str, int | float]
    """Symbols and scalars by name."""


class BadCall(_Frozen):
    """The first case with one tensor replaced by zeros of this shape and type."""

    what: str
    tensor: str
    shape: tuple[int, ...]
    dtype: str


class GradcheckJob(_Frozen):
    """The case for gradcheck with its step and bounds."""

    case: str
    eps: float
    absolute: float
    relative: float


class Job(_Frozen):
    """Everything that the sandboxed process needs to know."""

    name: str
    package: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: tuple[str, ...]
    equivalent: str
    differentiable: bool
    cases: tuple[JobCase, ...]
    gradcheck: GradcheckJob | None
    bad_calls: tuple[BadCall, ...]
    checks: tuple[Check, ...]
    seconds_per_check: float

    def case(self, id: str) -> JobCase:
        return next(case for case in self.cases if case.id == id)

    def ways(self, case: JobCase) -> tuple[str, ...]:
        """Return the ways into the operator that must all lead to the kernel."""
        if case.kind == "held out":
            return ("plain",)
        return ("plain", "compiled") + ("differentiable",) * self.differentiable


class Jobs(_Frozen):
    """Everything that one start of the sandbox does."""

    jobs: tuple[Job, ...]


class Ended(str, Enum):
    """How one check's own process ended."""

    RAN = "ran"
    REJECTED = "rejected"
    RAISED = "raised"
    SIGNAL = "signal"
    SILENT = "silent"
    TIMEOUT = "timeout"


class Described(_Frozen):
    """A tensor without its data."""

    shape: tuple[int, ...]
    dtype: str


class CheckResult(_Frozen):
    """What the sandboxed process says about one check; a claim, to be judged outside."""

    check: Check
    ended: Ended
    message: str = ""
    status: Status | None = None
    """For `rejected`: why."""
    described: tuple[Described, ...] = ()


class Results(_Frozen):
    results: tuple[CheckResult, ...] = Field(default=())


def ends_the_run(result: CheckResult) -> bool:
    """Whether nothing after it is tried: what does not load or end would only do so again."""
    failed_to_load = result.check is Check.LOAD and result.ended is not Ended.RAN
    return failed_to_load or result.ended is Ended.TIMEOUT
