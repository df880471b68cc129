"""The filter, executed by a small BPF machine, so that both machine types are tested anywhere."""

import errno
import re
import struct
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import SandboxUnavailable
from rocm_pipeline.lab.sandbox.seccomp import ALLOW, AUDIT_ARCH, ERRNO, KILL_PROCESS, program
from rocm_pipeline.lab.sandbox.syscalls import ABSENT, DENIED, FILTERED_BY_ARGUMENT, SHARED

MACHINES = ("x86_64", "aarch64")
EPERM = ERRNO | errno.EPERM
ENOSYS = ERRNO | errno.ENOSYS


def answer(
    machine: str,
    number: int,
    *arguments: int,
    architecture: int | None = None,
    namespaces: bool = True,
) -> int:
    """What the kernel would be told about a call."""
    filled = (*arguments, *[0] * (6 - len(arguments)))
    arch = AUDIT_ARCH[machine] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, arch, 0, *filled)
    code = list(struct.iter_unpack("=HBBI", program(machine, namespaces=namespaces)))
    register, at = 0, 0
    while True:
        operation, if_true, if_false, operand = code[at]
        at += 1
        if operation == 0x20:
            register = struct.unpack_from("=I", data, operand)[0]
        elif operation == 0x54:
            register &= operand
        elif operation == 0x06:
            return operand
        else:
            tests = {
                0x15: register == operand,
                0x35: register >= operand,
                0x45: bool(register & operand),
            }
            at += if_true if tests[operation] else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_is_refused_and_common_ones_are_allowed(machine: str) -> None:
    for name, numbers in DENIED.items():
        number = getattr(numbers, machine)
        if number is not None:
            assert answer(machine, number) == EPERM, name
    for numbers in ABSENT.values():
        assert answer(machine, getattr(numbers, machine)) == ENOSYS
    # read, write, openat, mmap, execve, futex, exit_group, prlimit64
    common = {
        "x86_64": (0, 1, 257, 9, 59, 202, 231, 302),
        "aarch64": (63, 64, 56, 222, 221, 98, 94, 261),
    }
    for number in common[machine]:
        assert answer(machine, number) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_are_judged_by_their_arguments(machine: str) -> None:
    number = {name: getattr(each, machine) for name, each in FILTERED_BY_ARGUMENT.items()}
    unix, inet, inet6, packet, alg, vsock = 1, 2, 10, 17, 38, 40
    for call in ("socket", "socketpair"):
        assert answer(machine, number[call], unix) == ALLOW
        for family in (inet, inet6, packet, alg, vsock):
            assert answer(machine, number[call], family) == EPERM
    thread_flags, sigchld = 0x3D0F00, 17
    assert answer(machine, number["clone"], thread_flags) == ALLOW
    assert answer(machine, number["clone"], sigchld) == ALLOW
    for bit in (17, 25, 26, 27, 28, 29, 30):  # CLONE_NEWNS ... CLONE_NEWNET
        assert answer(machine, number["clone"], sigchld | 1 << bit) == EPERM
    tcgets, tiocsti, tioclinux = 0x5401, 0x5412, 0x541C
    assert answer(machine, number["ioctl"], 0, tcgets) == ALLOW
    for request in (tiocsti, tioclinux, tiocsti | 1 << 32):  # the kernel reads 32 bits
        assert answer(machine, number["ioctl"], 0, request) == EPERM
    # The same argument values mean nothing to another call.
    assert answer(machine, 1, inet, tiocsti) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_that_nobody_has_looked_at_do_not_exist(machine: str) -> None:
    assert answer(machine, 462) == ALLOW
    assert answer(machine, 463) == ENOSYS
    assert answer(machine, 0x3FFFFFFF) == ENOSYS


def test_calls_of_another_instruction_set_kill() -> None:
    i386, arm = 0x40000003, 0x40000028
    assert answer("x86_64", 20, architecture=i386) == KILL_PROCESS
    assert answer("aarch64", 20, architecture=arm) == KILL_PROCESS
    assert answer("x86_64", 0x40000000) == KILL_PROCESS
    assert answer("x86_64", 0x40000000 | 39) == KILL_PROCESS


def test_a_machine_type_without_a_table_has_no_sandbox() -> None:
    with pytest.raises(SandboxUnavailable, match="riscv64"):
        program("riscv64")


@pytest.mark.parametrize(
    ("machine", "headers"),
    [
        (
            "x86_64",
            ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
        ),
        ("aarch64", ("/usr/include/asm-generic/unistd.h",)),
    ],
)
def test_the_numbers_are_the_kernels(machine: str, headers: tuple[str, ...]) -> None:
    paths = [Path("/usr/include", name) for name in headers]
    header = next((path for path in paths if path.exists()), None)
    if header is None:
        pytest.skip(f"the kernel headers are not installed: {headers}")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text())
    kernel = {name: int(number) for name, number in defined}
    for name, numbers in (DENIED | SHARED | ABSENT | FILTERED_BY_ARGUMENT).items():
        number = getattr(numbers, machine)
        # calls that are younger than the installed headers
        if name in kernel or number is None or number <= max(kernel.values()):
            assert number == kernel.get(name), name


@pytest.mark.parametrize("machine", MACHINES)
def test_without_namespaces_more_is_refused(machine: str) -> None:
    def alone(name: str, *arguments: int) -> int:
        number = getattr(FILTERED_BY_ARGUMENT[name], machine)
        assert answer(machine, number, *arguments) == ALLOW
        return answer(machine, number, *arguments, namespaces=False)

    for numbers in SHARED.values():
        number = getattr(numbers, machine)
        if number is not None:
            assert answer(machine, number) == ALLOW
            assert answer(machine, number, namespaces=False) == EPERM
    unix = 1
    assert alone("socket", unix) == EPERM
    stream, datagram, raw, sequence, cloexec, nonblock = 1, 2, 3, 5, 0o2000000, 0o4000
    for flags in (0, cloexec, cloexec | nonblock):
        for kind in (stream, sequence):
            assert alone("socketpair", unix, kind | flags) == ALLOW
        for kind in (0, datagram, raw, 10):
            assert alone("socketpair", unix, kind | flags) == EPERM
    for name in ("prlimit64", "sched_setaffinity"):
        assert alone(name, 0) == ALLOW
        assert alone(name, 1234) == EPERM
    # a null path means the descriptor itself, which had to be opened first
    assert alone("utimensat", 3, 0) == ALLOW
    assert alone("utimensat", 3, 0x1000) == EPERM
    assert alone("utimensat", 3, 1 << 40) == EPERM
