"""What a sandboxed process sees: the bubblewrap arguments."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from rocm_pipeline.lab.sandbox.model import Limits

BOX = "/box"
"""The run's working folder, as the run sees it."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": BOX, "TMPDIR": "/tmp", "LANG": "C.UTF-8"}
SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_RESERVED = ("/box", "/proc", "/dev", "/tmp", "/usr", *SYSTEM_FOLDERS)


def options(
    *,
    box_bytes: int,
    readonly: Mapping[str, str],
    devices: Mapping[str, str],
    environment: Mapping[str, str],
    limits: Limits,
) -> list[str]:
    """bubblewrap's options; values of `readonly` and `devices` are paths bubblewrap can reach.

    Raises ValueError for a `readonly` place that is not absolute, or that the profile itself uses.
    """
    size = ["--size", str(limits.file_bytes)]
    return [
        *("--unshare-all", "--unshare-user", "--disable-userns"),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--hostname", "box", "--clearenv"),
        *_environment({**ENVIRONMENT, **environment}),
        *_system(),
        *("--proc", "/proc"),
        *("--dev", "/dev", *size, "--tmpfs", "/dev/shm"),
        *(word for place in devices for word in ("--dev-bind", devices[place], place)),
        *("--remount-ro", "/dev"),
        *(*size, "--tmpfs", "/tmp"),
        *_readonly(readonly),
        *("--size", str(box_bytes), "--tmpfs", BOX, "--chdir", BOX),
        # The root folder is an unlimited in-memory file system: nothing may be written there.
        *("--remount-ro", "/"),
    ]


def limited(argv: Sequence[str], limits: Limits) -> list[str]:
    """`argv` under resource limits, set inside the sandbox by util-linux's prlimit.

    Set outside, the limit on processes would count all that the uid runs on this machine; set
    inside, the kernel (5.14 on) counts those in the sandbox's user namespace. The limits are
    hard ones, which a process without capabilities cannot raise.
    """
    return [
        "/usr/bin/prlimit",
        *(f"--{k}={v}:{v}" for k, v in ceilings(limits).items()),
        "--",
        *argv,
    ]


def ceilings(limits: Limits) -> dict[str, int]:
    """Resource limits, soft and hard alike, by prlimit's names."""
    return {
        "nproc": limits.processes,
        "cpu": limits.cpu_seconds,
        "as": limits.memory_bytes,
        "fsize": limits.file_bytes,
        "nofile": 256,
        "core": 0,
        "memlock": 0,
        "msgqueue": 0,
        "sigpending": 1024,
    }


def _environment(variables: Mapping[str, str]) -> list[str]:
    return [word for name, value in variables.items() for word in ("--setenv", name, value)]


def _system() -> list[str]:
    words = ["--ro-bind", "/usr", "/usr"]
    for folder in map(Path, SYSTEM_FOLDERS):
        if folder.is_symlink():
            words += ["--symlink", os.readlink(folder), str(folder)]
        elif folder.is_dir():
            words += ["--ro-bind", str(folder), str(folder)]
    return words


def _readonly(places: Mapping[str, str]) -> list[str]:
    words: list[str] = []
    # A place inside another must be bound after it.
    for place in sorted(places):
        check_place(place)
        words += ["--ro-bind", places[place], place]
    return words


def check_place(place: str) -> None:
    """Raises ValueError for a place that is not absolute and plain, or that is the sandbox's."""
    path = PurePosixPath(place)
    if str(path) != place or not path.is_absolute() or ".." in path.parts or place == "/":
        raise ValueError(f"not a plain absolute path inside the sandbox: {place!r}")
    if any(path.is_relative_to(reserved) for reserved in _RESERVED):
        raise ValueError(f"{place!r} would cover a part of the sandbox itself")
