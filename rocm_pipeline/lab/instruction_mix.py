"""Static instruction counts by class, from the compiler's assembly text.

Names differ per generation: `ds_read` / `ds_load`, `global_load_dwordx4` / `global_load_b128`,
`s_waitcnt vmcnt` / `s_wait_loadcnt`. Counts are of instructions in the text, not of executions.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache

_LABEL = re.compile(r"^([A-Za-z_$][\w$.]*):")
_INSTRUCTION = re.compile(r"^\s+([a-z][a-z0-9_]*)(.*)$")
_END = re.compile(r"^\.Lfunc_end\d+:")
_VMEM = re.compile(r"^(global|flat|buffer|image)_")
_SCRATCH = re.compile(r"^scratch_")
_WIDTH = re.compile(r"_(?:dwordx(\d)|dword|b(\d{1,4})|[ui](\d{1,4})|([us]?byte)|([us]?short))")
_TRANSCENDENTAL = re.compile(r"^v_(?:s_)?(exp|log|rcp|rsq|sqrt|sin|cos)(_|$)")
_PACKED_HALF = re.compile(r"^v_pk_\w+_(f16|bf16)")
_PACKED_SINGLE = re.compile(r"^v_pk_\w+_f32")

_PADDING = {"s_nop", "s_code_end", "s_delay_alu", "s_sethalt", "s_clause"}
"""Scheduling hints and padding; they do no work."""


def instruction_mix(assembly: str) -> dict[str, dict[str, int]]:
    """Return, for each function in the text, its instruction counts by class.

    Classes: valu, valu packed fp16, valu packed fp32, valu dual, salu, vmem load N, vmem store N
    (N = bits a lane), vmem atomic, scratch, smem, lds, matrix, transcendental, branch, barrier,
    waitcnt, vmem wait (those of the waits that wait for loads). Dual-issued pairs count once.
    """
    return {
        name: dict(sorted(Counter(_classes(lines)).items()))
        for name, lines in _functions(assembly).items()
    }


def total(mix: Mapping[str, int], prefix: str) -> int:
    """Return the sum over classes that begin with `prefix`, `vmem load` for example."""
    return sum(count for name, count in mix.items() if name.startswith(prefix))


def _functions(assembly: str) -> dict[str, list[tuple[str, str]]]:
    functions: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] | None = None
    types = set(re.findall(r"^[ \t]+\.type[ \t]+([\w$.]+),@function", assembly, re.MULTILINE))
    for line in assembly.splitlines():
        if line.startswith(("\t", " ")):
            if current is not None and (found := _INSTRUCTION.match(line)):
                current.append((found[1], found[2]))
        elif (label := _LABEL.match(line)) and label[1] in types:
            current = functions.setdefault(label[1], [])
        elif _END.match(line):
            current = None
    return functions


def _classes(instructions: list[tuple[str, str]]) -> Iterator[str]:
    for name, operands in instructions:
        if name in _PADDING:
            continue
        kind = _class_of(name)
        yield kind
        if kind == "waitcnt" and _waits_for_loads(name, operands):
            yield "vmem wait"


@lru_cache(maxsize=4096)  # a kernel has thousands of instructions and some hundred names
def _class_of(name: str) -> str:
    if name.startswith(("v_mfma", "v_smfma", "v_wmma", "v_swmma")):
        return "matrix"
    if name.startswith("v_"):
        return _vector_class(name)
    if name.startswith("s_"):
        return _scalar_class(name)
    if name.startswith("ds_"):
        return "lds"
    if _SCRATCH.match(name):
        return "scratch"
    if _VMEM.match(name):
        return _memory_class(name)
    return "other"


def _vector_class(name: str) -> str:
    if _TRANSCENDENTAL.match(name):
        return "transcendental"
    if name.startswith("v_dual_"):
        return "valu dual"
    if _PACKED_HALF.match(name):
        return "valu packed fp16"
    if _PACKED_SINGLE.match(name):
        return "valu packed fp32"
    return "valu"


def _scalar_class(name: str) -> str:
    if name.startswith(("s_load", "s_buffer_load", "s_store", "s_scratch")):
        return "smem"
    if name.startswith("s_barrier"):
        # gfx12 splits a barrier into signal and wait; the wait is the one that costs.
        return "salu" if name.startswith("s_barrier_signal") else "barrier"
    if name.startswith("s_wait") and not name.startswith("s_wait_alu"):
        return "waitcnt"
    if name.startswith(("s_cbranch", "s_branch", "s_setpc", "s_swappc")):
        return "branch"
    return "salu"


def _memory_class(name: str) -> str:
    if "atomic" in name:
        return "vmem atomic"
    if "_load" in name or "_store" in name:
        direction = "load" if "_load" in name else "store"
        return f"vmem {direction} {_bits(name)}"
    return "cache control"


def _bits(name: str) -> int:
    found = _WIDTH.search(name)
    if found is None:
        return 32
    dwords, bits, integer, byte, short = found.groups()
    if dwords:
        return 32 * int(dwords)
    if bits or integer:
        return int(bits or integer)
    return 8 if byte else 16 if short else 32


def _waits_for_loads(name: str, operands: str) -> bool:
    return name.startswith("s_wait_loadcnt") or "vmcnt" in operands
