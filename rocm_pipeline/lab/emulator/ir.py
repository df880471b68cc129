"""Reading LLVM's textual intermediate code, as far as instrumentation needs it.

The text comes from the pinned compiler (LLVM 22) with optimisation done, so an instruction is one
line, names are plain and pointers are opaque.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_DEFINITION = re.compile(r'define .*?@(?P<name>[\w.$]+|"[^"]+")\(')
_LABEL = re.compile(r'(?:[\w.$-]+|"[^"]*"):')
_INSTRUCTION = re.compile(
    r'  (?:(?P<result>%[\w.$-]+|%"[^"]*") = )?(?:(?:tail|musttail|notail) )?(?P<opcode>[a-z]\w*)'
)
_LOCATION = re.compile(r"!(\d+) = (?:distinct )?!DILocation\(line: (\d+)")
_DEBUG = re.compile(r",? !dbg !(\d+)")
_METADATA = re.compile(r", ![\w.]+ !\d+")
_SYMBOL = re.compile(r'ptr (@[\w.$]+|@"[^"]*")')
_VECTOR = re.compile(r"<(\d+) x (.+)>")
_SCALAR_BITS = {"half": 16, "bfloat": 16, "float": 32, "double": 64, "ptr": 64}
_OPENING, _CLOSING = "([{<", ")]}>"


@dataclass
class Instruction:
    """One instruction: its text, and what it is made of."""

    text: str
    result: str | None
    opcode: str
    line: int | None

    @property
    def parts(self) -> list[str]:
        """The operands: the text split at commas outside brackets."""
        return split_operands(self.text)


@dataclass
class Block:
    """A basic block. `label` is its label's line, None for a function's entry."""

    label: str | None
    instructions: list[Instruction] = field(default_factory=list)


@dataclass
class Function:
    """A function with a body; `header` is its `define` line."""

    name: str
    header: str
    blocks: list[Block]


@dataclass
class Module:
    """`outside` are all lines that belong to no function."""

    outside: list[str]
    functions: list[Function]

    def text(self) -> str:
        """The module as text; without debug information, which is not needed any more."""
        lines = [_DEBUG.sub("", line) for line in self.outside if not line.startswith("!")]
        for function in self.functions:
            lines.append(_DEBUG.sub("", function.header))
            for block in function.blocks:
                if block.label is not None:
                    lines.append(block.label)
                lines += [
                    _METADATA.sub("", each.text)
                    for each in block.instructions
                    if "(metadata " not in each.text
                ]
            lines.append("}")
        return "\n".join(lines) + "\n"


def parse_module(text: str) -> Module:
    """Read a module; `switch` and its cases become one instruction."""
    lines = text.splitlines()
    locations = {int(m[1]): int(m[2]) for m in map(_LOCATION.match, lines) if m}
    outside: list[str] = []
    functions: list[Function] = []
    rows = iter(lines)
    for row in rows:
        match = _DEFINITION.match(row)
        if match:
            functions.append(_parse_function(match["name"], row, rows, locations))
        else:
            outside.append(row)
    return Module(outside, functions)


def _parse_function(
    name: str, header: str, rows: Iterator[str], locations: dict[int, int]
) -> Function:
    blocks = [Block(None)]
    line: int | None = None
    for row in rows:
        if row == "}":
            break
        if not row or row.startswith("  #dbg"):
            continue
        if _LABEL.match(row):
            blocks.append(Block(row))
            continue
        if row.endswith("["):
            row = "\n".join([row, *_until(rows, "  ]")])
        debug = _DEBUG.search(row)
        # What the optimiser made belongs to the instruction before it.
        line = (locations.get(int(debug[1])) or line) if debug else line
        match = _INSTRUCTION.match(row)
        if match is None:
            raise ValueError(f"unknown instruction: {row}")
        blocks[-1].instructions.append(Instruction(row, match["result"], match["opcode"], line))
    return Function(name, header, blocks)


def _until(rows: Iterator[str], start: str) -> Iterator[str]:
    for row in rows:
        yield row
        if row.startswith(start):
            return


def split_operands(text: str) -> list[str]:
    """Split at commas that no bracket encloses."""
    if not any(bracket in text for bracket in _OPENING):
        return text.split(", ")
    parts: list[str] = []
    depth = begin = 0
    for i, character in enumerate(text):
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[begin:i])
            begin = i + 2
    return [*parts, text[begin:]]


def first_type(text: str) -> str:
    """The type that `text` begins with: up to the first blank outside brackets."""
    depth = 0
    for i, character in enumerate(text):
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character == " " and depth == 0:
            return text[:i]
    return text


def elements(kind: str) -> tuple[int, str]:
    """Number and type of a type's elements: `<4 x float>` is (4, "float"), `i32` (1, "i32")."""
    vector = _VECTOR.fullmatch(kind)
    return (int(vector[1]), vector[2]) if vector else (1, kind)


def size_in_bytes(kind: str) -> int | None:
    """Size of a first-class type; None for arrays and structures."""
    count, scalar = elements(kind)
    if scalar.startswith("i") and scalar[1:].isdigit():
        bits = int(scalar[1:])
    else:
        bits = _SCALAR_BITS.get(scalar, 0)
    return (count * bits + 7) // 8 or None


def symbol_in(operand: str) -> str | None:
    """The global that a constant pointer operand is made of."""
    if operand.startswith("@"):
        return operand
    match = _SYMBOL.search(operand)
    return match[1] if match else None
