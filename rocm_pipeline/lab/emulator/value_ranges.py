"""What an index can be, where the program's text alone says it.

Only values that lie between 0 and 2^31 - 1, on every path, by arithmetic that never wraps there,
have a range: constants, counters of loops from one constant to another, what masks and remainders
leave, and sums and products of these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rocm_pipeline.lab.emulator.build import BuildFailed
from rocm_pipeline.lab.emulator.ir import Block, Function, Instruction
from rocm_pipeline.lab.emulator.layout import TypeLayout

_MOST = 2**31 - 1
_NUMBER = re.compile(r"\d+")
_BINARY = re.compile(
    r" = \w+ (?:(?:nsw|nuw|disjoint|exact) )*(?:i32|i64) (?P<one>\S+), (?P<two>\S+)"
)
_EXTENSION = re.compile(r" = [sz]ext (?:nneg )?i32 (?P<value>\S+) to i64")
_PHI = re.compile(
    r" = phi (?:i32|i64) \[ (?P<one>[^,]+), (?P<from_one>%[^\]]+) \], "
    r"\[ (?P<two>[^,]+), (?P<from_two>%[^\]]+) \](?!, \[)"
)
_STEP = re.compile(r" = add (?:(?:nsw|nuw) )*(?:i32|i64) (?P<value>\S+), (?P<step>\d+)(?=,|$)")
_COMPARISON = re.compile(
    r" = icmp (?:samesign )?(?P<predicate>eq|ne|slt|ult) (?:i32|i64) (?P<value>\S+), (?P<end>\d+)"
    r"(?=,|$)"
)
_BRANCH = re.compile(r"  br i1 (?P<condition>\S+), label (?P<true>%[^,]+), label (?P<false>%[^,]+)")
_LABEL = re.compile(r'(?P<name>[\w.$-]+|"[^"]*"):')
_INDEX = re.compile(r"(?:i32|i64) (?P<value>\S+)")
_ARRAY = re.compile(r"\[\d+ x (?P<element>.+)\]")
_ELEMENT = re.compile(r"(?:(?:inbounds|nuw|nusw) )*(?P<type>.+)")


@dataclass(frozen=True)
class Range:
    """All of its values are from `low` to `high`, both included."""

    low: int
    high: int


@dataclass(frozen=True)
class Counter:
    """A loop's counter: `start`, then `step` more each time, `trips` values in all at most.

    They are exactly as many where the loop is left at its own comparison only.
    """

    name: str
    start: int
    step: int
    trips: int

    @property
    def range(self) -> Range:
        return Range(self.start, self.start + self.step * (self.trips - 1))


class ValueRanges:
    """Ranges of one function's values."""

    def __init__(self, function: Function, layout: TypeLayout) -> None:
        self._layout = layout
        self._definitions = definitions_of(function)
        self._latches = {label_of(block): block for block in function.blocks}
        self._headers = {
            each.result: label_of(block)
            for block in function.blocks
            for each in block.instructions
            if each.opcode == "phi" and each.result
        }
        self._known: dict[str, Range | None] = {}

    def of(self, value: str) -> Range | None:
        """The range of a value or constant, None if it has none."""
        if not value.startswith("%"):
            number = int(value) if _NUMBER.fullmatch(value) else -1
            return _within(number, number)
        if value not in self._known:
            self._known[value] = None
            definition = self._definitions.get(value)
            self._known[value] = self._made_by(definition) if definition is not None else None
        return self._known[value]

    def offset(self, address: str, root: str) -> Range | None:
        """How many bytes `address` lies behind `root`."""
        low = high = 0
        while address != root:
            definition = self._definitions.get(address)
            step = self._advance(definition) if definition is not None else None
            if definition is None or step is None:
                return None
            low, high = low + step.low, high + step.high
            address = definition.parts[1].strip().removeprefix("ptr ")
        return _within(low, high)

    def extent(self, root: str) -> int | None:
        """Bytes of a local variable, None if it is not a simple one."""
        definition = self._definitions[root]
        if len(definition.parts) != 2:
            return None
        kind = definition.parts[0].split(" alloca ", 1)[1]
        return self._size(kind)

    def counter(self, phi: Instruction) -> Counter | None:
        """The counter that a phi is, if it is one."""
        match = _PHI.search(phi.text)
        if match is None or phi.result is None:
            return None
        for start, following, latch in (
            (match["one"], match["two"], match["from_two"]),
            (match["two"], match["one"], match["from_one"]),
        ):
            if _NUMBER.fullmatch(start) and following.startswith("%"):
                return self._counted(phi.result, int(start), following, latch)
        return None

    def _counted(self, name: str, start: int, following: str, latch: str) -> Counter | None:
        """The loop goes on from the block `latch` only while its comparison says so."""
        block, adding = self._latches.get(latch), self._definitions.get(following)
        if block is None or adding is None:
            return None
        step = _STEP.search(adding.text)
        branch = _BRANCH.match(block.instructions[-1].text)
        condition = self._definitions.get(branch["condition"]) if branch else None
        comparison = _COMPARISON.search(condition.text) if condition is not None else None
        if step is None or step["value"] != name or branch is None or comparison is None:
            return None
        header = self._headers[name]
        goes_on = comparison["predicate"] != "eq"
        stays, leaves = (
            (branch["true"], branch["false"]) if goes_on else (branch["false"], branch["true"])
        )
        if stays != header or leaves == header:
            return None
        # `value` is compared: the counter that was, or the one to come.
        if comparison["value"] == following:
            first = start + int(step["step"])
        elif comparison["value"] == name:
            first = start
        else:
            return None
        repeats = _repeats(
            first, int(step["step"]), int(comparison["end"]), comparison["predicate"]
        )
        if repeats is None:
            return None
        # One step more is computed than counted, and must not wrap either.
        counter = Counter(name, start, int(step["step"]), repeats + 1)
        return counter if counter.range.high + counter.step <= _MOST else None

    def _made_by(self, definition: Instruction) -> Range | None:
        if definition.opcode == "phi":
            counter = self.counter(definition)
            return counter.range if counter else None
        extension = _EXTENSION.search(definition.text)
        if extension:
            return self.of(extension["value"])
        binary = _BINARY.search(definition.text)
        if binary is None:
            return None
        return self._computed(definition, binary["one"], binary["two"].rstrip(","))

    def _computed(self, definition: Instruction, first: str, second: str) -> Range | None:
        one, two = self.of(first), self.of(second)
        if two is None:
            return None
        fixed = two.low if two.low == two.high else None
        if definition.opcode == "and":
            return Range(0, two.high)
        if definition.opcode == "urem":
            return Range(0, fixed - 1) if fixed else None
        if one is None:
            return None
        if definition.opcode == "srem":
            return Range(0, fixed - 1) if fixed else None
        if definition.opcode == "add" or " or disjoint " in definition.text:
            return _within(one.low + two.low, one.high + two.high)
        if definition.opcode == "mul":
            return _within(one.low * two.low, one.high * two.high)
        if fixed is not None and definition.opcode in ("shl", "lshr", "ashr") and fixed < 32:
            if definition.opcode == "shl":
                return _within(one.low << fixed, one.high << fixed)
            return Range(one.low >> fixed, one.high >> fixed)
        if fixed and definition.opcode in ("udiv", "sdiv"):
            return Range(one.low // fixed, one.high // fixed)
        return None

    def _advance(self, definition: Instruction) -> Range | None:
        """How far the pointer that a `getelementptr` makes lies behind the one it is given."""
        if definition.opcode != "getelementptr":
            return None
        element = _ELEMENT.fullmatch(definition.parts[0].split(" getelementptr ", 1)[1])
        kind = element["type"] if element else ""
        low = high = 0
        for number, part in enumerate(_indices(definition)):
            if number:
                array = _ARRAY.fullmatch(kind)
                kind = array["element"] if array else ""
            index = _INDEX.fullmatch(part)
            size = self._size(kind)
            found = self.of(index["value"]) if index else None
            if size is None or found is None:
                return None
            low, high = low + size * found.low, high + size * found.high
        return _within(low, high)

    def _size(self, kind: str) -> int | None:
        if not kind:
            return None
        try:
            return self._layout.size(kind)
        except BuildFailed:
            return None


def definitions_of(function: Function) -> Mapping[str, Instruction]:
    """The instruction that makes each of a function's values."""
    return {
        each.result: each for block in function.blocks for each in block.instructions if each.result
    }


def label_of(block: Block) -> str:
    """A block as branches name it; "" for the entry, to which none goes."""
    match = _LABEL.match(block.label or "")
    return f"%{match['name']}" if match else ""


def _indices(definition: Instruction) -> list[str]:
    """The operands after the pointer, without what is only said about the instruction."""
    return [part for part in definition.parts[2:] if not part.startswith("!")]


def _repeats(first: int, step: int, end: int, predicate: str) -> int | None:
    """How often the loop goes on when `first`, and then `step` more each time, is compared."""
    if step == 0:
        return None
    if predicate in ("slt", "ult"):
        return max(0, -((first - end) // step))
    # For any other it would go past its end and wrap.
    return (end - first) // step if end >= first and (end - first) % step == 0 else None


def _within(low: int, high: int) -> Range | None:
    return Range(low, high) if 0 <= low <= high <= _MOST else None
