"""Refuses kernels whose result may depend on where a buffer lies.

An address is not the same on the CPU and on the GPU, nor from one run to the next. What it may be
used for as a number is alignment (`address % 16`, also of several: `(a | b) % 16`) and the distance
of two pointers.
"""

import re

from rocm_pipeline.lab.emulator.build import BuildFailed
from rocm_pipeline.lab.emulator.ir import Function, Instruction
from rocm_pipeline.lab.emulator.source import SOURCE_NAME

_LARGEST_ALIGNMENT = 4096
_MASK = re.compile(r" and i64 %[\w.$-]+, (\d+)")
_FIXED_ADDRESS = re.compile(r" icmp .*inttoptr \(i64")
_OPERAND = re.compile(r'%[\w.$-]+|%"[^"]*"')


def refuse_address_arithmetic(function: Function) -> None:
    """Raise BuildFailed where `function` makes a number of an address and uses it as more."""
    body = [each for block in function.blocks for each in block.instructions]
    numbers = {each.result for each in body if each.opcode == "ptrtoint" and each.result}
    for each in body:
        if _FIXED_ADDRESS.search(each.text):
            raise _refused(each)
        if numbers.isdisjoint(_OPERAND.findall(_operands(each))):
            continue
        if each.result and _is_union(each, numbers):
            numbers.add(each.result)
        elif not (_is_distance(each, numbers) or _is_alignment(each)):
            raise _refused(each)


def _operands(instruction: Instruction) -> str:
    return instruction.text.split(" = ", 1)[-1]


def _is_union(instruction: Instruction, numbers: set[str]) -> bool:
    """Whether it is `a | b` of two addresses, whose low bits tell the alignment of both."""
    used = _OPERAND.findall(_operands(instruction))
    return instruction.opcode == "or" and len(used) == 2 and numbers.issuperset(used)


def _is_distance(instruction: Instruction, numbers: set[str]) -> bool:
    used = _OPERAND.findall(_operands(instruction))
    return instruction.opcode == "sub" and len(used) == 2 and numbers.issuperset(used)


def _is_alignment(instruction: Instruction) -> bool:
    mask = _MASK.search(instruction.text)
    return mask is not None and int(mask[1]) < _LARGEST_ALIGNMENT


def _refused(instruction: Instruction) -> BuildFailed:
    return BuildFailed(
        f"{SOURCE_NAME}:{instruction.line or 1}:1: error: the address of a buffer is used as a "
        "number; only its alignment (address % 16) and the distance of two pointers may be"
    )
