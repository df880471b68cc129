"""From what the sandboxed process left to verdicts; values are compared here, not there."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rocm_pipeline.integration.evidence import CheckRecord
from rocm_pipeline.integration.job import (
    ANSWERS,
    MIN_TURNS,
    Check,
    CheckResult,
    Ended,
    Job,
    Kind,
)
from rocm_pipeline.integration.operator_cases import OperatorCase
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.numerics import Comparison, compare
from rocm_pipeline.lab.sandbox import ResultRefused
from rocm_pipeline.lab.sandbox.arrays import read_array
from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.spec import Calibration, Target, Tolerance

MAX_ARRAY_BYTES = 64 << 20

GRADIENT_ERROR = {DType.FLOAT16: 3e-2, DType.FLOAT32: 1e-4, DType.FLOAT64: 1e-7}
"""Allowed error of a gradient over the tensor's largest gradient: about 30 (float16) and 800
(float32) roundings, which an honest backward in that type stays well below."""


class _RefusedError(Exception):
    """An array that the operator's process left cannot be judged."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Judge:
    """Turns results into records, with the arrays that lie in `box`."""

    target: Target
    job: Job
    cases: tuple[OperatorCase, ...]
    box: Path

    def record(self, result: CheckResult) -> CheckRecord:
        """Judge one check."""
        if result.check is Check.FAKE and (result.described or result.ended is Ended.RAN):
            wrong = self._wrong_description(result)
            if wrong:
                return wrong
        if result.ended is not Ended.RAN:
            status = _status_of(result)
            return CheckRecord(check=result.check, status=status, message=_message_of(result))
        judges: Mapping[Check, Callable[[], float]] = {
            Check.KERNEL_USED: self._kernel_used,
            Check.FORWARD: self._forward,
            Check.EQUIVALENT: self._equivalent,
            Check.STRIDES: lambda: self._outputs(Check.STRIDES, ("public",)),
            Check.BACKWARD: lambda: self._gradients(Check.BACKWARD, ""),
            Check.COMPILE: self._compile,
        }
        if result.check not in judges:
            return CheckRecord(check=result.check, status=Status.PASSED)
        try:
            worst = judges[result.check]()
        except _RefusedError as refused:
            return CheckRecord(check=result.check, status=refused.status, message=str(refused))
        ratio = None if result.check is Check.KERNEL_USED else worst
        return CheckRecord(check=result.check, status=Status.PASSED, worst_ratio=ratio)

    def _kernel_used(self) -> float:
        for case in self.cases:
            for way in self.job.ways(self.job.case(case.id)):
                self._from_kernel(Check.KERNEL_USED, case, way)
        return 0.0

    def _from_kernel(self, check: Check, case: OperatorCase, call: str) -> dict[str, Array]:
        """Return what a call returned, which must be the kernel's answer to the last bit."""
        where = f"the {call} call of {case.case.name}"
        returned: dict[str, Array] = {}
        for name in self.job.outputs:
            path = f"{check.value}{ANSWERS}/{case.id}/{call}_{name}.npy"
            try:
                answer = read_array(self.box, path, MAX_ARRAY_BYTES)
            except ResultRefused as error:
                message = f"{where} never got '{name}' from the kernel ({error})"
                raise _RefusedError(Status.CHEAT, message) from error
            returned[name] = self._read(check, case, f"{call}_{name}")
            _require_from_kernel(returned[name], answer, f"'{name}' of {where}")
        return returned

    def _forward(self) -> float:
        for case in self._of_kind("public"):
            for turn in range(MIN_TURNS):
                returned = self._from_kernel(Check.FORWARD, case, f"turn{turn}")
                if turn == 0:
                    self._still_there(case, returned)
        for case in self._of_kind("public", "held out"):
            for name, before in case.inputs.items():
                after = self._read(Check.FORWARD, case, f"kept_{name}")
                if after.tobytes() != before.tobytes():
                    raise _RefusedError(
                        Status.POLICY_VIOLATION, f"the operator changed its input '{name}'"
                    )
        return self._outputs(Check.FORWARD, ("public", "held out"))

    def _still_there(self, case: OperatorCase, first: dict[str, Array]) -> None:
        for name, array in first.items():
            if self._read(Check.FORWARD, case, f"later_{name}").tobytes() != array.tobytes():
                raise _RefusedError(
                    Status.CHEAT, f"later calls changed '{name}' of an earlier call"
                )

    def _equivalent(self) -> float:
        """Both sides may be off by one tolerance from the exact value."""
        worst = 0.0
        for case in self._of_kind("public"):
            for name in case.outputs:
                dtype = self._dtype(name, case)
                peer = self._read(Check.EQUIVALENT, case, name).astype(np.float64)
                if not np.isfinite(peer).all():
                    raise _RefusedError(
                        Status.INCONCLUSIVE, f"PyTorch's own '{name}' is not finite"
                    )
                tolerance = self.target.tolerance.get(dtype)
                doubled = tolerance and tolerance.model_copy(
                    update={
                        "absolute": 2 * tolerance.absolute,
                        "relative": 2 * tolerance.relative,
                    }
                )
                actual = self._forward_value(case, name)
                verdict = compare(name, actual, peer, dtype, doubled)
                worst = max(worst, _ratio(verdict, f"{case.case.name}, against PyTorch"))
        return worst

    def _forward_value(self, case: OperatorCase, name: str) -> Array:
        try:
            return self._read(Check.FORWARD, case, f"plain_{name}")
        except _RefusedError as refused:
            raise _RefusedError(
                Status.NOT_RUN, "the operator gave no values to compare"
            ) from refused

    def _outputs(self, check: Check, kinds: Iterable[Kind]) -> float:
        worst = 0.0
        for case in self._of_kind(*kinds):
            returned = self._from_kernel(check, case, "plain")
            for name, expected in case.outputs.items():
                dtype = self._dtype(name, case)
                actual = returned[name]
                verdict = compare(name, actual, expected, dtype, self.target.tolerance.get(dtype))
                worst = max(worst, _ratio(verdict, case.case.name))
        return worst

    def _gradients(self, check: Check, prefix: str) -> float:
        worst = 0.0
        for case in self._of_kind("gradient"):
            for name, expected in case.gradients.items():
                dtype = self._dtype(name, case)
                actual = self._read(check, case, prefix + name)
                tolerance = gradient_tolerance(dtype, expected)
                verdict = compare(f"gradient of {name}", actual, expected, dtype, tolerance)
                worst = max(worst, _ratio(verdict, case.case.name))
        return worst

    def _compile(self) -> float:
        outputs = self._outputs(Check.COMPILE, ("public", "gradient"))
        return max(outputs, self._gradients(Check.COMPILE, "grad_"))

    def _wrong_description(self, result: CheckResult) -> CheckRecord | None:
        case = self._of_kind("public")[0]
        if len(result.described) != len(case.outputs):
            message = f"the fake described {len(result.described)} outputs of {len(case.outputs)}"
            return CheckRecord(check=Check.FAKE, status=Status.WRONG_SHAPE, message=message)
        for (name, expected), found in zip(case.outputs.items(), result.described, strict=True):
            dtype = self._dtype(name, case).value
            if found.shape != expected.shape:
                message = f"the fake's '{name}' has shape {found.shape}, not {expected.shape}"
                return CheckRecord(check=Check.FAKE, status=Status.WRONG_SHAPE, message=message)
            if found.dtype != dtype:
                message = f"the fake's '{name}' is {found.dtype}, not {dtype}"
                return CheckRecord(check=Check.FAKE, status=Status.WRONG_DTYPE, message=message)
        return None

    def _of_kind(self, *kinds: Kind) -> list[OperatorCase]:
        return [case for case in self.cases if case.kind in kinds]

    def _dtype(self, name: str, case: OperatorCase) -> DType:
        return self.target.dtype_of(self.target.tensors[name].dtype, case.case)

    def _read(self, check: Check, case: OperatorCase, name: str) -> Array:
        path = f"{check.value}/{case.id}/{name}.npy"
        try:
            return read_array(self.box, path, MAX_ARRAY_BYTES)
        except ResultRefused as error:
            raise _RefusedError(Status.CRASHED, f"no usable array {path} ({error})") from error


def gradient_tolerance(dtype: DType, expected: Array) -> Tolerance:
    """Return what a backward in `dtype` may be off, relative to its largest gradient."""
    largest = float(np.abs(expected).max(initial=0.0))
    return Tolerance(
        absolute=GRADIENT_ERROR[dtype] * largest,
        relative=0.0,
        calibration=Calibration(
            how="roundings of the element type, relative to the largest gradient"
        ),
    )


def _require_from_kernel(array: Array, answer: Array, what: str) -> None:
    if array.shape != answer.shape or array.dtype != answer.dtype:
        raise _RefusedError(
            Status.CHEAT,
            f"{what} is not what the kernel wrote ({array.dtype}{array.shape}, and the kernel "
            f"wrote {answer.dtype}{answer.shape})",
        )
    if array.tobytes() != answer.tobytes():
        other = int((array != answer).sum())
        raise _RefusedError(
            Status.CHEAT,
            f"{what} is not what the kernel wrote ({other} of {array.size} elements differ)",
        )


def _ratio(verdict: Comparison, where: str) -> float:
    if verdict.finding:
        raise _RefusedError(verdict.finding.status, f"{where}: {verdict.finding.message}")
    return verdict.worst_ratio or 0.0


def _status_of(result: CheckResult) -> Status:
    if result.ended is Ended.TIMEOUT:
        return Status.TIMEOUT
    if result.ended is Ended.REJECTED and result.status is not None:
        return result.status
    if result.check is Check.EQUIVALENT:
        # the operator takes no part in it
        return Status.INCONCLUSIVE
    if result.ended is Ended.RAISED and result.check is Check.FAKE:
        return Status.POLICY_VIOLATION
    return Status.CRASHED


def _message_of(result: CheckResult) -> str:
    if result.check is Check.FAKE and result.ended is Ended.RAISED:
        return f"no shape without data (is register_fake missing?): {result.message}"
    return result.message or result.ended.value
