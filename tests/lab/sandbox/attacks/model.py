"""An attack is a Python program that prints WORKED when it has done its harm."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rocm_pipeline.lab.sandbox import Limits

WORKED = "WORKED"

METADATA = {
    "landlock without root": "Landlock does not judge stat(): names, sizes and owners can be seen"
}

PRELUDE = """
import ctypes, errno, glob, json, mmap, os, resource, signal, socket, struct, subprocess, sys, time
A = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *words):
    result = libc.syscall(ctypes.c_long(number), *[
        word if isinstance(word, (bytes, ctypes.Array)) else ctypes.c_long(word) for word in words])
    if result < 0: raise OSError(ctypes.get_errno(), 'system call')
    return result
def reaches(number, *words):
    'Whether the kernel looks at the call at all: its arguments are wrong on purpose.'
    try: call(number, *words)
    except OSError as error: assert error.errno not in (errno.EPERM, errno.ENOSYS), error
def attempt(action):
    try: return action()
    except OSError: return None
def worked(): print('WORKED', flush=True)
"""


@dataclass(frozen=True)
class Attack:
    """`code` runs in the sandbox and outside; `holds_not` says why a mechanism cannot contain it.

    `limits` are those of the sandboxed run. An attack on resources stays small outside.
    """

    name: str
    code: str
    limits: Limits = field(default_factory=lambda: Limits(wall_seconds=10))
    holds_not: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def program(self) -> str:
        return PRELUDE + self.code


def refused_call(name: str, numbers: str) -> Attack:
    """A system call that the kernel must not even look at; `numbers` are the call's, x86-64's."""
    return Attack(name, f"reaches({numbers})\nworked()\n")
