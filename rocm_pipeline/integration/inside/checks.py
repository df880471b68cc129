# pyright: basic, reportMissingImports=false
"""The checks themselves. Most only leave raw arrays; the verdict is reached outside."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from rocm_pipeline.integration.inside import controls, tools
from rocm_pipeline.integration.inside.guard import Guard
from rocm_pipeline.integration.inside.process import Line
from rocm_pipeline.integration.inside.subject import (
    BadResultError,
    Operator,
    Recorder,
    Subject,
    gradients,
    load,
    outputs_of,
)
from rocm_pipeline.integration.job import (
    MAX_MESSAGE,
    MIN_TURNS,
    Check,
    CheckResult,
    Described,
    Ended,
    Job,
    JobCase,
    Kind,
)
from rocm_pipeline.lab.evidence import Status

_MORE_TURNS = 3
"""How many calls at most come on top of the fewest; the number is drawn anew each time."""


def run(check: Check, subject: Subject, line: Line) -> CheckResult:
    """Run one check in this process."""
    guard = Guard.take(subject.packages)
    try:
        result = _CHECKS[check](subject, line)
    except BadResultError as error:
        result = rejected(check, error.status, str(error))
    except Exception as error:
        message = f"{type(error).__name__}: {error}"[:MAX_MESSAGE]
        result = CheckResult(check=check, ended=Ended.RAISED, message=message)
    changes = guard.changes()
    if changes:
        return rejected(check, Status.CHEAT, f"the operator {'; '.join(changes)}")
    return result


def rejected(check: Check, status: Status, message: str) -> CheckResult:
    return CheckResult(
        check=check, ended=Ended.REJECTED, status=status, message=message[:MAX_MESSAGE]
    )


def ran(check: Check, described: tuple[Described, ...] = ()) -> CheckResult:
    return CheckResult(check=check, ended=Ended.RAN, described=described)


def _load(subject: Subject, line: Line) -> CheckResult:
    line.note("import of the package")
    load(subject, line)
    return ran(Check.LOAD)


def _kernel_used(subject: Subject, line: Line) -> CheckResult:
    """Leave what the operator returns on every way into it, beside what the kernels answered."""
    function = load(subject, line)
    job = subject.job
    for case in job.cases:
        for way in job.ways(case):
            line.note(f"{way} call of {case.id}")
            torch._dynamo.reset()
            called = tools.compiled(function) if way == "compiled" else function
            values = subject.arguments(case, requires_grad=way == "differentiable")
            _call(job, line, case, way, called, values)
    return ran(Check.KERNEL_USED)


def _call(
    job: Job, line: Line, case: JobCase, name: str, function: Operator, values: list[Any]
) -> dict[str, Tensor]:
    """Call the operator and leave what it returned as `<case>/<name>_<output>`."""
    line.call(f"{case.id}/{name}")
    found = outputs_of(job, function(*values))
    _leave(line, case, f"{name}_", found)
    return found


def _leave(line: Line, case: JobCase, prefix: str, arrays: dict[str, Tensor]) -> None:
    for name, array in arrays.items():
        line.array(f"{case.id}/{prefix}{name}", array)


def _forward(subject: Subject, line: Line) -> CheckResult:
    """Call the operator several times on the same memory; the last call has the case's values."""
    function = load(subject, line)
    job = subject.job
    for case in _of_kind(job, "public", "held out"):
        line.note(f"call of {case.id}")
        values = subject.arguments(case)
        turns = MIN_TURNS + random.SystemRandom().randint(0, _MORE_TURNS)
        earlier: list[dict[str, Tensor]] = []
        for turn in range(turns if case.kind == "public" else 0):
            given = [_other_values(value, turn) for value in subject.arguments(case)]
            _refill(values, given)
            earlier.append(_call(job, line, case, f"turn{turn}", function, values))
        _refill(values, subject.arguments(case))
        _call(job, line, case, "plain", function, values)
        for found in earlier[:1]:
            _leave(line, case, "later_", found)
        for name, value in zip(job.inputs, values[: len(job.inputs)], strict=True):
            line.array(f"{case.id}/kept_{name}", value)
    return ran(Check.FORWARD)


def _other_values(value: Any, turn: int) -> Any:
    """Return the same elements in another order, so that they stay within the task's domain."""
    if not isinstance(value, Tensor) or not value.numel():
        return value
    return value.flatten().roll(turn + 1).flip(0).reshape(value.shape)


def _refill(values: list[Any], given: list[Any]) -> None:
    for value, new in zip(values, given, strict=True):
        if isinstance(value, Tensor):
            value.copy_(new)


def _equivalent(subject: Subject, line: Line) -> CheckResult:
    """The target's own expression; the operator is never imported in this process."""
    job = subject.job
    code = compile(job.equivalent, "pytorch.equivalent", "eval")
    for case in _of_kind(job, "public"):
        line.note(f"equivalent on {case.id}")
        named = dict(zip(job.parameters, subject.arguments(case), strict=True))
        # the expression is the target author's, and this is the sandbox
        returned = eval(code, {"torch": torch, "F": functional, **named})
        _leave(line, case, "", outputs_of(job, returned))
    return ran(Check.EQUIVALENT)


def _strides(subject: Subject, line: Line) -> CheckResult:
    function = load(subject, line)
    job = subject.job
    for case in _of_kind(job, "public"):
        line.note(f"call of {case.id} with inputs that are not contiguous")
        values = [tools.strided(v) if isinstance(v, Tensor) else v for v in subject.arguments(case)]
        _call(job, line, case, "plain", function, values)
    return ran(Check.STRIDES)


def _fake(subject: Subject, line: Line) -> CheckResult:
    function = load(subject, line)
    job = subject.job
    case = _of_kind(job, "public")[0]
    line.note("call without data")
    with FakeTensorMode() as mode:
        given = subject.arguments(case)
        values = [mode.from_tensor(v) if isinstance(v, Tensor) else v for v in given]
        found = outputs_of(job, function(*values))
    described = tuple(
        Described(shape=tuple(one.shape), dtype=str(one.dtype).removeprefix("torch."))
        for one in found.values()
    )
    result = _opcheck(Check.FAKE, subject, line, function)
    return result.model_copy(update={"described": described})


def _opcheck(
    check: Check, subject: Subject, line: Line, function: Operator | None = None
) -> CheckResult:
    function = function or load(subject, line)
    job = subject.job
    case = _of_kind(job, "public")[0]
    with Recorder(job) as recorder:
        function(*subject.arguments(case))
    if not recorder.calls:
        raise BadResultError(f"the custom operator rocm_pipeline::{job.name} is never called")
    operator, values = recorder.calls[0]
    prepared = tuple(_sample(value, job.differentiable) for value in values)
    line.note(f"opcheck of {operator.name()}")
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


def _backward(subject: Subject, line: Line) -> CheckResult:
    function = load(subject, line)
    job = subject.job
    for case in _of_kind(job, "gradient"):
        line.note(f"backward of {case.id}")
        values = subject.arguments(case, requires_grad=True)
        _leave(line, case, "", gradients(subject, case, function, values))
    return ran(Check.BACKWARD)


def _gradcheck(subject: Subject, line: Line) -> CheckResult:
    function = load(subject, line)
    job = subject.job
    asked = job.gradcheck
    if asked is None:
        raise ValueError("the job names no case for gradcheck")
    line.note("gradcheck")
    values = subject.arguments(job.case(asked.case), requires_grad=True)
    complaint = tools.gradcheck_complaint(function, values, asked)
    if complaint:
        return rejected(Check.GRADCHECK, Status.WRONG_VALUE, complaint)
    if not controls.gradcheck_rejects(asked):
        return rejected(
            Check.GRADCHECK, Status.CHEAT, "gradcheck accepts a backward that is known to be wrong"
        )
    return ran(Check.GRADCHECK)


def _compile(subject: Subject, line: Line) -> CheckResult:
    function = load(subject, line)
    job = subject.job
    for case in _of_kind(job, "public", "gradient"):
        torch._dynamo.reset()
        compiled = tools.compiled(function)
        line.note(f"compiled call of {case.id}")
        _call(job, line, case, "plain", compiled, subject.arguments(case))
        if case.kind == "gradient":
            line.note(f"compiled backward of {case.id}")
            values = subject.arguments(case, requires_grad=True)
            _leave(line, case, "grad_", gradients(subject, case, compiled, values))
    return ran(Check.COMPILE)


def _bad_input(subject: Subject, line: Line) -> CheckResult:
    function = load(subject, line)
    job = subject.job
    case = _of_kind(job, "public")[0]
    for bad in job.bad_calls:
        line.note(bad.what)
        named = dict(zip(job.parameters, subject.arguments(case), strict=True))
        named[bad.tensor] = torch.zeros(bad.shape, dtype=getattr(torch, bad.dtype))
        if _answers(function, list(named.values())):
            message = f"{bad.what} is answered, not refused"
            return rejected(Check.BAD_INPUT, Status.WRONG_SHAPE, message)
    line.note("a call with tensors that have no data")
    bare = [v.to("meta") if isinstance(v, Tensor) else v for v in subject.arguments(case)]
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


_CHECKS: dict[Check, Callable[[Subject, Line], CheckResult]] = {
    Check.LOAD: _load,
    Check.KERNEL_USED: _kernel_used,
    Check.FORWARD: _forward,
    Check.EQUIVALENT: _equivalent,
    Check.STRIDES: _strides,
    Check.SCHEMA: lambda subject, line: _opcheck(Check.SCHEMA, subject, line),
    Check.FAKE: _fake,
    Check.DISPATCH: lambda subject, line: _opcheck(Check.DISPATCH, subject, line),
    Check.AUTOGRAD: lambda subject, line: _opcheck(Check.AUTOGRAD, subject, line),
    Check.BACKWARD: _backward,
    Check.GRADCHECK: _gradcheck,
    Check.COMPILE: _compile,
    Check.BAD_INPUT: _bad_input,
}
