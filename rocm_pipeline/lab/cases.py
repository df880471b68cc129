"""Cases the harness runs a candidate on, and the values of their inputs.

Public cases come with the target. All others are drawn after the candidate is known, from a
secret seed, so that no candidate can be written for them: small ones of awkward sizes, ones as
large as those that are timed, and the timed ones themselves with new values.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np

from rocm_pipeline.targets.dtypes import Array, DType
from rocm_pipeline.targets.expressions import evaluate
from rocm_pipeline.targets.subject import BoundTensor, Case, Role, Subject, Symbol

Origin = Literal["public", "held out", "agent", "repeat", "large", "timed"]

AWKWARD = (0, 1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 128, 129, 251, 257)
"""Sizes at which kernels break: none, one, primes, both sides of wave, vector and block sizes."""
MAX_HELD_OUT = 12
_DRAWS = 400
_REPEAT_SHARE = 8
"""A repeated case is executed four times, so it gets this part of the operations of the others."""
_REPEAT_DRAWS = 8
_LARGE_SHARE = 4
"""The same for a case that is large in one symbol; above it, only some blocks are executed."""
_SMALL = 64
"""Largest size of the other symbols where one is as large as when it is timed."""
_POISON = 0xFF
"""Every byte of outputs and workspace before a run; all-ones is a NaN in every float type."""


@dataclass(frozen=True)
class Trial:
    """A case to run, where it came from and the seed of its input values."""

    case: Case
    origin: Origin
    seed: int


def public_trials(target: Subject, seed: int) -> list[Trial]:
    """Return the target's public cases, each with its own seed."""
    return [Trial(case, "public", seed + i) for i, case in enumerate(target.public_cases)]


def held_out_trials(target: Subject, seed: int) -> list[Trial]:
    """Draw held-out cases: every combination of element types and choices, awkward sizes.

    Combinations beyond `MAX_HELD_OUT` are sampled. Each case stays below the target's
    `emulation_operations`.
    """
    rng = random.Random(seed)
    combinations = variants(target)
    rng.shuffle(combinations)
    chosen = combinations[:MAX_HELD_OUT]
    while len(chosen) < 6:
        chosen.append(rng.choice(combinations))
    scales = rng.sample(target.scales, len(target.scales))
    trials: list[Trial] = []
    for i, (dtypes, choices) in enumerate(chosen):
        fixed = {**choices, **(_smallest(target, rng) if i == 0 else {})}
        scale = scales[i % len(scales)]
        case = _draw_case(target, dtypes, fixed, scale, rng, target.emulation_operations)
        trials.append(Trial(case, "held out", rng.getrandbits(63)))
    return trials


def repeat_trial(target: Subject, seed: int, small: Callable[[Case], bool]) -> Trial:
    """Draw a small case, to be run again: in other order, at other addresses, after others.

    One that is not `small` for the kernel, too, is taken only where none that is comes up.
    """
    rng = random.Random(f"repeat {seed}")
    dtypes, choices = rng.choice(variants(target))
    budget = max(target.emulation_operations // _REPEAT_SHARE, _least_operations(target))
    scale = rng.choice(target.scales)
    drawn = (_draw_case(target, dtypes, choices, scale, rng, budget) for _ in range(_REPEAT_DRAWS))
    first = next(drawn)
    case = first if small(first) else next(filter(small, drawn), first)
    return Trial(case, "repeat", rng.getrandbits(63))


def large_trials(target: Subject, seed: int) -> list[Trial]:
    """Draw cases as large as the timed ones: in each symbol in turn, then between in all.

    A kernel that does something else above some size of one symbol, or above the public sizes of
    all, meets them. They may exceed `emulation_operations` (see `fits`).
    """
    rng = random.Random(f"large {seed}")
    if not target.timing_cases:
        own = target.own_large_cases(rng)
        return [Trial(case, "large", rng.getrandbits(63)) for case in own]
    ranged = [name for name, symbol in target.symbols.items() if symbol.choices is None]
    cases = [_large_case(target, name, rng) for name in ranged]
    if ranged:
        cases.append(_between(target, ranged, rng))
    return [Trial(case, "large", rng.getrandbits(63)) for case in cases]


def timed_trials(target: Subject, seed: int) -> list[Trial]:
    """Return the timing cases, each with a new seed for its values."""
    rng = random.Random(f"timed {seed}")
    return [Trial(case, "timed", rng.getrandbits(63)) for case in target.timing_cases]


def fits(target: Subject, case: Case) -> bool:
    """Say whether a large case is small enough to be executed whole, of which there are several."""
    return target.work_of(case)[1] <= target.emulation_operations // _LARGE_SHARE


def reduced(target: Subject, trial: Trial) -> Trial:
    """Halve the largest sizes of a trial until it can be executed whole."""
    case = trial.case
    while not fits(target, case):
        sizes = {
            name: value
            for name, value in case.symbols.items()
            if target.symbols[name].choices is None
            and value // 2 >= target.symbols[name].min
            and target.admits(_resized(case, name, value // 2))
        }
        if not sizes:
            break
        largest = max(sizes, key=lambda name: sizes[name])
        case = _resized(case, largest, sizes[largest] // 2)
    return replace(trial, case=case)


def _resized(case: Case, name: str, value: int) -> Case:
    return case.model_copy(update={"symbols": {**case.symbols, name: value}})


def agent_trials(cases: Sequence[Case], seed: int) -> list[Trial]:
    """Return cases that a testing agent proposed, already checked by `within_domain`."""
    return [Trial(case, "agent", seed + i) for i, case in enumerate(cases)]


def within_domain(target: Subject, case: Case) -> str | None:
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


def draw_inputs(target: Subject, case: Case, seed: int) -> dict[str, Array]:
    """Return the input tensors of `case`, in their own element types."""
    own = target.own_inputs(case, seed)
    if own is not None:
        return own
    rng = np.random.default_rng(seed)
    return {
        tensor.name: draw_tensor(target, tensor, case, rng)
        for tensor in target.tensors_for(case)
        if tensor.role is not Role.OUTPUT
    }


def draw_tensor(
    target: Subject, tensor: BoundTensor, case: Case, rng: np.random.Generator
) -> Array:
    """Return values for one input, as the target says they are distributed."""
    spec = target.tensors[tensor.name]
    if spec.values == "integers":
        below = evaluate(spec.below or "2", case.symbols)
        return rng.integers(0, max(1, below), tensor.shape).astype(tensor.dtype.numpy)
    # twice as fast in float32, and the sizes that are timed hold millions
    wide = np.float64 if tensor.dtype is DType.FLOAT64 else np.float32
    draw = rng.standard_normal if spec.values == "normal" else rng.random
    drawn = draw(tensor.shape, dtype=wide)
    drawn *= case.scale
    return tensor.dtype.pack(drawn)


def poisoned(shape: Sequence[int], dtype: DType) -> Array:
    """Return memory that no honest kernel reads: every byte is 0xFF."""
    raw = np.full(int(np.prod(shape)) * dtype.itemsize, _POISON, dtype=np.uint8)
    return raw.view(dtype.numpy).reshape(tuple(shape))


def scalar_values(target: Subject, case: Case) -> dict[str, np.generic]:
    """Return everything passed by value: symbols as int32, scalars in their own type."""
    values: dict[str, np.generic] = {k: np.int32(v) for k, v in case.symbols.items()}
    for name, value in case.scalars.items():
        values[name] = np.dtype(target.scalars[name].dtype).type(value)
    return values


def variants(target: Subject) -> list[tuple[dict[str, DType], dict[str, int]]]:
    """Return every combination of element types with the choices of listed symbols."""
    listed = {name: s.choices for name, s in target.symbols.items() if s.choices is not None}
    return [
        (
            dict(zip(target.dtypes, dtypes, strict=True)),
            dict(zip(listed, values, strict=True)),
        )
        for dtypes in product(*target.dtypes.values())
        for values in product(*listed.values())
    ]


def _smallest(target: Subject, rng: random.Random) -> dict[str, int]:
    """One symbol at the smallest size it may have, zero where the target allows an empty tensor."""
    ranged = {name: s.min for name, s in target.symbols.items() if s.choices is None}
    return dict([rng.choice(list(ranged.items()))]) if ranged else {}


def _least_operations(target: Subject) -> int:
    smallest = {name: min(s.choices or (s.min,)) for name, s in target.symbols.items()}
    case = target.public_cases[0].model_copy(update={"symbols": smallest})
    return target.work_of(case)[1] * _REPEAT_SHARE


def _draw_case(
    target: Subject,
    dtypes: dict[str, DType],
    fixed: dict[str, int],
    scale: float,
    rng: random.Random,
    budget: int,
) -> Case:
    if target.only_given_sizes:
        return _given_case(target, budget, rng)
    for attempt in range(_DRAWS):
        drawn = {
            name: fixed[name] if name in fixed else _draw_size(symbol, attempt, rng)
            for name, symbol in target.symbols.items()
        }
        symbols = target.settled(drawn)
        case = Case(
            symbols=symbols,
            dtypes=dtypes,
            scalars={name: rng.choice(s.values) for name, s in target.scalars.items()},
            scale=scale,
        )
        if target.admits(case) and target.work_of(case)[1] <= budget:
            return case
    if not target.timing_cases:
        return _given_case(target, budget, rng)
    raise ValueError(f"target {target.name}: no case found within {budget} operations")


def _given_case(target: Subject, budget: int, rng: random.Random) -> Case:
    """One of the public cases, within the budget where one is; it will have values of its own."""
    cases = sorted(target.public_cases, key=lambda case: target.work_of(case)[1])
    within = [case for case in cases if target.work_of(case)[1] <= budget]
    return rng.choice(within or cases[:1])


def _large_case(target: Subject, name: str, rng: random.Random) -> Case:
    """A timed case with all but `name` made small, and `name` as timed or up to a quarter above."""
    timed = rng.choice(target.timing_cases)
    top = max(case.symbols[name] for case in target.timing_cases)
    above = min(target.symbols[name].max or top, top + top // 4)
    size = rng.choice((timed.symbols[name], rng.randint(top, above)))
    case = timed
    for attempt in range(_DRAWS):
        most = max(1, _SMALL >> (attempt // 25))
        symbols = {
            other: _draw_small(symbol, timed.symbols[other], most, rng)
            for other, symbol in target.symbols.items()
        }
        case = timed.model_copy(update={"symbols": {**symbols, name: size}})
        if fits(target, case):
            break
    return case


def _draw_small(symbol: Symbol, timed: int, most: int, rng: random.Random) -> int:
    if symbol.choices is not None:
        return timed
    low = max(symbol.min, 1)
    return rng.randint(low, max(low, min(most, timed)))


def _between(target: Subject, ranged: Sequence[str], rng: random.Random) -> Case:
    """A timed case with every size between the public and the timed ones, even by ratio."""
    timed = rng.choice(target.timing_cases)
    symbols = dict(timed.symbols)
    for name in ranged:
        low = max(1, *(case.symbols[name] for case in target.public_cases))
        high = max(timed.symbols[name], 1)
        if low < high:
            symbols[name] = round(low * (high / low) ** rng.random())
    scale = rng.choice(target.scales)
    return timed.model_copy(update={"symbols": symbols, "scale": scale})


def _draw_size(symbol: Symbol, attempt: int, rng: random.Random) -> int:
    # later attempts draw smaller sizes, so that targets with many symbols end within the budget
    largest = max(1, 2048 >> (attempt // 25))
    sizes = [size for size in AWKWARD if size <= largest and symbol.allows(size)]
    top = min(symbol.max or largest, largest)
    if symbol.min <= top and (not sizes or rng.random() < 0.4):
        return rng.randint(symbol.min, top)
    return rng.choice(sizes) if sizes else symbol.min
