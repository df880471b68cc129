# pyright: basic, reportMissingImports=false
"""The checks themselves. Most only leave raw arrays; the verdict is reached outside."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from rocm_pipeline.integration.inside import controls, tools
from rocm_pipeline.integration.inside.subject import (
    BadResultError,
    Operator,
    Recorder,
    arguments,
    gradients,
    load,
    outputs_of,
    write,
)
from rocm_pipeline.integration.job import (
    MAX_MESSAGE,
    Check,
    CheckResult,
    Described,
    Ended,
    Job,
    JobCase,
    Kind,
)
from rocm_pipeline.lab.evidence import Status

Note = Callable[[str], None]


def run(check: Check, job: Job, note: Note) -> CheckResult:
    """Run one check in this process."""
    try:
        return _CHECKS[check](job, note)
    except BadResultError as error:
        return rejected(check, Status.WRONG_VALUE, str(error))


def rejected(check: Check, status: Status, message: str) -> CheckResult:
    return CheckResult(
        check=check, ended=Ended.REJECTED, status=status, message=message[:MAX_MESSAGE]
    )


def ran(check: Check, described: tuple[Described, ...] = ()) -> CheckResult:
    return CheckResult(check=check, ended=Ended.RAN, described=described)


def _load(job: Job, note: Note) -> CheckResult:
    note("import of the package")
    load(job)
    return ran(Check.LOAD)


def _kernel_used(job: Job, note: Note) -> CheckResult:
    """Put a stand-in for the kernels that fills every output with one number."""
    function = load(job)
    runtime: Any = sys.modules[f"{job.package}.runtime"]
    for index, sentinel in enumerate(job.sentinels):
        runtime.run_plan = _fill(job, sentinel)
        for case in job.cases:
            for way in job.ways(case):
                note(f"{way} call of {case.id} without the kernel")
                torch._dynamo.reset()
                called = tools.compiled(function) if way == "compiled" else function
                values = arguments(job, case, requires_grad=way == "differentiable")
                found = outputs_of(job, called(*values))
                named = {f"{way}_{index}_{name}": array for name, array in found.items()}
                write(Check.KERNEL_USED.value, case, named)
    return ran(Check.KERNEL_USED)


def _fill(job: Job, sentinel: int) -> Callable[..., None]:
    def run_plan(tensors: dict[str, Tensor], *_: Any) -> None:
        for name in job.outputs:
            tensors[name].fill_(sentinel)

    return run_plan


def _forward(job: Job, note: Note) -> CheckResult:
    function = load(job)
    for case in _of_kind(job, "public", "held out"):
        note(f"call of {case.id}")
        values = arguments(job, case)
        found = outputs_of(job, function(*values))
        kept = {
            f"kept_{name}": value
            for name, value in zip(job.inputs, values[: len(job.inputs)], strict=True)
        }
        write(Check.FORWARD.value, case, {**found, **kept})
    return ran(Check.FORWARD)


def _equivalent(job: Job, note: Note) -> CheckResult:
    """The target's own expression; the operator is never imported in this process."""
    code = compile(job.equivalent, "pytorch.equivalent", "eval")
    for case in _of_kind(job, "public"):
        note(f"equivalent on {case.id}")
        named = dict(zip(job.parameters, arguments(job, case), strict=True))
        # the expression is the target author's, and this is the sandbox
        returned = eval(code, {"torch": torch, "F": functional, **named})
        write(Check.EQUIVALENT.value, case, outputs_of(job, returned))
    return ran(Check.EQUIVALENT)


def _strides(job: Job, note: Note) -> CheckResult:
    function = load(job)
    for case in _of_kind(job, "public"):
        note(f"call of {case.id} with inputs that are not contiguous")
        values = [tools.strided(v) if isinstance(v, Tensor) else v for v in arguments(job, case)]
        write(Check.STRIDES.value, case, outputs_of(job, function(*values)))
    return ran(Check.STRIDES)


def _fake(job: Job, note: Note) -> CheckResult:
    function = load(job)
    case = _of_kind(job, "public")[0]
    note("call without data")
    with FakeTensorMode() as mode:
        values = [mode.from_tensor(v) if isinstance(v, Tensor) else v for v in arguments(job, case)]
        found = outputs_of(job, function(*values))
    described = tuple(
        Described(shape=tuple(one.shape), dtype=str(one.dtype).removeprefix("torch."))
        for one in found.values()
    )
    result = _opcheck(Check.FAKE, job, note, function)
    return result.model_copy(update={"described": described})


def _opcheck(check: Check, job: Job, note: Note, function: Operator | None = None) -> CheckResult:
    function = function or load(job)
    case = _of_kind(job, "public")[0]
    with Recorder(job) as recorder:
        function(*arguments(job, case))
    if not recorder.calls:
        raise BadResultError(f"the custom operator rocm_pipeline::{job.name} is never called")
    operator, values = recorder.calls[0]
    prepared = tuple(_sample(value, job.differentiable) for value in values)
    note(f"opcheck of {operator.name()}")
    test = tools.OPCHECKS[check]
    complaint = tools.opcheck_complaint(operator, prepared, test)
    if complaint:
        return rejected(check, Status.POLICY_VIOLATION, complaint)
    if not controls.opcheck_rejects(check, test):
        return rejected(check, Status.CHEAT, "opcheck accepts an operator that is known to be bad")
    return ran(check)


def _sample(value: Any, requires_grad: bool) -> Any:
    if not isinstance(value, Tensor):
        return value
    copy = value.detach().clone()
    return copy.requires_grad_(requires_grad and copy.is_floating_point())


def _backward(job: Job, note: Note) -> CheckResult:
    function = load(job)
    for case in _of_kind(job, "gradient"):
        note(f"backward of {case.id}")
        values = arguments(job, case, requires_grad=True)
        write(Check.BACKWARD.value, case, gradients(job, case, function, values))
    return ran(Check.BACKWARD)


def _gradcheck(job: Job, note: Note) -> CheckResult:
    function = load(job)
    asked = job.gradcheck
    if asked is None:
        raise ValueError("the job names no case for gradcheck")
    note("gradcheck")
    values = arguments(job, job.case(asked.case), requires_grad=True)
    complaint = tools.gradcheck_complaint(function, values, asked)
    if complaint:
        return rejected(Check.GRADCHECK, Status.WRONG_VALUE, complaint)
    if not controls.gradcheck_rejects(asked):
        return rejected(
            Check.GRADCHECK, Status.CHEAT, "gradcheck accepts a backward that is known to be wrong"
        )
    return ran(Check.GRADCHECK)


def _compile(job: Job, note: Note) -> CheckResult:
    function = load(job)
    for case in _of_kind(job, "public", "gradient"):
        torch._dynamo.reset()
        compiled = tools.compiled(function)
        note(f"compiled call of {case.id}")
        arrays = outputs_of(job, compiled(*arguments(job, case)))
        if case.kind == "gradient":
            note(f"compiled backward of {case.id}")
            values = arguments(job, case, requires_grad=True)
            found = gradients(job, case, compiled, values)
            arrays |= {f"grad_{name}": array for name, array in found.items()}
        write(Check.COMPILE.value, case, arrays)
    return ran(Check.COMPILE)


def _bad_input(job: Job, note: Note) -> CheckResult:
    function = load(job)
    case = _of_kind(job, "public")[0]
    for bad in job.bad_calls:
        note(bad.what)
        named = dict(zip(job.parameters, arguments(job, case), strict=True))
        named[bad.tensor] = torch.zeros(bad.shape, dtype=getattr(torch, bad.dtype))
        if _answers(function, list(named.values())):
            message = f"{bad.what} is answered, not refused"
            return rejected(Check.BAD_INPUT, Status.WRONG_SHAPE, message)
    note("a call with tensors that have no data")
    bare = [v.to("meta") if isinstance(v, Tensor) else v for v in arguments(job, case)]
    returned = outputs_of(job, function(*bare))
    if any(one.device.type != "meta" for one in returned.values()):
        return rejected(Check.BAD_INPUT, Status.WRONG_VALUE, "tensors without data are answered")
    return ran(Check.BAD_INPUT)


def _answers(function: Operator, values: list[Any]) -> bool:
    try:
        function(*values)
    except Exception:
        return False
    return True


def _of_kind(job: Job, *kinds: Kind) -> list[JobCase]:
    return [case for case in job.cases if case.kind in kinds]


_CHECKS: dict[Check, Callable[[Job, Note], CheckResult]] = {
    Check.LOAD: _load,
    Check.KERNEL_USED: _kernel_used,
    Check.FORWARD: _forward,
    Check.EQUIVALENT: _equivalent,
    Check.STRIDES: _strides,
    Check.SCHEMA: lambda job, note: _opcheck(Check.SCHEMA, job, note),
    Check.FAKE: _fake,
    Check.DISPATCH: lambda job, note: _opcheck(Check.DISPATCH, job, note),
    Check.AUTOGRAD: lambda job, note: _opcheck(Check.AUTOGRAD, job, note),
    Check.BACKWARD: _backward,
    Check.GRADCHECK: _gradcheck,
    Check.COMPILE: _compile,
    Check.BAD_INPUT: _bad_input,
}
