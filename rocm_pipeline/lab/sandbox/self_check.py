"""Proof, before any agent-written code runs, that this machine's sandbox holds.

The questions are answered from inside a sandbox, by system programs in bubblewrap and by Python
behind Landlock, where /proc cannot be read. They test that each
wall stands (the kernel may be built or configured without one), not that it is high enough: that
is what the attack tests are for.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from rocm_pipeline.lab.sandbox.boxes import temporary_box
from rocm_pipeline.lab.sandbox.model import Completed

_PROBE = """
echo '== status'; cat /proc/self/status
echo '== limits'; cat /proc/self/limits
echo '== network'; cat /proc/net/dev
echo '== environ'; cat /proc/1/environ; echo
echo '== outside'; for path in /etc /root /home /var /sys; do test -e $path && echo $path; done
echo '== written'; for path in /usr/w /w /dev/w /proc/sys/kernel/core_pattern; do
  (: >> $path) 2> /dev/null && echo $path; done
echo '== processes'; echo /proc/[0-9]*
echo '== namespace'; unshare --user true 2>&1
echo '== end'
"""

_Sections = Mapping[str, str]


class Run(Protocol):
    """`Sandbox.run`, or what a test puts in its place."""

    def __call__(
        self, argv: Sequence[str], /, *, box: Path, readonly: Mapping[str, Path] = ...
    ) -> Completed: ...


def bubblewrap_failures(run: Run) -> list[str]:
    """What does not hold, in words; empty when the sandbox may be used."""
    with temporary_box() as box:
        done = run(["/bin/sh", "-c", _PROBE], box=box)
    sections = _sections(done.stdout)
    if done.returncode != 0 or list(sections) != re.findall(r"== (\w+)", _PROBE):
        return [f"the self-check ended with {done.returncode}: {done.stderr.strip()}"]
    return [complaint for complaint, holds in _WALLS.items() if not holds(sections)]


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^== (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _status(sections: _Sections, field: str) -> str:
    found = re.search(rf"^{field}:\s*(.*)$", sections["status"], re.MULTILINE)
    return "" if found is None else found[1].strip()


def _limited(sections: _Sections, name: str) -> bool:
    return re.search(rf"^{name} +\d+ +\d+ ", sections["limits"], re.MULTILINE) is not None


_WALLS: dict[str, Callable[[_Sections], bool]] = {
    "system calls are not filtered": lambda s: _status(s, "Seccomp") == "2",
    "new privileges can be gained": lambda s: _status(s, "NoNewPrivs") == "1",
    "it holds capabilities": lambda s: not int(_status(s, "CapPrm") + _status(s, "CapBnd"), 16),
    "it runs as root": lambda s: "0" not in _status(s, "Uid").split(),
    "memory is not limited": lambda s: _limited(s, "Max address space"),
    "the number of processes is not limited": lambda s: _limited(s, "Max processes"),
    "the network can be reached": lambda s: re.findall(r"(\S+):", s["network"]) in ([], ["lo"]),
    "the environment can be read": lambda s: not s["environ"].strip(),
    "folders of the machine can be seen": lambda s: not s["outside"],
    "folders of the machine can be written": lambda s: not s["written"],
    "other processes can be seen": lambda s: len(s["processes"].split()) <= 5,
    # Where namespaces are merely used up, the answer is another one.
    "the filter lets a denied system call pass": lambda s: "not permitted" in s["namespace"],
}


# Each line answers one question: true when the wall stands. Nothing is written anywhere but in
# places that must refuse it, and no signal but 0 is sent.
_QUESTIONS = """
import ctypes, errno, json, os, resource, socket
def refused(action, *numbers):
    try: action()
    except OSError as error: return error.errno in (numbers or (errno.EACCES, errno.EPERM))
    return False
def plant(path):
    open(path, 'x').close()
    os.unlink(path)
def limited(name): return resource.getrlimit(getattr(resource, name))[1] != -1
libc = ctypes.CDLL(None, use_errno=True)
def call(*words):
    result = libc.syscall(*map(ctypes.c_long, words))
    return OSError(ctypes.get_errno(), '') if result < 0 else None
def raising(error):
    if error: raise error
NUMBERS = {'x86_64': (272, 29), 'aarch64': (97, 194)}[os.uname().machine]
DENIED = (errno.EACCES, errno.EPERM)
# A run with a file system of its own, which takes root, must not even learn of others' names.
# In two parts, because elsewhere the box's place is replaced in every argument.
OWN = os.getcwd() == os.sep + 'box'
ABSENT = (*DENIED, errno.ENOENT) if OWN else DENIED
print(json.dumps({
    'it runs as root': 0 not in os.getresuid() + os.getresgid() + tuple(os.getgroups()),
    'system calls are not filtered': refused(lambda: raising(call(NUMBERS[0], 0x10000000)), 1),
    'memory can be shared with the machine':
        refused(lambda: raising(call(NUMBERS[1], 0, 4096, 0o1600)), 1),
    'memory is not limited': limited('RLIMIT_AS'),
    'the number of processes is not limited': limited('RLIMIT_NPROC'),
    'the network can be reached': refused(lambda: socket.socket(socket.AF_INET)),
    'sockets of the machine can be reached': refused(lambda: socket.socket(socket.AF_UNIX)),
    'the environment holds more than was given':
        not set(os.environ) - {'PATH', 'HOME', 'TMPDIR', 'LANG', 'LC_CTYPE', 'PWD'},
    'files of the machine can be read':
        all(refused(lambda p=p: open(p), *ABSENT) for p in ('/etc/passwd', '/proc/self/environ')),
    'folders of the machine can be listed':
        all(refused(lambda p=p: os.listdir(p), *ABSENT)
            for p in ('/', '/etc', '/home', '/proc', '/dev')),
    'names of the machine can be seen':
        not OWN or all(refused(lambda p=p: os.stat(p), errno.ENOENT)
                       for p in ('/etc/passwd', '/sys/kernel', '/proc/sys', '/proc/1')),
    'folders of the machine can be written':
        all(refused(lambda p=p: plant(p + '/rocm-pipeline-check'), *ABSENT, errno.EROFS)
            for p in ('/usr', '/var/tmp', '/dev/shm', '/etc')),
    'other processes can be signalled':
        all(refused(lambda p=p: os.kill(p, 0), 1) for p in (1, os.getppid())),
}))
"""

_ASKED = re.findall(r"^    '([a-z ]+)':", _QUESTIONS, re.MULTILINE)


def landlock_failures(run: Run) -> list[str]:
    """What does not hold, in words; empty when the sandbox may be used."""
    prefix = Path(sys.base_prefix)
    readonly = {} if prefix.is_relative_to("/usr") else {str(prefix): prefix}
    python = f"{prefix}/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    with temporary_box() as box:
        done = run([python, "-I", "-S", "-c", _QUESTIONS], box=box, readonly=readonly)
    try:
        answers = json.loads(done.stdout)
    except json.JSONDecodeError:
        answers = {}
    if done.returncode != 0 or len(answers) != len(_ASKED):
        return [f"the self-check ended with {done.returncode}: {done.stderr.strip()}"]
    return [complaint for complaint, stands in answers.items() if stands is not True]


CHECKS: dict[str, Callable[[Run], list[str]]] = {
    "bubblewrap": bubblewrap_failures,
    "landlock": landlock_failures,
}
