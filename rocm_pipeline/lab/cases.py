"""Cases the harness runs a candidate on, and the values of their inputs.

Public cases come with the target. Held-out cases are drawn after the candidate is known, from a
secret seed, so that no candidate can be written for them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.expressions import evaluate
from rocm_pipeline.targets.spec import BoundTensor, Case, Role, Symbol, Target

Origin = Literal["public", "held out", "agent"]

AWKWARD = (1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 128, 129, 251, 256, 257)
"""Sizes at which kernels break: one, primes, and both sides of wave, vector and block sizes."""
MAX_HELD_OUT = 12
_DRAWS = 400
_POISON = 0xFF
"""Every byte of outputs and workspace before a run; all-ones is a NaN in every float type."""


@dataclass(frozen=True)
class Trial:
    """A case to run, where it came from and the seed of its input values."""

    case: Case
    origin: Origin
    seed: int


def public_trials(target: Target, seed: int) -> list[Trial]:
    """Return the target's public cases, each with its own seed."""
    return [Trial(case, "public", seed + i) for i, case in enumerate(target.public_cases)]


def held_out_trials(target: Target, seed: int) -> list[Trial]:
    """Draw held-out cases: every combination of element types and choices, awkward sizes.

    Combinations beyond `MAX_HELD_OUT` are sampled. Each case stays below the target's
    `emulation_operations`.
    """
    rng = random.Random(seed)
    variants = _variants(target)
    rng.shuffle(variants)
    chosen = variants[:MAX_HELD_OUT]
    while len(chosen) < 6:
        chosen.append(rng.choice(variants))
    return [
        Trial(_draw_case(target, dtypes, choices, rng), "held out", rng.getrandbits(63))
        for dtypes, choices in chosen
    ]


def agent_trials(cases: Sequence[Case], seed: int) -> list[Trial]:
    """Return cases that a testing agent proposed, already checked by `within_domain`."""
    return [Trial(case, "agent", seed + i) for i, case in enumerate(cases)]


def within_domain(target: Target, case: Case) -> str | None:
    """Say why the harness cannot run `case` on `target`, or None when it can."""
    try:
        target.check_case(case, "case")
    except ValueError as error:
        return str(error)
    if case.scale not in target.scales:
        return f"scale {case.scale:g} is not among the target's {target.scales}"
    operations = target.work_of(case)[1]
    if operations > target.emulation_operations:
        return f"{operations} operations exceed {target.emulation_operations}"
    return None


def draw_inputs(target: Target, case: Case, seed: int) -> dict[str, Array]:
    """Return the input tensors of `case`, in their own element types."""
    rng = np.random.default_rng(seed)
    return {
        tensor.name: draw_tensor(target, tensor, case, rng)
        for tensor in target.tensors_for(case)
        if tensor.role is not Role.OUTPUT
    }


def draw_tensor(target: Target, tensor: BoundTensor, case: Case, rng: np.random.Generator) -> Array:
    """Return values for one input, as the target says they are distributed."""
    spec = target.tensors[tensor.name]
    if spec.values == "integers":
        below = evaluate(spec.below or "2", case.symbols)
        return rng.integers(0, max(1, below), tensor.shape).astype(tensor.dtype.numpy)
    drawn = (
        rng.standard_normal(tensor.shape) if spec.values == "normal" else rng.random(tensor.shape)
    )
    return (drawn * case.scale).astype(tensor.dtype.numpy)


def poisoned(shape: Sequence[int], dtype: DType) -> Array:
    """Return memory that no honest kernel reads: every byte is 0xFF."""
    raw = np.full(int(np.prod(shape)) * dtype.itemsize, _POISON, dtype=np.uint8)
    return raw.view(dtype.numpy).reshape(tuple(shape))


def scalar_values(target: Target, case: Case) -> dict[str, np.generic]:
    """Return everything passed by value: symbols as int32, scalars in their own type."""
    values: dict[str, np.generic] = {k: np.int32(v) for k, v in case.symbols.items()}
    for name, value in case.scalars.items():
        values[name] = np.dtype(target.scalars[name].dtype).type(value)
    return values


def _variants(target: Target) -> list[tuple[dict[str, DType], dict[str, int]]]:
    listed = {name: s.choices for name, s in target.symbols.items() if s.choices is not None}
    return [
        (
            dict(zip(target.dtypes, dtypes, strict=True)),
            dict(zip(listed, values, strict=True)),
        )
        for dtypes in product(*target.dtypes.values())
        for values in product(*listed.values())
    ]


def _draw_case(
    target: Target, dtypes: dict[str, DType], choices: dict[str, int], rng: random.Random
) -> Case:
    for attempt in range(_DRAWS):
        symbols = {
            name: choices[name] if name in choices else _draw_size(symbol, attempt, rng)
            for name, symbol in target.symbols.items()
        }
        case = Case(
            symbols=symbols,
            dtypes=dtypes,
            scalars={name: rng.choice(s.values) for name, s in target.scalars.items()},
            scale=rng.choice(target.scales),
        )
        if target.work_of(case)[1] <= target.emulation_operations:
            return case
    raise ValueError(
        f"target {target.name}: no case found within {target.emulation_operations} operations"
    )


def _draw_size(symbol: Symbol, attempt: int, rng: random.Random) -> int:
    # later attempts draw smaller sizes, so that targets with many symbols end within the budget
    largest = max(1, 2048 >> (attempt // 25))
    sizes = [size for size in AWKWARD if size <= largest and symbol.allows(size)]
    top = min(symbol.max or largest, largest)
    if symbol.min <= top and (not sizes or rng.random() < 0.4):
        return rng.randint(symbol.min, top)
    return rng.choice(sizes) if sizes else symbol.min
