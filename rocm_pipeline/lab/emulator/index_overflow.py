"""Finds indices whose 32-bit arithmetic wraps, wherever the wrapped address happens to lie.

Everything that an index is computed from in 32 bits is computed a second time in 64 bits. Where the
two differ at an access, `int i = row * cols + col` has wrapped. Arithmetic that is meant to wrap,
of hashes and random numbers, never indexes as it is: a remainder, mask or unsigned shift comes
first, and ends what is followed here.
"""

import re
from collections.abc import Iterator

from rocm_pipeline.lab.emulator.ir import Function, Instruction
from rocm_pipeline.lab.emulator.value_ranges import ValueRanges, definitions_of

_ARITHMETIC = {"add", "sub", "mul", "shl"}
_SIGNED_DIVISION = {"sdiv", "srem", "ashr"}
_EXTENSIONS = {"sext", "zext"}
_PROMISES = re.compile(r" (?:nsw|nuw|nneg)\b")
_BINARY = re.compile(r" = \w+ (?:(?:nsw|nuw|disjoint|exact) )*(?P<type>i32|i64) ")
_EXTENSION = re.compile(r" = [sz]ext (?:nneg )?i32 (?P<value>\S+) to i64")
_CHOICE = re.compile(r" = (?:phi|select) (?:i1 [^,]+, )?(?P<type>i32|i64) ")
_INCOMING = re.compile(r"\[ (?P<value>[^,]+), (?P<block>%[^\]]+) \]")
_INDEX = re.compile(r"i64 (%\S+)")

Operand = tuple[str, str]
"""A value and its type, `i32` or `i64`."""


class IndexChecks:
    """The second, wide computation of one function's indices."""

    def __init__(self, function: Function, ranges: ValueRanges) -> None:
        self._ranges = ranges
        self._definitions = definitions_of(function)
        self._signed = {name for name, each in self._definitions.items() if " nsw " in each.text}
        self._twins: dict[str, str] = {}
        self._checked: dict[str, list[str]] = {}
        for name, definition in self._definitions.items():
            if definition.opcode == "getelementptr":
                indices = [index for index in _indices(definition) if self._may_wrap(index)]
                if indices:
                    self._checked[name] = indices
        # The compiler's last steps must not rely on promises that are being checked.
        for name in self._twins:
            definition = self._definitions.get(name)
            if definition is not None and self._operands(definition):
                definition.text = _PROMISES.sub("", definition.text)

    def parameters(self) -> list[Instruction]:
        """What the function must begin with."""
        unknown = (name for name in self._twins if name not in self._definitions)
        return [each for name in unknown for each in self._leaf(name)]

    def beside(self, instruction: Instruction) -> list[Instruction]:
        """The twin of `instruction`, to stand after it; a phi's twin is a phi, too."""
        name = instruction.result or ""
        if name not in self._twins:
            return []
        if not self._operands(instruction):
            return self._leaf(name)
        return [] if instruction.opcode in _EXTENSIONS else [_added(self._twin(instruction))]

    def site(self, address: str, number: int) -> tuple[list[Instruction], str]:
        """Code before the access `number`, and its number there: negative where an index wraps."""
        pairs = list(dict.fromkeys(self._pairs(address)))
        if not pairs:
            return [], str(number)
        code: list[Instruction] = []
        flag = ""
        for at, (wide, index) in enumerate(pairs):
            differs = f"%wraps.{number}.{at}"
            code.append(_added(f"{differs} = icmp ne i64 {wide}, {index}"))
            if flag:
                code.append(_added(f"{differs}.any = or i1 {flag}, {differs}"))
                differs += ".any"
            flag = differs
        code.append(_added(f"%site.{number} = select i1 {flag}, i32 -{number}, i32 {number}"))
        return code, f"%site.{number}"

    def _pairs(self, address: str) -> Iterator[tuple[str, str]]:
        definition = self._definitions.get(address)
        while definition is not None and definition.opcode == "getelementptr":
            for index in self._checked.get(definition.result or "", []):
                yield self.wide(index), index
            address = definition.parts[1].strip().removeprefix("ptr ")
            definition = self._definitions.get(address)

    def _may_wrap(self, index: str) -> bool:
        """Whether `index` is made by 32-bit arithmetic; if so, what it is made of gets twins."""
        if self._ranges.of(index) is not None:
            return False
        found: dict[str, str] = {}
        pending: list[Operand] = [(index, "i64")]
        narrow = False
        while pending:
            name, kind = pending.pop()
            if not name.startswith("%") or name in found:
                continue
            found[name] = kind
            definition = self._definitions.get(name)
            if definition is not None:
                pending += self._operands(definition)
                narrow = narrow or (kind == "i32" and _is_arithmetic(definition))
        if narrow:
            self._twins.update(found)
        return narrow

    def _operands(self, definition: Instruction) -> list[Operand]:
        """What the value of an instruction is followed to; nothing where it ends."""
        if definition.opcode in _EXTENSIONS:
            extension = _EXTENSION.search(definition.text)
            return [(extension["value"].rstrip(","), "i32")] if extension else []
        if definition.opcode in ("phi", "select"):
            choice = _CHOICE.search(definition.text)
            values = _chosen(definition) if choice else []
            return [(value, choice["type"]) for value in values] if choice else []
        binary = _BINARY.search(definition.text)
        if binary is None:
            return []
        values = [definition.parts[0].split()[-1], definition.parts[1]]
        followed = _is_arithmetic(definition) or (
            definition.opcode in _SIGNED_DIVISION and self._is_signed(values[0])
        )
        return [(value, binary["type"]) for value in values] if followed else []

    def _is_signed(self, name: str) -> bool:
        """Whether it is arithmetic in `int`, in which nothing is meant to wrap."""
        definition = self._definitions.get(name)
        return definition is not None and _is_arithmetic(definition) and name in self._signed

    def _twin(self, definition: Instruction) -> str:
        wide = self.wide(definition.result or "")
        if definition.opcode == "phi":
            rows = ", ".join(
                f"[ {self.wide(row['value'])}, {row['block']} ]"
                for row in _INCOMING.finditer(definition.text)
            )
            return f"{wide} = phi i64 {rows}"
        if definition.opcode == "select":
            condition = definition.parts[0].split(" select ", 1)[1]
            one, other = map(self.wide, _chosen(definition))
            return f"{wide} = select {condition}, i64 {one}, i64 {other}"
        one, other = (self.wide(value) for value, _ in self._operands(definition))
        opcode = "add" if definition.opcode == "or" else definition.opcode
        return f"{wide} = {opcode} i64 {one}, {other}"

    def _leaf(self, name: str) -> list[Instruction]:
        if self._twins[name] == "i64":
            return []
        return [_added(f"{self.wide(name)} = sext i32 {name} to i64")]

    def wide(self, value: str) -> str:
        """What holds `value` in 64 bits: a constant itself, another value's twin."""
        if not value.startswith("%"):
            return value
        definition = self._definitions.get(value)
        operands = self._operands(definition) if definition is not None else []
        if definition is not None and operands and definition.opcode in _EXTENSIONS:
            return self.wide(operands[0][0])
        if not operands and self._twins.get(value) == "i64":
            return value
        return f"%wide.{value[1:]}" if value[1] != '"' else f'%"wide.{value[2:]}'


def _indices(definition: Instruction) -> list[str]:
    return [match[1] for match in map(_INDEX.fullmatch, definition.parts[2:]) if match]


def _is_arithmetic(definition: Instruction) -> bool:
    return definition.opcode in _ARITHMETIC or " or disjoint " in definition.text


def _chosen(definition: Instruction) -> list[str]:
    if definition.opcode == "phi":
        return [row["value"] for row in _INCOMING.finditer(definition.text)]
    return [part.split()[-1] for part in definition.parts[1:3]]


def _added(text: str) -> Instruction:
    return Instruction(f"  {text}", None, "hook", None)
