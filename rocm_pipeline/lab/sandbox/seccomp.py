"""The system-call filter: a classic-BPF program for `bwrap --seccomp`.

A deny-list is the second wall, behind namespaces and an unprivileged uid: it closes kernel
interfaces that no compiler and no kernel under test needs. Layouts and constants:
`linux/seccomp.h`, `linux/audit.h`, `linux/bpf_common.h`.
"""

import errno
import struct

from rocm_pipeline.lab.sandbox.model import SandboxUnavailable
from rocm_pipeline.lab.sandbox.syscalls import (
    ABSENT,
    DENIED,
    FILTERED_BY_ARGUMENT,
    LAST_KNOWN,
    SHARED,
    Numbers,
)

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_BIT = 0x40000000

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
ERRNO = 0x00050000

# CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}; clone() cannot make a time namespace.
NAMESPACE_FLAGS = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x70000000
AF_UNIX = 1
SOCK_STREAM, SOCK_SEQPACKET = 1, 5
SOCK_TYPE_MASK = 0xF
TIOCSTI = 0x5412  # types into the controlling terminal
TIOCLINUX = 0x541C  # pastes into a virtual console

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

# Offsets in struct seccomp_data; an argument's low word, both machine types being little-endian.
_NUMBER, _ARCHITECTURE = 0, 4

_Instruction = tuple[int, int, int, int]


def program(machine: str, *, namespaces: bool = True) -> bytes:
    """The filter for `machine` (`platform.machine()`), as an array of `struct sock_filter`.

    Without `namespaces` it also refuses what they would keep apart: sockets by name and any that
    could send to a name, System V IPC, the scheduling and limits of other processes, and changes
    of a file's attributes by path, which Landlock does not judge.

    Raises SandboxUnavailable for a machine type without a table.
    """
    if machine not in AUDIT_ARCH:
        raise SandboxUnavailable(
            f"no system-call filter for {machine}",
            where="sandbox",
            fix=f"Use one of: {', '.join(AUDIT_ARCH)}.",
        )
    code: list[_Instruction] = [
        _load(_ARCHITECTURE),
        (_EQUAL, 1, 0, AUDIT_ARCH[machine]),
        _answer(KILL_PROCESS),
        _load(_NUMBER),
    ]
    if machine == "x86_64":
        code += _when(_AT_LEAST, X32_BIT, KILL_PROCESS)
    code += _when(_AT_LEAST, LAST_KNOWN + 1, ERRNO | errno.ENOSYS)
    for numbers in ABSENT.values():
        code += _when(_EQUAL, _number(numbers, machine), ERRNO | errno.ENOSYS)
    for numbers in (DENIED if namespaces else DENIED | SHARED).values():
        if getattr(numbers, machine) is not None:
            code += _when(_EQUAL, _number(numbers, machine), ERRNO | errno.EPERM)

    refuse = ERRNO | errno.EPERM
    only_unix = [_load(_argument(0)), (_EQUAL, 1, 0, AF_UNIX), _answer(refuse), _answer(ALLOW)]
    no_namespace = [_load(_argument(0)), *_when(_ANY_BIT, NAMESPACE_FLAGS, refuse), _answer(ALLOW)]
    no_typing = [
        _load(_argument(1)),
        *_when(_EQUAL, TIOCSTI, refuse),
        *_when(_EQUAL, TIOCLINUX, refuse),
        _answer(ALLOW),
    ]
    checks = {
        "socket": only_unix if namespaces else [_answer(refuse)],
        "socketpair": only_unix,
        "clone": no_namespace,
        "ioctl": no_typing,
    }
    if not namespaces:
        own = [_load(_argument(0)), (_EQUAL, 1, 0, 0), _answer(refuse), _answer(ALLOW)]
        by_descriptor = [
            *(_load(_argument(1)), (_EQUAL, 1, 0, 0), _answer(refuse)),
            *(_load(_argument(1) + 4), (_EQUAL, 1, 0, 0), _answer(refuse)),
            _answer(ALLOW),
        ]
        # a datagram socket sends to any address, though it is one of a pair
        to_each_other = [
            *(_load(_argument(0)), (_EQUAL, 1, 0, AF_UNIX), _answer(refuse)),
            *(_load(_argument(1)), (_AND, 0, 0, SOCK_TYPE_MASK)),
            *_when(_EQUAL, SOCK_STREAM, ALLOW),
            *_when(_EQUAL, SOCK_SEQPACKET, ALLOW),
            _answer(refuse),
        ]
        checks |= {
            "socketpair": to_each_other,
            "prlimit64": own,
            "sched_setaffinity": own,
            "utimensat": by_descriptor,
        }
    for name, check in checks.items():
        number = _number(FILTERED_BY_ARGUMENT[name], machine)
        code += [(_EQUAL, 0, len(check), number), *check]
    code.append(_answer(ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _number(numbers: Numbers, machine: str) -> int:
    return int(getattr(numbers, machine))


def _argument(index: int) -> int:
    return 16 + 8 * index


def _load(offset: int) -> _Instruction:
    return (_LOAD, 0, 0, offset)


def _answer(action: int) -> _Instruction:
    return (_RETURN, 0, 0, action)


def _when(test: int, operand: int, action: int) -> list[_Instruction]:
    return [(test, 0, 1, operand), _answer(action)]
