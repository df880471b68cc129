"""From the runtime's findings, lines of integers, to words that an agent can act on."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

from rocm_pipeline.lab.emulator.build import EmulatorBuild
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundPlan

Triple = tuple[int, int, int]

_INTEGERS = 19
_MOST_LINES = 200
_LARGEST = 1 << 64
"""The runtime writes nothing longer than a machine word."""


class _Kind(IntEnum):
    """As in runtime/findings.h."""

    READ_OUT_OF_BOUNDS = 1
    WRITE_OUT_OF_BOUNDS = 2
    MISALIGNED = 3
    RACE_WRITE_WRITE = 4
    RACE_READ_WRITE = 5
    RACE_BETWEEN_BLOCKS = 6
    UNINITIALISED_LDS = 7
    UNINITIALISED_BUFFER = 8
    MISSED_BARRIER = 9
    DIFFERENT_BARRIERS = 10
    DEVICE_VARIABLE_WRITTEN = 11
    CRASH = 12
    OBJECT_OVERRUN = 13
    PARTIAL_MATRIX = 14
    MATRIX_NOT_REPEATED = 15
    ASSERTION = 16
    MISSED_GRID_BARRIER = 17
    GRID_TOO_LARGE = 18
    INDEX_WRAPS = 19
    STILL_RUNNING = 20
    STILL_WAITING = 21
    TOO_MUCH_WORK = 22


class _Space(IntEnum):
    NONE = 0
    GLOBAL = 1
    LDS = 2
    PRIVATE = 3


_STATUS = {
    _Kind.READ_OUT_OF_BOUNDS: Status.OUT_OF_BOUNDS,
    _Kind.WRITE_OUT_OF_BOUNDS: Status.OUT_OF_BOUNDS,
    _Kind.OBJECT_OVERRUN: Status.OUT_OF_BOUNDS,
    _Kind.MISALIGNED: Status.CRASHED,
    _Kind.RACE_WRITE_WRITE: Status.RACE,
    _Kind.RACE_READ_WRITE: Status.RACE,
    _Kind.RACE_BETWEEN_BLOCKS: Status.RACE,
    _Kind.MISSED_BARRIER: Status.RACE,
    _Kind.DIFFERENT_BARRIERS: Status.RACE,
    _Kind.UNINITIALISED_LDS: Status.NONDETERMINISTIC,
    _Kind.UNINITIALISED_BUFFER: Status.NONDETERMINISTIC,
    _Kind.DEVICE_VARIABLE_WRITTEN: Status.UNSUPPORTED,
    _Kind.CRASH: Status.CRASHED,
    _Kind.PARTIAL_MATRIX: Status.WRONG_VALUE,
    _Kind.MATRIX_NOT_REPEATED: Status.WRONG_VALUE,
    _Kind.ASSERTION: Status.CRASHED,
    _Kind.MISSED_GRID_BARRIER: Status.RACE,
    _Kind.GRID_TOO_LARGE: Status.UNSUPPORTED,
    _Kind.INDEX_WRAPS: Status.OUT_OF_BOUNDS,
    _Kind.STILL_RUNNING: Status.TIMEOUT,
    _Kind.STILL_WAITING: Status.TIMEOUT,
    _Kind.TOO_MUCH_WORK: Status.INCONCLUSIVE,
}
_SIGNALS = {
    4: "an illegal instruction",
    7: "a bus error",
    8: "an integer division by zero",
    11: "a memory fault, such as private memory or recursion beyond 64 KiB a work-item",
}
_DYNAMIC_LDS = -2


@dataclass(frozen=True)
class Names:
    """What the numbers in findings stand for: the build, the plan, and the buffers in order."""

    build: EmulatorBuild
    plan: BoundPlan
    buffers: Sequence[tuple[str, Array]]


@dataclass(frozen=True)
class _Raw:
    """One line as the runtime writes it (runtime/findings.cpp)."""

    kind: _Kind
    launch: int
    site: int
    block: Triple
    thread: Triple
    other: Triple | None
    other_site: int
    space: _Space
    object: int
    offset: int
    size: int
    extent: int


def read_findings(text: str, names: Names) -> list[Finding]:
    """Decode what the runtime wrote; lines that make no sense are left out.

    No more are read than the runtime ever writes, times the room that a forger may waste.
    """
    raws = (_parse(line) for line in islice(text.splitlines(), _MOST_LINES))
    return [_finding(raw, names) for raw in raws if raw is not None and _is_sound(raw, names)]


def _parse(line: str) -> _Raw | None:
    words = line.split()
    try:
        n = [int(word) for word in words]
        if len(n) != _INTEGERS or any(abs(number) > _LARGEST for number in n):
            return None
        return _Raw(
            kind=_Kind(n[0]),
            launch=n[1],
            site=n[2],
            block=(n[3], n[4], n[5]),
            thread=(n[6], n[7], n[8]),
            other=(n[10], n[11], n[12]) if n[9] else None,
            other_site=n[13],
            space=_Space(n[14]),
            object=n[15],
            offset=n[16],
            size=n[17],
            extent=n[18],
        )
    except ValueError:
        return None


def _is_sound(raw: _Raw, names: Names) -> bool:
    sites = len(names.build.sites)
    return (
        0 <= raw.launch < len(names.plan.launches)
        and 0 <= raw.site <= sites
        and 0 <= raw.other_site <= sites
    )


def _finding(raw: _Raw, names: Names) -> Finding:
    buffer = None
    if raw.space is _Space.GLOBAL and 0 <= raw.object < len(names.buffers):
        buffer = names.buffers[raw.object][0]
    return Finding(
        status=_STATUS[raw.kind],
        message=_message(raw, names),
        kernel=names.plan.launches[raw.launch].kernel,
        line=_loop_line(raw, names) or _line(raw.site, names),
        block=raw.block,
        thread=raw.thread,
        buffer=buffer,
    )


def _line(site: int, names: Names) -> int | None:
    return names.build.sites[site - 1].line if site else None


def _loop_line(raw: _Raw, names: Names) -> int | None:
    """The line of the loop that a run was in at its deadline."""
    lines = names.build.block_lines
    known = raw.kind in (_Kind.STILL_RUNNING, _Kind.TOO_MUCH_WORK) and 0 <= raw.object < len(lines)
    return lines[raw.object] if known else None


def _message(raw: _Raw, names: Names) -> str:
    place = _place(raw, names)
    other = _other(raw, names)
    match raw.kind:
        case _Kind.READ_OUT_OF_BOUNDS | _Kind.WRITE_OUT_OF_BOUNDS | _Kind.OBJECT_OVERRUN:
            return f"{_access(raw, names)} of {raw.size} bytes out of bounds: {place}. {_GUARD}"
        case _Kind.INDEX_WRAPS:
            return (
                f"integer overflow: the index of this {_access(raw, names)} does not fit into 32 "
                f"bits and wraps, which leads to {place}. Compute it in 64 bits, by a cast before "
                "the multiplication: (size_t)row * cols + col"
            )
        case _Kind.MISALIGNED:
            return (
                f"misaligned {_access(raw, names)}: {place}, which is no multiple of "
                f"{_alignment(raw, names)} bytes. Use a vector type only where base and row length "
                "keep it aligned, else go element by element"
            )
        case _Kind.RACE_WRITE_WRITE:
            return (
                f"race: this store and {other} in the same block write different values to {place} "
                "with no barrier in between. Let one of them write, use an atomic, or put "
                "__syncthreads() in between"
            )
        case _Kind.RACE_READ_WRITE:
            return (
                f"race: this {_access(raw, names)} and {other} in the same block meet at {place} "
                "with no barrier in between, and one of them writes. "
                "Put __syncthreads() in between (__syncwarp() is enough inside one wave)"
            )
        case _Kind.RACE_BETWEEN_BLOCKS:
            return (
                f"race between blocks: this {_access(raw, names)} meets {other} in another block "
                f"at {place}, and nothing orders blocks. Give each block its own part, use "
                "atomics, or split the work into two launches"
            )
        case _Kind.UNINITIALISED_LDS:
            return (
                f"read of LDS that no work-item of this block has written: {place}. "
                "LDS holds leftovers at first; write it before"
            )
        case _Kind.UNINITIALISED_BUFFER:
            return (
                f"read of memory that no kernel has written: {place}. "
                "Outputs and workspace hold garbage until they are written"
            )
        case _Kind.MISSED_BARRIER:
            return (
                f"this work-item waits at a barrier, but work-item {raw.other} of its block has "
                "returned: every work-item must reach __syncthreads(). "
                "Guard the work, not the barrier"
            )
        case _Kind.DIFFERENT_BARRIERS:
            return (
                f"this work-item waits at this barrier but meets {other} of its "
                "block: __syncthreads() must not stand under a condition that differs "
                "within the block"
            )
        case _Kind.DEVICE_VARIABLE_WRITTEN:
            return "writes to __device__ variables are not supported; use workspace"
        case _Kind.PARTIAL_MATRIX:
            return (
                "only some lanes of the wave reach this matrix instruction, which reads the "
                "registers of all of them: use blocks of whole waves and no branch around it"
            )
        case _Kind.MATRIX_NOT_REPEATED:
            return (
                "lanes 16 to 31 must hold the same A and B as lanes 0 to 15 for this gfx11 "
                "instruction: load them by the lane's number modulo 16"
            )
        case _Kind.ASSERTION:
            return "assertion failed: the condition of this assert() does not hold"
        case _Kind.MISSED_GRID_BARRIER:
            return (
                "this block waits for the whole grid, but another block has returned: every block "
                "must reach grid.sync(). Guard the work, not the barrier"
            )
        case _Kind.GRID_TOO_LARGE:
            return (
                "UNSUPPORTED: grid.sync() in a launch of more than 32 blocks or 16384 work-items, "
                "which need not be on the GPU at the same time. Launch less and loop, or split the "
                "work into two launches"
            )
        case _Kind.STILL_RUNNING:
            loop = _loop_line(raw, names)
            where = f"is in the loop on line {loop}" if loop else "is in a loop"
            access = f", its last memory access on line {_line(raw.site, names)}"
            return f"work-item {raw.thread} of block {raw.block} {where}{access * bool(raw.site)}"
        case _Kind.STILL_WAITING:
            kind = names.build.sites[raw.site - 1].kind.value if raw.site else "barrier"
            many = f"{raw.extent} work-items wait" if raw.extent != 1 else "1 work-item waits"
            return f"{many} at the {kind} on line {_line(raw.site, names)}"
        case _Kind.TOO_MUCH_WORK:
            loop = _loop_line(raw, names)
            busy = f", busiest in the loop on line {loop}" if loop else ""
            return f"{raw.offset} of the launch's {raw.extent} work-items have ended{busy}"
        case _Kind.CRASH:
            what = _SIGNALS.get(raw.extent, f"signal {raw.extent}")
            return f"{what}; the line is that of the last memory access before it"


def _other(raw: _Raw, names: Names) -> str:
    """The other side of a race: `the store on line 7 by work-item (1, 0, 0)`."""
    who = f" by work-item {raw.other}" if raw.other else ""
    if not raw.other_site:
        return f"an access{who}"
    kind = names.build.sites[raw.other_site - 1].kind
    return f"the {kind.value} on line {_line(raw.other_site, names)}{who}"


_GUARD = "Guard the index, or launch no more work-items than there is work"


def _access(raw: _Raw, names: Names) -> str:
    return names.build.sites[raw.site - 1].kind.value if raw.site else "access"


def _alignment(raw: _Raw, names: Names) -> str:
    return str(names.build.sites[raw.site - 1].alignment) if raw.site else "the access's"


def _place(raw: _Raw, names: Names) -> str:
    if raw.space is _Space.GLOBAL and 0 <= raw.object < len(names.buffers):
        name, array = names.buffers[raw.object]
        # not the array's type: numpy has none for bfloat16 and the 8-bit floats
        holds = f"{array.size} elements of {array.itemsize} bytes"
        return _element(f"'{name}'", raw, array.itemsize, holds)
    if raw.space is _Space.LDS:
        if raw.object == _DYNAMIC_LDS:
            return f"byte {raw.offset} of the dynamic LDS, {raw.extent} bytes by shared_bytes"
        if 0 <= raw.object < len(names.build.variables):
            variable = names.build.variables[raw.object]
            kind = "LDS array" if variable.is_lds else "module variable"
            return f"byte {raw.offset} of {kind} '{variable.name}', which has {raw.extent} bytes"
        return f"byte {raw.offset} of the static LDS"
    if raw.space is _Space.PRIVATE:
        return f"byte {raw.offset} of a local array, which has {raw.extent} bytes"
    return "an address that belongs to no buffer"


def _element(name: str, raw: _Raw, itemsize: int, holds: str) -> str:
    index, rest = divmod(raw.offset, max(itemsize, 1))
    return f"element {index}{f' (plus {rest} bytes)' if rest else ''} of {name}, which has {holds}"
