"""An example of an operator's use: small inputs, one call, compared with PyTorch's own result."""

from collections.abc import Iterator

from rocm_pipeline.agents.embedded.operator import free_symbols, parameters
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.expressions import evaluate
from rocm_pipeline.targets.spec import BoundTensor, Case, Target


def write_example(target: Target) -> list[str]:
    """Return the lines of a Python program that imports the operator's package as a user does."""
    case = _smallest_case(target)
    outputs = ", ".join(target.outputs)
    found = outputs if len(target.outputs) == 1 else f"({outputs})"
    return [
        "import torch",
        *(["import torch.nn.functional as F"] if "F." in target.pytorch.equivalent else []),
        f"from {target.name}_op import {target.name}",
        "",
        "torch.manual_seed(0)",
        *_inputs(target, case),
        *(f"{name} = {case.symbols[name]}" for name in free_symbols(target)),
        *(f"{name} = {value!r}" for name, value in case.scalars.items()),
        f"expected = {target.pytorch.equivalent}",
        f"{outputs} = {target.name}({', '.join(parameters(target))})",
        f"torch.testing.assert_close({found}, expected, {_tolerance(target, case)})",
    ]


def _smallest_case(target: Target) -> Case:
    """Return the case with the least to do, in the widest types: examples run on the CPU too."""
    small = min(target.public_cases, key=lambda case: target.work_of(case)[1])
    chosen = target.pytorch.gradcheck or small
    dtypes = {name: max(types, key=lambda t: t.itemsize) for name, types in target.dtypes.items()}
    return Case(symbols=chosen.symbols, dtypes=dtypes, scalars=chosen.scalars or small.scalars)


def _inputs(target: Target, case: Case) -> Iterator[str]:
    for tensor in target.tensors_for(case):
        if tensor.name in target.inputs:
            yield f"{tensor.name} = {_drawn(target, case, tensor)}"


def _drawn(target: Target, case: Case, tensor: BoundTensor) -> str:
    spec = target.tensors[tensor.name]
    shape = ", ".join(map(str, tensor.shape))
    if spec.values == "integers":
        below = 1 if spec.below is None else evaluate(spec.below, case.symbols)
        return f"torch.randint({below}, ({shape},), dtype=torch.{tensor.dtype.value})"
    drawn = f"torch.{'randn' if spec.values == 'normal' else 'rand'}({shape})"
    return drawn if tensor.dtype is DType.FLOAT32 else f"{drawn}.to(torch.{tensor.dtype.value})"


def _tolerance(target: Target, case: Case) -> str:
    """Return twice the target's tolerance: both results may be off by one from the exact values."""
    types = {target.dtype_of(target.tensors[name].dtype, case) for name in target.outputs}
    allowed = [target.tolerance[dtype] for dtype in types if dtype in target.tolerance]
    absolute = max((2 * tolerance.absolute for tolerance in allowed), default=0)
    relative = max((2 * tolerance.relative for tolerance in allowed), default=0)
    return f"atol={absolute:g}, rtol={relative:g}"
