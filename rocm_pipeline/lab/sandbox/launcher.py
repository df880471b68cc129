"""Runs one command under Landlock, a system-call filter and resource limits; then ends all of it.

Started as `python -I -S -c <this file> SPEC_FD STATUS_FD`: it imports nothing of ours, because it
stands outside every wall until it has built one. SPEC_FD holds a JSON object (see `landlock.py`).

It first fences itself in, so that no signal of its own can leave (Landlock scopes). The command
gets a second fence inside the first: it cannot signal this process, while `kill(-1)` from here
reaches everything inside and nothing else. Constants: `linux/landlock.h`, `linux/prctl.h`.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import stat
import struct
import sys
from typing import Any

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
EVERYTHING = (1 << 16) - 1
READ = EXECUTE | READ_FILE | READ_DIR
WRITE = EVERYTHING & ~(MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV)
DEVICE = READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV
FOR_FILES = EXECUTE | DEVICE
TCP_BIND_AND_CONNECT = 3
ABSTRACT_SOCKETS_AND_SIGNALS = 3

CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 4096, 8192, 16384, 1 << 18
# Of the machine's processes it shows this user's alone, and no settings of the kernel.
PROCESSES = "hidepid=2,subset=pid"

Spec = dict[str, Any]

libc = ctypes.CDLL(None, use_errno=True)


class EnoughError(Exception):
    """The harness wants the run ended, or is no more."""


def checked(result: int, action: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{action}: {os.strerror(ctypes.get_errno())}")
    return result


def prctl(option: int, argument: int, other: int = 0) -> None:
    longs = [ctypes.c_ulong(value) for value in (argument, other, 0, 0)]
    checked(libc.prctl(option, *longs), f"prctl {option}")


def restrict(files: int, network: int, scopes: int, rules: "list[tuple[str, int]]") -> None:
    """Enter a Landlock domain that allows of `files` and `network` only what `rules` grant."""
    attributes = struct.pack("=QQQ", files, network, scopes)
    size = ctypes.c_size_t(len(attributes))
    ruleset = checked(libc.syscall(CREATE_RULESET, attributes, size, 0), "landlock ruleset")
    for path, rights in rules:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not stat.S_ISDIR(os.fstat(target).st_mode):
            rights &= FOR_FILES
        rule = struct.pack("=Qi", rights, target)
        checked(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0), f"landlock rule {path}")
        os.close(target)
    checked(libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock")
    os.close(ruleset)


def fence() -> None:
    """No signal of ours reaches our parent any more; without that, `kill(-1)` must never run."""
    parent = os.getppid()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    restrict(0, 0, ABSTRACT_SOCKETS_AND_SIGNALS, [])
    try:
        os.kill(parent, 0)
    except PermissionError:
        return
    raise RuntimeError("this kernel's Landlock does not hold back signals")


def mount(source: str, place: str, kind: "str | None", flags: int, options: str = "") -> None:
    texts = [text.encode() if text else None for text in (source, place, kind, options)]
    result = libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3])
    checked(result, f"mount {place or source}")


def show(source: str, place: str, flags: int) -> None:
    """Let `source` be seen at `place` as well; a link becomes the same link."""
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.islink(source):
        os.symlink(os.readlink(source), place)
        return
    if os.path.isdir(source):
        os.makedirs(place, exist_ok=True)
    else:
        os.close(os.open(place, os.O_CREAT | os.O_CLOEXEC))
    mount(source, place, None, MS_BIND | MS_REC)
    mount("", place, None, MS_REMOUNT | MS_BIND | flags)


def leave_the_machine(root: str, view: "dict[str, str]", written: "list[str]") -> None:
    """Enter a file system, made at `root`, that holds `view` (places to sources) and no more."""
    checked(libc.unshare(CLONE_NEWNS), "unshare")
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("none", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64k")
    # a place inside another comes after it
    for place in sorted(view):
        show(view[place], root + place, MS_NOSUID | (0 if place in written else MS_RDONLY))
    os.mkdir(f"{root}/proc")
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, PROCESSES)
    mount("", root, None, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_RDONLY)
    os.chdir(root)
    # pivot_root would not work where the machine's root is an initramfs
    mount(".", "/", None, MS_MOVE)
    os.chroot(".")


def become(spec: Spec) -> None:
    """Give up everything, in the only order in which each step is still allowed."""
    os.setsid()
    if "view" in spec:
        leave_the_machine(spec["root"], spec["view"], spec["write"])
    os.chdir(spec["folder"])
    for name, value in spec["limits"].items():
        which = getattr(resource, f"RLIMIT_{name.upper()}")
        _, most = resource.getrlimit(which)
        if most != resource.RLIM_INFINITY:
            value = min(value, most)
        resource.setrlimit(which, (value, value))
    if spec["uid"] is not None:
        with contextlib.suppress(OSError):  # EINVAL: after the last capability
            for capability in range(64):
                prctl(PR_CAPBSET_DROP, capability)
        os.setgroups(spec["groups"])
        os.setresgid(spec["uid"], spec["uid"], spec["uid"])
        os.setresuid(spec["uid"], spec["uid"], spec["uid"])
    rights = {"read": READ, "write": WRITE, "device": DEVICE}
    rules = [(path, rights[kind]) for kind in rights for path in spec[kind]]
    restrict(EVERYTHING, TCP_BIND_AND_CONNECT, ABSTRACT_SOCKETS_AND_SIGNALS, rules)
    code = bytes.fromhex(spec["seccomp"])
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    checked(libc.prctl(PR_SET_SECCOMP, 2, program, 0, 0), "seccomp")


def command(spec: Spec) -> None:
    """The child: never returns."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        become(spec)
        os.closerange(3, 65536)
        argv = spec["argv"]
        os.execve(argv[0], argv, spec["environment"])
    except BaseException as error:
        os.write(2, f"{error}\n".encode())
    finally:
        os._exit(125)


def sweep() -> None:
    """Kill all that is inside our fence, at once, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def enough(number: int, frame: object) -> None:
    del number, frame
    raise EnoughError


def main() -> None:
    with os.fdopen(int(sys.argv[1])) as file:
        spec = json.load(file)
    status = int(sys.argv[2])
    signal.signal(signal.SIGTERM, enough)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    fence()
    try:
        if os.getppid() == spec["harness"]:
            run(spec, status)
    except EnoughError:
        pass
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sweep()


def run(spec: Spec, status: int) -> None:
    child = os.fork()
    if child == 0:
        command(spec)
    report(status, "child-pid", child)
    # the orphans of the command become our children, too
    while True:
        pid, how = os.wait()
        if pid == child:
            break
    if os.WIFSIGNALED(how):
        report(status, "exit-code", 128 + os.WTERMSIG(how))
    else:
        report(status, "exit-code", os.WEXITSTATUS(how))


def report(status: int, key: str, value: int) -> None:
    os.write(status, json.dumps({key: value}).encode() + b"\n")


main()
