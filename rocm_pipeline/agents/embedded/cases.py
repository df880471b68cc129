"""tester: cases at the edges of the symbols' domains and of the kernel's own blocks."""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from rocm_pipeline.agents.embedded.question import Question
from rocm_pipeline.agents.prompts import MAX_CASES
from rocm_pipeline.agents.reply import Reply, ReplyFile
from rocm_pipeline.agents.roles import CASES_FILE
from rocm_pipeline.targets.dtypes import DType
from rocm_pipeline.targets.spec import Case, Symbol, Target

_ALWAYS = (1, 2, 3, 5, 7, 13, 31, 32, 33, 61, 63, 64, 65, 127, 251)
"""One, primes, and both sides of the two wave sizes."""
_LARGEST_EDGE = 4096
"""Larger figures in a plan or source are not block sizes or vector widths."""
_NUMBER = re.compile(r"\d+")
_VECTOR = re.compile(r"\b(?:float|int|uint|half|__half)([248])\b")


def propose_cases(question: Question, seed: int) -> Reply:
    """Return up to `MAX_CASES` cases, all within the target's domain and emulation budget."""
    target = question.target
    edges = _edges(question)
    cases = list(_cases(target, edges, random.Random(seed)))
    text = "[\n" + ",\n".join(json.dumps(case.model_dump(mode="json")) for case in cases) + "\n]\n"
    if not cases:
        return Reply(
            explanation="No case beyond the public ones fits the target's emulation budget.",
            limitations=("No cases were found.",),
        )
    return Reply(
        files=(ReplyFile(path=CASES_FILE, text=text),),
        explanation=(
            "Sizes of one, primes, and both sides of waves, blocks and vector widths, over "
            "every element type and choice in turn."
        ),
        limitations=("Sizes are chosen by rule from the launch plan, not from reading the code.",),
    )


def _edges(question: Question) -> tuple[int, ...]:
    """Return the sizes at which this kernel changes its behaviour, and their neighbours."""
    texts = [
        expression
        for launch in question.launch_plan.launches
        for expression in (*launch.grid, *launch.block)
    ]
    sizes = {int(n) for text in texts for n in _NUMBER.findall(text)}
    sizes |= {int(width) for width in _VECTOR.findall(question.kernel)}
    near = {size + step for size in sizes if 1 < size <= _LARGEST_EDGE for step in (-1, 0, 1)}
    return tuple(sorted(near | set(_ALWAYS)))


def _cases(target: Target, edges: Sequence[int], rng: random.Random) -> Iterator[Case]:
    """Yield cases: first every symbol at its least, then random edges, each variant in turn."""
    variants = list(_variants(target))
    rng.shuffle(variants)
    ranges = {name: _sizes(s, edges) for name, s in target.symbols.items() if s.choices is None}
    seen = {case.name for case in target.public_cases}
    for index in range(MAX_CASES):
        symbols, dtypes = variants[index % len(variants)]
        scalars = {name: rng.choice(scalar.values) for name, scalar in target.scalars.items()}
        scale = target.scales[index % len(target.scales)]
        drawn = {n: sizes[0] if index == 0 else rng.choice(sizes) for n, sizes in ranges.items()}
        case = Case(
            symbols={name: {**drawn, **symbols}[name] for name in target.symbols},
            dtypes=dict(dtypes),
            scalars=scalars,
            scale=scale,
        )
        fitted = _fitted(target, case, ranges)
        if fitted is not None and fitted.name not in seen:
            seen.add(fitted.name)
            yield fitted


def _variants(target: Target) -> Iterator[tuple[Mapping[str, int], Mapping[str, DType]]]:
    listed = {name: s.choices for name, s in target.symbols.items() if s.choices is not None}
    for values in product(*listed.values()):
        for types in product(*target.dtypes.values()):
            yield (
                dict(zip(listed, values, strict=True)),
                dict(zip(target.dtypes, types, strict=True)),
            )


def _sizes(symbol: Symbol, edges: Sequence[int]) -> tuple[int, ...]:
    """Return the edges in the symbol's range, rising; its least value is always among them."""
    return tuple(sorted({symbol.min, *(edge for edge in edges if symbol.allows(edge))}))


def _fitted(target: Target, case: Case, ranges: Mapping[str, tuple[int, ...]]) -> Case | None:
    """Lower the largest symbol, edge by edge, until the emulator can run the case."""
    while target.work_of(case)[1] > target.emulation_operations:
        lower = {
            name: max(size for size in sizes if size < case.symbols[name])
            for name, sizes in ranges.items()
            if case.symbols[name] > sizes[0]
        }
        if not lower:
            return None
        largest = max(lower, key=lambda name: case.symbols[name])
        symbols = {**case.symbols, largest: lower[largest]}
        case = case.model_copy(update={"symbols": symbols})
    return case
