"""What a basic block computes: its operations, by type and kind.

Kinds are `<type>_<operation>`: type `f16`, `bf16`, `f32`, `f64` or `int`; a vector operation
counts once an element. A multiplication whose only use is an addition counts, with it, as one
`fma`, because both the CPU's and the GPU's compiler fuse them. `convert` is a change between
floating types or between floating and integer. An intrinsic of the compiler that is not listed is
charged as the dearest function of its type, because nothing may come for free.
"""

import re
from collections import Counter

from rocm_pipeline.lab.emulator.device_semantics import NOISE, NOISE_VALUE
from rocm_pipeline.lab.emulator.ir import Block, Function, Instruction, elements, first_type

_FLOATING = {"half": "f16", "bfloat": "bf16", "float": "f32", "double": "f64"}
_ARITHMETIC = {"fadd": "add", "fsub": "add", "fmul": "mul", "fdiv": "div", "frem": "rem"}
_INTEGER = {"add", "sub", "mul", "sdiv", "udiv", "srem", "urem", "shl", "lshr", "ashr", "and"} | {
    "or",
    "xor",
    "icmp",
}
_CONVERSIONS = {"fpext", "fptrunc", "fptosi", "fptoui", "sitofp", "uitofp"}
_ELEMENT = {"extractelement": 1, "insertelement": 2}
"""Which operand is the number of the element."""
_FLAGS = re.compile(
    r"^(?:(?:fast|nnan|ninf|nsz|arcp|contract|afn|reassoc|nuw|nsw|exact|disjoint|nneg|samesign|"
    r"inbounds|nusw) )+"
)
_COMPARISON = re.compile(r"^[a-z]{2,3} ")
_INTRINSIC = re.compile(r"@llvm\.(?P<words>[\w.]+)\(")
_TYPE = re.compile(r"(?:nx)?(?:v(?P<number>\d+))?(?P<scalar>(?:i|f|bf|p)\d+)")
_LIBRARY = re.compile(r"@(?P<name>[a-z]\w*)\(")
_NAME = re.compile(r"%[\w.$-]+")
_INTRINSIC_KINDS = {
    "fma": "fma",
    "fmuladd": "fma",
    "minnum": "min",
    "maxnum": "min",
    "minimumnum": "min",
    "maximumnum": "min",
    "minimum": "min",
    "maximum": "min",
    "fmin": "min",
    "fmax": "min",
    "fminimum": "min",
    "fmaximum": "min",
    "fabs": "sign",
    "copysign": "sign",
    "floor": "round",
    "ceil": "round",
    "trunc": "round",
    "rint": "round",
    "nearbyint": "round",
    "round": "round",
    "roundeven": "round",
    "canonicalize": "round",
    "ldexp": "round",
    "is.fpclass": "compare",
}
_TRANSCENDENTAL = {"exp", "exp2", "log", "log2", "log10", "sin", "cos", "tanh", "pow", "sqrt"}
_FREE = {
    "assume",
    "lifetime.start",
    "lifetime.end",
    "experimental.noalias.scope.decl",
    "expect",
    "is.constant",
    "memcpy",
    "memmove",
    "memset",
    "prefetch",
    "ptrmask",
    "trap",
    "ubsantrap",
}
"""Those that compile to nothing, or to accesses to memory, which are counted where they are."""
_REDUCTION = "vector.reduce."
_INTRINSIC_TYPES = {"f16": "f16", "bf16": "bf16", "f32": "f32", "f64": "f64"}
_LIBRARY_FLOAT = {"erff": "f32_erf"}
_NOISE_STORE = re.compile(rf"  store \S+ {re.escape(NOISE_VALUE)}|.*ptr {re.escape(NOISE)}\b")
_UNKNOWN_FLOATING = "pow"
"""What an operation that is not listed is charged as: the dearest there is."""


def count_operations(function: Function) -> list[Counter[str]]:
    """Return the operations of each block of `function`, in order."""
    uses = Counter(name for block in function.blocks for name in _names_used(block))
    return [_block_operations(block, uses) for block in function.blocks]


def _names_used(block: Block) -> list[str]:
    names: list[str] = []
    for instruction in block.instructions:
        found = _NAME.findall(instruction.text)
        names += found[1:] if instruction.result else found
    return names


def _block_operations(block: Block, uses: Counter[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    products: set[str] = set()
    for instruction in block.instructions:
        kind, number = _operation(instruction)
        if kind is None:
            continue
        if kind.endswith("_mul") and instruction.result and uses[instruction.result] == 1:
            products.add(instruction.result)
        elif kind.endswith("_add") and _may_fuse(instruction):
            fused = next((n for n in _NAME.findall(instruction.text)[1:] if n in products), None)
            if fused:
                products.remove(fused)
                counts[kind.replace("_add", "_mul")] -= number
                kind = kind.replace("_add", "_fma")
        counts[kind] += number
    return Counter({kind: number for kind, number in counts.items() if number > 0})


def _may_fuse(instruction: Instruction) -> bool:
    return " contract " in instruction.text or " fast " in instruction.text


def _operation(instruction: Instruction) -> tuple[str | None, int]:
    opcode = instruction.opcode
    if _NOISE_STORE.match(instruction.text):
        return None, 0
    if opcode == "call":
        return _call(instruction.text)
    if opcode in ("br", "switch"):
        return "branch", 1
    if opcode in ("load", "store", "select"):
        return (None, 0) if "@hip_emulator_indices" in instruction.text else (opcode, 1)
    rest = instruction.text.split(f" {opcode} ", 1)[-1]
    rest = _FLAGS.sub("", rest)
    if opcode in ("icmp", "fcmp"):
        rest = _COMPARISON.sub("", rest)
    number, scalar = elements(first_type(rest))
    if opcode in _CONVERSIONS:
        return "convert", number
    if opcode in _INTEGER:
        return "int_op", number
    if opcode in _ELEMENT:
        # Registers have no index: an element that is not known is chosen from all.
        return (
            ("select", number) if _NAME.search(instruction.parts[_ELEMENT[opcode]]) else (None, 0)
        )
    prefix = _FLOATING.get(scalar)
    if prefix is None:
        return None, 0
    if opcode in _ARITHMETIC:
        return f"{prefix}_{_ARITHMETIC[opcode]}", number
    if opcode == "fcmp":
        return f"{prefix}_compare", number
    return (f"{prefix}_sign", number) if opcode == "fneg" else (None, 0)


def _call(text: str) -> tuple[str | None, int]:
    intrinsic = _INTRINSIC.search(text)
    if intrinsic is None:
        library = _LIBRARY.search(text)
        kind = _LIBRARY_FLOAT.get(library["name"]) if library else None
        return kind, 1 if kind else 0
    words = intrinsic["words"].split(".")
    types = [match for match in map(_TYPE.fullmatch, words) if match]
    name = ".".join(word for word in words if not _TYPE.fullmatch(word))
    if name in _FREE:
        return None, 0
    if not types:
        return "int_op", 1
    number, scalar = int(types[0]["number"] or 1), types[0]["scalar"]
    if name.startswith(_REDUCTION):
        name, number = name.removeprefix(_REDUCTION), number - 1
    if name.removesuffix(".sat") in _CONVERSIONS:
        return "convert", number
    prefix = _INTRINSIC_TYPES.get(scalar)
    if prefix is None:
        return "int_op", number
    known = _INTRINSIC_KINDS.get(name) or _ARITHMETIC.get(name)
    return f"{prefix}_{known or (name if name in _TRANSCENDENTAL else _UNKNOWN_FLOATING)}", number
