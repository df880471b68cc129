"""Making a kernel report what it does: hooks in the compiler's intermediate code.

Added to the optimised code are a number for every collective call and atomic, a check before every
load and store that is not provably the work-item's own (value_ranges.py) or before the loop that it
is in (lds_series.py), a second computation of indices (index_overflow.py), and a counter in every
basic block. The tables made here say what each number means.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from rocm_pipeline.lab.emulator.addresses import refuse_address_arithmetic
from rocm_pipeline.lab.emulator.build import BuildFailed, Site, SiteKind, Variable
from rocm_pipeline.lab.emulator.device_semantics import NOISE
from rocm_pipeline.lab.emulator.index_overflow import IndexChecks
from rocm_pipeline.lab.emulator.ir import (
    Block,
    Function,
    Instruction,
    Module,
    first_type,
    size_in_bytes,
    split_operands,
    symbol_in,
)
from rocm_pipeline.lab.emulator.layout import TypeLayout
from rocm_pipeline.lab.emulator.lds_series import (
    DYNAMIC_LDS,
    Read,
    SeriesLoop,
    insert_series,
    series_loops,
)
from rocm_pipeline.lab.emulator.operations import count_operations
from rocm_pipeline.lab.emulator.source import SOURCE_NAME
from rocm_pipeline.lab.emulator.value_ranges import ValueRanges, definitions_of

_COLLECTIVES = {
    "barrier": SiteKind.BARRIER,
    "wave_barrier": SiteKind.WAVE,
    "vote": SiteKind.WAVE,
    "read_lane": SiteKind.WAVE,
    "matrix": SiteKind.WAVE,
    "atomic_begin": SiteKind.ATOMIC,
    "grid_barrier": SiteKind.GRID_BARRIER,
    "assertion_failed": SiteKind.ASSERTION,
}
_COLLECTIVE = re.compile(rf"@hip_emulator_({'|'.join(_COLLECTIVES)})\(")
_ATOMIC_ADDRESS = re.compile(r"@hip_emulator_atomic_begin\([^%]*(%[\w.$-]+)")
_SITE_ARGUMENT = re.compile(r"i32 noundef 0\)(?=[^)]*$)")
_ALIGN = re.compile(r"align (\d+)")
_GLOBAL = re.compile(
    r'(?P<name>@[\w.$]+|@"[^"]*") = (?P<attributes>[^=]*?)\b(?P<kind>global|constant) (?P<rest>.*)'
)
_MEMORY_INTRINSIC = re.compile(r"@llvm\.(memcpy|memmove|memset)\.\S*?\((?P<arguments>.*)\)")
_OWN = ("@hip_emulator_", "@llvm.")
_UNSUPPORTED = {
    "atomicrmw": "compiler atomics",
    "cmpxchg": "compiler atomics",
    "fence": "compiler fences",
    "invoke": "exceptions",
}
_HOOKS = """\
@hip_emulator_counters = global [{blocks} x i64] zeroinitializer
@hip_emulator_objects = constant [{objects} x {{ ptr, i64 }}] [{object_rows}]
@__ehdr_start = external hidden global i8
@_end = external hidden global i8
{lds_symbols}
@hip_emulator_module = constant [4 x ptr] [{lds_range}, ptr @__ehdr_start, ptr @_end]
declare void @hip_emulator_access(ptr, i32)
declare void @hip_emulator_private_access(ptr, ptr, i64, i32)
declare void @hip_emulator_range(ptr, i64, i32)
declare void @hip_emulator_series(ptr, i64, i64, i32)
"""


@dataclass
class Tables:
    """What the numbers in instrumented code mean."""

    sites: list[Site] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    operations: list[dict[str, int]] = field(default_factory=list)
    block_lines: list[int | None] = field(default_factory=list)


@dataclass(frozen=True)
class _Global:
    symbol: str
    type: str
    variable: Variable


def instrument(module: Module, kernels: Sequence[str]) -> Tables:
    """Add hooks to `module`, in place; raises BuildFailed for what the emulator cannot run."""
    globals_ = _own_globals(module)
    tables = Tables(variables=[each.variable for each in globals_])
    numbers = {each.symbol: number for number, each in enumerate(globals_)}
    layout = TypeLayout(module.outside)
    for function in module.functions:
        if not _is_ours(function, kernels):
            refuse_address_arithmetic(function)
            _Instrumenter(function, numbers, tables, layout).run()
    module.outside.append(_declarations(globals_, tables))
    return tables


def number_collectives(module: Module, kernels: Sequence[str]) -> None:
    """Number the collective calls and nothing else, for plain execution at full speed."""
    count = 0
    for function in module.functions:
        if _is_ours(function, kernels):
            continue
        for block in function.blocks:
            for instruction in block.instructions:
                if _COLLECTIVE.search(instruction.text):
                    count += 1
                    instruction.text = _with_site(instruction.text, str(count))


def site_table(sites: Sequence[Site]) -> bytes:
    """The sites as the runtime reads them (`struct Site`); entry 0 is unused."""
    rows = [struct.pack("=IIIi", 0, 1, 0, -1)]
    for site in sites:
        is_write = site.kind is SiteKind.STORE
        rows.append(struct.pack("=IIIi", site.size, site.alignment, is_write, site.variable))
    return b"".join(rows)


def _is_ours(function: Function, kernels: Sequence[str]) -> bool:
    ours = {f"hip_emulator_{role}_{kernel}" for kernel in kernels for role in ("call", "launch")}
    return function.name in ours or function.name == "tsan.module_ctor"


def _with_site(text: str, site: str) -> str:
    return _SITE_ARGUMENT.sub(f"i32 noundef {site})", text)


def _own_globals(module: Module) -> list[_Global]:
    found: list[_Global] = []
    for line in module.outside:
        match = _GLOBAL.match(line)
        if not match or match["name"].startswith(_OWN) or "external" in match["attributes"]:
            continue
        variable = Variable(_plain_name(match["name"]), 'section "hip_lds"' in match["rest"])
        found.append(_Global(match["name"], first_type(match["rest"]), variable))
    return found


def _plain_name(symbol: str) -> str:
    """`@_ZZ6kernelE4tile` is the variable `tile`."""
    name = symbol.strip('@"')
    if name.startswith("_Z"):
        for match in re.finditer(r"(\d+)(?=[A-Za-z_])", name):
            end = match.end() + int(match[1])
            rest = name[end:]
            if end <= len(name) and (rest == "" or rest.startswith("_") or rest.isdigit()):
                return name[match.end() : end]
    return name


def _declarations(globals_: Sequence[_Global], tables: Tables) -> str:
    rows = ", ".join(
        f"{{ ptr, i64 }} {{ ptr {each.symbol}, i64 {_extent(each.type)} }}" for each in globals_
    )
    has_lds = any(each.variable.is_lds for each in globals_)
    symbols = [f"@__{edge}_hip_lds = external hidden global i8" for edge in ("start", "stop")]
    return _HOOKS.format(
        blocks=len(tables.operations),
        objects=len(globals_),
        object_rows=rows,
        lds_symbols="\n".join(symbols) if has_lds else "",
        lds_range="ptr @__start_hip_lds, ptr @__stop_hip_lds" if has_lds else "ptr null, ptr null",
    )


def _extent(kind: str) -> str:
    return f"ptrtoint (ptr getelementptr ({kind}, ptr null, i32 1) to i64)"


class _Instrumenter:
    """Adds hooks to one function."""

    def __init__(
        self, function: Function, variables: dict[str, int], tables: Tables, layout: TypeLayout
    ) -> None:
        self._function = function
        self._variables = variables
        self._tables = tables
        self._ranges = ValueRanges(function, layout)
        self._indices = IndexChecks(function, self._ranges)
        self._definitions = definitions_of(function)
        self._series = series_loops(function, self._ranges, self._indices, self._writes_locals_only)
        self._loop: SeriesLoop | None = None

    def run(self) -> None:
        mixes = count_operations(self._function)
        begin = self._indices.parameters()
        for block, mix in zip(self._function.blocks, mixes, strict=True):
            rewritten: list[Instruction] = []
            self._loop = self._series.get(id(block))
            counted = False
            for instruction in block.instructions:
                if instruction.opcode != "phi" and not counted:
                    # The entry, which has no phis, may come after an empty block.
                    counter = self._counter(mix, instruction.line)
                    place = self._loop.before if self._loop else rewritten
                    rewritten += begin
                    place += counter
                    begin, counted = [], True
                rewritten += self._hooks(instruction)
                rewritten.append(instruction)
                rewritten += self._indices.beside(instruction)
            block.instructions = rewritten
        insert_series(self._function, list(self._series.values()))

    def _counter(self, mix: dict[str, int], line: int | None) -> list[Instruction]:
        number = len(self._tables.operations)
        self._tables.operations.append(dict(mix))
        self._tables.block_lines.append(line)
        place = f"getelementptr (i8, ptr @hip_emulator_counters, i64 {8 * number})"
        times = self._loop.counter.trips if self._loop else 1
        return [
            _plain(f"  %count.{number} = load i64, ptr {place}"),
            _plain(f"  %more.{number} = add i64 %count.{number}, {times}"),
            _plain(f"  store i64 %more.{number}, ptr {place}"),
        ]

    def _hooks(self, instruction: Instruction) -> list[Instruction]:
        self._refuse(instruction)
        if instruction.opcode == "load":
            kind = first_type(_after(instruction, "load"))
            return self._access(instruction, SiteKind.LOAD, kind)
        if instruction.opcode == "store":
            kind = first_type(_after(instruction, "store"))
            return self._access(instruction, SiteKind.STORE, kind)
        if instruction.opcode == "call":
            return self._call(instruction)
        return []

    def _refuse(self, instruction: Instruction) -> None:
        what = _UNSUPPORTED.get(instruction.opcode)
        if re.search(r" (?:load|store) atomic ", instruction.text):
            what = "compiler atomics"
        if instruction.opcode == "call" and re.search(r" asm (?:sideeffect )?", instruction.text):
            what = "inline assembly"
        if what:
            raise _unsupported(instruction, f"{what} cannot run on the emulator")

    def _access(
        self, instruction: Instruction, site_kind: SiteKind, kind: str
    ) -> list[Instruction]:
        address = _address(instruction)
        root = self._root(address)
        if root in ("@hip_emulator_indices", NOISE):
            return []
        size = size_in_bytes(kind)
        if size is None:
            raise _unsupported(instruction, f"a memory access of type {kind} is not supported")
        align = _ALIGN.search(instruction.text)
        alignment = min(int(align[1]), 16) if align else 1
        if root.startswith("%"):
            if self._is_inside(address, root, size):
                return []
            number = self._site(instruction, site_kind, size, 1, root)
            extent = _extent(_after(self._definitions[root], "alloca"))
            return [
                _plain(
                    f"  call void @hip_emulator_private_access(ptr {address}, ptr {root}, "
                    f"i64 {extent}, i32 {number})"
                )
            ]
        number = self._site(instruction, site_kind, size, alignment, root)
        code, site = self._indices.site(address, number)
        if site_kind is SiteKind.LOAD and self._is_in_series(
            root, Read(address, number, code, site)
        ):
            return []
        return [*code, _plain(f"  call void @hip_emulator_access(ptr {address}, i32 {site})")]

    def _is_inside(self, address: str, root: str, size: int) -> bool:
        """Whether an access to a local variable stays inside of it, whatever happens."""
        if address == root:
            return True
        offset, extent = self._ranges.offset(address, root), self._ranges.extent(root)
        return offset is not None and extent is not None and offset.high + size <= extent

    def _is_in_series(self, root: str, read: Read) -> bool:
        number = self._variables.get(root, -1)
        is_lds = root == DYNAMIC_LDS or (number >= 0 and self._tables.variables[number].is_lds)
        return is_lds and self._loop is not None and self._loop.check(read)

    def _writes_locals_only(self, block: Block) -> bool:
        stores = (each for each in block.instructions if each.opcode == "store")
        return all(self._root(_address(each)).startswith("%") for each in stores)

    def _call(self, instruction: Instruction) -> list[Instruction]:
        collective = _COLLECTIVE.search(instruction.text)
        if collective:
            kind = _COLLECTIVES[collective[1]]
            number = self._site(instruction, kind, 0, 1, "")
            address = _ATOMIC_ADDRESS.search(instruction.text)
            code, site = self._indices.site(address[1] if address else "", number)
            instruction.text = _with_site(instruction.text, site)
            return code
        memory = _MEMORY_INTRINSIC.search(instruction.text)
        if memory is None:
            return []
        arguments = split_operands(memory["arguments"])
        size = arguments[2].split()[-1]
        hooks = self._range(instruction, SiteKind.STORE, arguments[0], size)
        if memory[1] != "memset":
            hooks += self._range(instruction, SiteKind.LOAD, arguments[1], size)
        return hooks

    def _range(
        self, instruction: Instruction, kind: SiteKind, argument: str, size: str
    ) -> list[Instruction]:
        address = _pointer_argument(argument)
        root = self._root(address)
        if root.startswith("%"):
            return []
        number = self._site(instruction, kind, 0, 1, root)
        code, site = self._indices.site(address, number)
        call = f"  call void @hip_emulator_range(ptr {address}, i64 {size}, i32 {site})"
        return [*code, _plain(call)]

    def _site(
        self, instruction: Instruction, kind: SiteKind, size: int, alignment: int, root: str
    ) -> int:
        variable = self._variables.get(root, -1)
        self._tables.sites.append(Site(kind, instruction.line, size, alignment, variable))
        return len(self._tables.sites)

    def _root(self, address: str) -> str:
        """What an address is made of: `@variable`, a local variable `%n`, or "" if unknown."""
        while address.startswith("%"):
            definition = self._definitions.get(address)
            if definition is None:
                return ""
            if definition.opcode == "alloca":
                return address if "align" in definition.parts[1] else ""
            if definition.opcode != "getelementptr":
                return ""
            address = definition.parts[1].strip().removeprefix("ptr ")
        return symbol_in(address) or ""


def _plain(text: str) -> Instruction:
    return Instruction(text, None, "hook", None)


def _address(access: Instruction) -> str:
    """The address operand of a load or store."""
    return access.parts[1].strip().removeprefix("ptr ")


def _after(instruction: Instruction, opcode: str) -> str:
    rest = instruction.parts[0].split(f" {opcode} ", 1)[1]
    return rest.removeprefix("volatile ")


def _pointer_argument(argument: str) -> str:
    """`ptr noundef nonnull align 4 %x` is `%x`; constants are bracketed expressions."""
    match = re.search(r'(?:getelementptr .*\(.*\)|[%@][\w.$-]+|[%@]"[^"]*")$', argument)
    if match is None:
        raise ValueError(f"unknown pointer argument: {argument}")
    return match[0]


def _unsupported(instruction: Instruction, message: str) -> BuildFailed:
    return BuildFailed(f"{SOURCE_NAME}:{instruction.line or 1}:1: error: UNSUPPORTED: {message}")
