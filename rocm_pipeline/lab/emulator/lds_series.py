"""Reads of LDS in small loops, checked once for all rounds of the loop.

The inner loop of a matrix product reads LDS twice a round and does little else. Where such a loop
is one basic block that runs a known number of times, writes no shared memory and calls nothing,
its reads can be checked together before it begins: the checker learns of the same reads by the
same work-item in the same interval. The loop's rounds are counted there, too. Only LDS is treated
so; a profile tells requests to global memory apart by when they come.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rocm_pipeline.lab.emulator.index_overflow import IndexChecks
from rocm_pipeline.lab.emulator.ir import Block, Function, Instruction
from rocm_pipeline.lab.emulator.value_ranges import Counter, ValueRanges, label_of

DYNAMIC_LDS = "@hip_emulator_dynamic_lds"
"""What `extern __shared__` arrays are called in compiled code."""
_NAME = re.compile(r'%(?:[\w.$-]+|"[^"]*")')
_RESULT = re.compile(r'  (%(?:[\w.$-]+|"[^"]*")) = ')
_TARGET = re.compile(r'label (%(?:[\w.$-]+|"[^"]*"))')
_MEMORY = re.compile(r"@llvm\.mem")
_INCOMING = re.compile(r", (?P<from>%[^\]]+) \]")


@dataclass(frozen=True)
class Read:
    """A read in a loop: `number` is its site's, or is made by `code`, as by IndexChecks.site."""

    address: str
    site: int
    code: Sequence[Instruction]
    number: str


class _Copy(NamedTuple):
    address: str
    number: str


@dataclass(eq=False)
class SeriesLoop:
    """A loop before which series of reads can be checked; `before` is the code to stand there."""

    block: Block
    entering: Block
    counter: Counter
    indices: IndexChecks
    own: set[str]
    """The values that the loop computes."""
    before: list[Instruction] = field(default_factory=list)

    def check(self, read: Read) -> bool:
        """Check a read of all rounds; False if its addresses may not be equally spaced."""
        steps = self._steps(read.address)
        if steps is None:
            return False
        # An index that has not wrapped in the first round is far outside of LDS before it does.
        name = f"%series.{read.site}"
        first = self._copy(steps, read, "first", self.counter.start)
        second = self._copy(steps, read, "second", self.counter.start + self.counter.step)
        self.before += [
            _added(f"{name}.from = ptrtoint ptr {first.address} to i64"),
            _added(f"{name}.to = ptrtoint ptr {second.address} to i64"),
            _added(f"{name}.stride = sub i64 {name}.to, {name}.from"),
            _added(
                f"call void @hip_emulator_series(ptr {first.address}, i64 {name}.stride, "
                f"i64 {self.counter.trips}, i32 {first.number})"
            ),
        ]
        return True

    def _copy(self, steps: Sequence[Instruction], read: Read, name: str, value: int) -> _Copy:
        """Compute a read's address and number as the round does in which the counter is `value`."""
        names = dict.fromkeys((self.counter.name, self.indices.wide(self.counter.name)), str(value))
        code = [each for step in steps for each in (step, *self.indices.beside(step))]
        for at, instruction in enumerate([*code, *read.code]):
            result = _RESULT.match(instruction.text)
            if result:
                names[result[1]] = f"%series.{read.site}.{name}.{at}"
            text = _NAME.sub(lambda match: names.get(match[0], match[0]), instruction.text)
            self.before.append(Instruction(text, None, "hook", None))
        return _Copy(names[read.address], names.get(read.number, read.number))

    def _steps(self, address: str) -> list[Instruction] | None:
        """What `address` is computed by in the loop, in order; None if it may not be linear."""
        wanted, steps = {address}, list[Instruction]()
        for instruction in reversed(self.block.instructions):
            if instruction.result not in wanted:
                continue
            if instruction.result == self.counter.name:
                continue
            if not self._is_linear(instruction):
                return None
            steps.insert(0, instruction)
            wanted |= self._inside(instruction)
        return steps if self.counter.name in wanted else None

    def _is_linear(self, instruction: Instruction) -> bool:
        inside = self._inside(instruction)
        if instruction.opcode in ("sext", "zext", "getelementptr", "add", "sub"):
            return True
        if instruction.opcode in ("mul", "shl"):
            # One factor only may change, and not the number of bits of a shift.
            return len(inside) == 1 and instruction.parts[1].split()[0] not in inside
        return " or disjoint " in instruction.text

    def _inside(self, instruction: Instruction) -> set[str]:
        """The values of the loop that an instruction uses."""
        return self.own & (set(_NAME.findall(instruction.text)) - {instruction.result})


def series_loops(
    function: Function,
    ranges: ValueRanges,
    indices: IndexChecks,
    only_reads: Callable[[Block], bool],
) -> dict[int, SeriesLoop]:
    """The loops of a function that consist of one block, by `id` of that block.

    `only_reads` tells whether a block leaves all memory but local variables as it is.
    """
    found: dict[int, SeriesLoop] = {}
    entries = _entries(function)
    for block in function.blocks:
        entering = entries.get(label_of(block), [])
        if len(entering) != 2 or not any(each is block for each in entering):
            continue
        if _calls(block) or not only_reads(block):
            continue
        counters = [
            counter
            for each in block.instructions
            if each.opcode == "phi" and (counter := ranges.counter(each))
        ]
        if len(counters) == 1 and counters[0].trips > 1:
            before = entering[0] if entering[1] is block else entering[1]
            own = {each.result for each in block.instructions if each.result}
            found[id(block)] = SeriesLoop(block, before, counters[0], indices, own)
    return found


def insert_series(function: Function, loops: Sequence[SeriesLoop]) -> None:
    """Put the checks where each loop is entered: in a block of their own."""
    for number, loop in enumerate(each for each in loops if each.before):
        label, name = label_of(loop.block), f"%series.{number}"
        end = loop.entering.instructions[-1]
        end.text = _TARGET.sub(
            lambda match, label=label, name=name: (
                f"label {name}" if match[1] == label else match[0]
            ),
            end.text,
        )
        for phi in loop.block.instructions:
            if " = phi " in phi.text:
                phi.text = _entered_from(phi.text, label, name)
        code = [*loop.before, _added(f"br label {label}")]
        function.blocks.insert(function.blocks.index(loop.block), Block(f"{name[1:]}:", code))


def _entered_from(phi: str, label: str, name: str) -> str:
    """A phi of a loop whose other way in is the block `name` from now on."""
    return _INCOMING.sub(lambda match: match[0] if match["from"] == label else f", {name} ]", phi)


def _entries(function: Function) -> dict[str, list[Block]]:
    """The blocks from which each block is entered."""
    entries: dict[str, list[Block]] = {}
    for block in function.blocks:
        if block.instructions:
            for label in _TARGET.findall(block.instructions[-1].text):
                entries.setdefault(label, []).append(block)
    return entries


def _calls(block: Block) -> bool:
    """Whether it calls what may end it, or something that reads and writes memory."""
    return any(
        each.opcode in ("call", "invoke")
        and ("@llvm." not in each.text or _MEMORY.search(each.text) is not None)
        for each in block.instructions
    )


def _added(text: str) -> Instruction:
    return Instruction(f"  {text}", None, "hook", None)
