"""Cheats of a target's author: a reference or a baseline that is not what it should be."""

from dataclasses import dataclass

from rocm_pipeline.targets.spec import Target
from tests.cheats.hip.honest import POLYNOMIAL, ROW_SUM
from tests.cheats.hip.kernels import Edit, Kernel
from tests.cheats.hip.targets import small_target
from tests.cheats.model import Cheat


@dataclass(frozen=True, kw_only=True)
class TargetCheat(Cheat):
    target: Target
    honest: Target
    """The target with its own reference and an honest baseline."""


def with_baseline(kernel: Kernel, reference: Edit | None = None) -> Target:
    """Return a small target whose baseline is `kernel`, its reference edited."""
    fields = small_target(kernel.target).model_dump()
    fields["baseline"] |= {"source": kernel.source, "launch_plan": kernel.plan.model_dump()}
    if reference is not None:
        before, after = reference
        assert before in fields["reference"]
        fields["reference"] = fields["reference"].replace(before, after)
    return Target.model_validate(fields)


def _cheat(number: int, name: str, how: str, target: Target, honest: Kernel) -> TargetCheat:
    return TargetCheat(
        number=number, name=name, kind="target", how=how, status=None, reason=_VALUES,
        target=target, honest=with_baseline(honest),
    )  # fmt: skip


def _oracle(name: str, how: str, kernel: Kernel, edit: Edit) -> TargetCheat:
    """A reference that runs and computes something else, beside an honest baseline."""
    return _cheat(19, name, how, with_baseline(kernel, edit), kernel)


_VALUES = r"the baseline does not pass \(WRONG_VALUE: .*y: \d+ of \d+ elements are wrong"

CHEATS = (
    _oracle("reference of another function", "an oracle that takes the largest for the sum",
            ROW_SUM, (".sum(axis=1)", ".max(axis=1)")),
    _oracle("ReLU for a polynomial", "an oracle that is right for half of the values",
            POLYNOMIAL, ("inputs['x'] * inputs['x'] + inputs['x']",
                         "np.maximum(inputs['x'] * inputs['x'] + inputs['x'], 0)")),
    _oracle("leaves the end of long rows out", "an oracle that is right at the public sizes alone",
            ROW_SUM, ("inputs['x'].sum", "inputs['x'][:, :1000].sum")),
    _cheat(32, "wrong baseline", "compares with a kernel that computes something else",
           with_baseline(ROW_SUM.edited(("sum += x[", "sum += 2.0f * x["))), ROW_SUM),
)  # fmt: skip

_BY_ALL, _BY_ONE = "for (int c = i; c < cols; c += 128)", "for (int c = 0; i == 0 && c < cols; ++c)"
SLOW = with_baseline(ROW_SUM.edited((_BY_ALL, _BY_ONE)))
"""Its baseline is right and uses one lane of a block: slow, as its author chose."""
