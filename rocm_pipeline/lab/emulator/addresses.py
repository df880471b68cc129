"""Refuses kernels whose result may depend on where memory lies.

An address is not the same on the CPU and on the GPU, nor from one run to the next. What it may be
used for as a number is alignment (`address % 16`, also of several: `(a | b) % 16`), as far as GPUs
promise one, and the distance of two pointers. Whether LDS or a local variable lies above or below
something else is another matter of the machine.
"""

import re
from collections.abc import Iterator

from rocm_pipeline.lab.emulator.build import BuildFailed
from rocm_pipeline.lab.emulator.ir import Function, Instruction, symbol_in
from rocm_pipeline.lab.emulator.source import SOURCE_NAME

_LARGEST_ALIGNMENT = 256
_MASK = re.compile(r" and i64 %[\w.$-]+, (\d+)")
_FIXED_ADDRESS = re.compile(r" icmp .*inttoptr \(i64")
_ORDER = re.compile(r" icmp (?:samesign )?[us][lg][te] ptr ")
_OPERAND = re.compile(r'%[\w.$-]+|%"[^"]*"')
_INCOMING = re.compile(r"\[ (?P<value>.*?), %[^\]]+\]")


def refuse_address_arithmetic(function: Function) -> None:
    """Raise BuildFailed where `function` uses an address as a number, or as a place in an order."""
    body = [each for block in function.blocks for each in block.instructions]
    origins = _Origins(body)
    numbers = {each.result for each in body if each.opcode == "ptrtoint" and each.result}
    for each in body:
        if _FIXED_ADDRESS.search(each.text):
            raise _refused(each)
        if _ORDER.search(each.text):
            origins.refuse_order(each, *_compared(each))
        if numbers.isdisjoint(_OPERAND.findall(_operands(each))):
            continue
        if each.result and _is_union(each, numbers):
            numbers.add(each.result)
        elif _is_distance(each, numbers):
            origins.refuse_order(each, *_OPERAND.findall(_operands(each)))
        elif not _is_alignment(each):
            raise _refused(each)


class _Origins:
    """Knows what the pointers of a function point into."""

    def __init__(self, body: list[Instruction]) -> None:
        self._definitions = {each.result: each for each in body if each.result}

    def refuse_order(self, instruction: Instruction, one: str, other: str) -> None:
        """Raise BuildFailed if one of two pointers, but not the other, is into a variable."""
        first, second = (set(self._of(value, set())) for value in (one, other))
        if first != second and any(map(self._is_variable, first | second)):
            raise BuildFailed(
                f"{SOURCE_NAME}:{instruction.line or 1}:1: error: whether LDS or a local variable "
                "lies before another address is not the same on every machine"
            )

    def _is_variable(self, origin: str) -> bool:
        definition = self._definitions.get(origin)
        return origin.startswith("@") or (definition is not None and definition.opcode == "alloca")

    def _of(self, value: str, seen: set[str]) -> Iterator[str]:
        """Yield what `value` may be made of: variables, parameters, or results of unknown kind."""
        value = value.strip().removeprefix("ptr ")
        if value in seen:
            return
        seen.add(value)
        definition = self._definitions.get(value)
        if definition is None:
            yield symbol_in(value) or value
        elif definition.opcode in ("getelementptr", "ptrtoint"):
            yield from self._of(_pointer(definition), seen)
        elif definition.opcode == "phi":
            for incoming in _INCOMING.finditer(definition.text):
                yield from self._of(incoming["value"], seen)
        elif definition.opcode == "select":
            for part in definition.parts[1:3]:
                yield from self._of(part, seen)
        else:
            yield value


def _pointer(instruction: Instruction) -> str:
    """The operand of a `getelementptr`, or of a `ptrtoint`."""
    if instruction.opcode == "getelementptr":
        return instruction.parts[1]
    return _operands(instruction).removeprefix("ptrtoint ").rsplit(" to ", 1)[0]


def _compared(instruction: Instruction) -> tuple[str, str]:
    one, other = instruction.parts[:2]
    return one.rsplit(" ptr ", 1)[1], other


def _operands(instruction: Instruction) -> str:
    return instruction.text.split(" = ", 1)[-1].strip()


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
        "number; only its alignment (address % 16, up to 256) and the distance of two pointers "
        "may be"
    )
