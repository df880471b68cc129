"""The second mechanism, where no user namespace can be made: Landlock, seccomp, resource limits.

The box lies on the disk, its size watched from outside. When root starts it, the run gets a file
system of its own, made by mounts, as in bubblewrap. For anyone else everything stays at its real
path, and names and sizes of the machine's files can be seen (not their content). Needs Landlock 6
(Linux 6.12), the first that holds back signals.
"""

import contextlib
import ctypes
import json
import os
import platform
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from rocm_pipeline.lab.sandbox import cgroups, devices, profile, seccomp, usage
from rocm_pipeline.lab.sandbox.boxes import temporary_box
from rocm_pipeline.lab.sandbox.job import Job
from rocm_pipeline.lab.sandbox.staging import fresh_uid, sandbox_uid, within_reach
from rocm_pipeline.lab.sandbox.transfer import Transfer
from rocm_pipeline.lab.sandbox.watch import (
    DEATH_SECONDS,
    ON_ANSWER,
    Outcome,
    Watch,
    memory_file,
    start,
)

OLDEST = 6
_CREATE_RULESET, _VERSION = 444, 1
_LAUNCHER = Path(__file__).with_name("launcher.py")
# Resolved before a stage covers /tmp, where an environment and its links may lie.
_PYTHON = os.path.realpath(sys.executable)
_READABLE_NODES = ("/dev/zero", "/dev/random", "/dev/urandom")
_WRITABLE_NODES = ("/dev/null",)


def landlock_version() -> int:
    """What the kernel offers; 0 for none."""
    if platform.system() != "Linux":
        return 0
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


@dataclass(frozen=True)
class Places:
    """Where things stand for a run."""

    real: Mapping[str, str]
    """What a run inside bubblewrap would see, to the path that it has here."""

    def translated(self, text: str) -> str:
        """`text` with every path that starts at a known place."""
        return self._places.sub(lambda found: self.real[found[0]], text)

    def restored(self, output: bytes) -> bytes:
        """Output as bubblewrap's would read, so that no path of the machine is passed on."""
        for place, real in sorted(self.real.items(), key=lambda item: -len(item[1])):
            output = output.replace(real.encode(), place.encode())
        return output

    @cached_property
    def _places(self) -> "re.Pattern[str]":
        longest_first = sorted(self.real, key=len, reverse=True)
        return re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w.-])")


class LandlockMechanism:
    """Runs jobs behind Landlock; the box is a private folder whose size is watched."""

    name = "landlock"

    def __init__(self, tree: cgroups.Tree | None, *, own_files: bool = True) -> None:
        """`own_files`: give runs a file system of their own where that can be done, as root."""
        self._own_files = own_files and sandbox_uid() is not None
        self._tree = tree
        self._seccomp = seccomp.program(platform.machine(), namespaces=False)
        self._code = _LAUNCHER.read_text(encoding="utf-8")

    @property
    def identity(self) -> str:
        """E.g. `landlock 7 + own files + seccomp + no cgroup`."""
        files = ["own files"] if self._own_files else []
        walls = [f"landlock {landlock_version()}", *files, "seccomp"]
        return " + ".join([*walls, self._tree.identity if self._tree else "no cgroup"])

    def execute(self, job: Job) -> Outcome:
        """Run `job` to its end and bring its box up to date."""
        uid = fresh_uid()
        with contextlib.ExitStack() as stack:
            work = stack.enter_context(temporary_box())
            for name in ("box", "tmp", "root"):
                (work / name).mkdir()
            if uid is not None:
                for folder in (work, work / "box", work / "tmp"):
                    os.chown(folder, uid, uid)
            group = None
            if self._tree is not None:
                group = stack.enter_context(cgroups.group(self._tree, job.limits))
            sources = [work, job.box, *job.readonly.values()]
            return within_reach(
                sources, lambda reachable: self._started(job, reachable, uid, group)
            )

    def _started(
        self, job: Job, reachable: Sequence[str], uid: int | None, group: cgroups.Group | None
    ) -> Outcome:
        work, outside, *readonly = reachable
        real = {
            profile.BOX: f"{work}/box",
            "/tmp": f"{work}/tmp",
            **dict(zip(job.readonly, readonly, strict=True)),
        }
        places = Places({place: place for place in real} if self._own_files else real)
        with contextlib.ExitStack() as stack:
            box = os.open(f"{work}/box", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, box)
            transfer = Transfer(Path(outside), uid, job.limits)
            spec = self._spec(job, places, uid)
            if self._own_files:
                spec |= {"root": f"{work}/root", "view": _view(job, real)}
            spec_fd = stack.enter_context(memory_file(json.dumps(spec).encode()))
            status_read, status_write = os.pipe()
            stack.callback(os.close, status_read)
            with os.fdopen(status_write, "wb"):
                began = time.monotonic()
                process = start(
                    _PYTHON,
                    ["-I", "-S", "-c", self._code, str(spec_fd), str(status_write)],
                    inherited=[spec_fd, status_write],
                )
            stack.enter_context(process)

            def enter(pid: int) -> None:
                transfer.copy_in(box)
                if group is not None:
                    group.add(pid)

            outcome = _LandlockWatch(
                process,
                status_read,
                began,
                job.limits,
                on_ready=enter,
                look=usage.Gauge(work, job.limits).overfull,
            ).until_dead()
            return replace(
                outcome,
                stdout=places.restored(outcome.stdout),
                stderr=places.restored(outcome.stderr),
                left_out=() if outcome.stopped_for else transfer.copy_out(box),
            )

    def _spec(self, job: Job, places: Places, uid: int | None) -> dict[str, object]:
        """What the launcher is told: every path here is one that the run has."""
        variables = {**profile.ENVIRONMENT, **job.environment}
        translated = {name: places.translated(value) for name, value in variables.items()}
        argv = [*ON_ANSWER, *map(places.translated, job.argv)]
        if any("\0" in word for word in (*argv, *translated, *translated.values())):
            raise ValueError("a NUL byte in a path or in an environment variable")
        limits = profile.ceilings(job.limits)
        if uid is None:
            # the kernel counts all that we run, not this run alone
            limits["nproc"] += _own_threads()
        written = {profile.BOX, "/tmp"}
        return {
            "harness": os.getpid(),
            "argv": argv,
            "environment": translated,
            "folder": places.real[profile.BOX],
            "uid": uid,
            "groups": devices.groups(job.devices.values()),
            "limits": limits,
            "read": [
                *_system_folders(),
                *(real for place, real in places.real.items() if place not in written),
                *_READABLE_NODES,
            ],
            "write": [*(places.real[place] for place in sorted(written)), *_WRITABLE_NODES],
            "device": [*map(str, job.devices if self._own_files else job.devices.values())],
            "seccomp": self._seccomp.hex(),
        }


class _LandlockWatch(Watch):
    def first_pid(self) -> int | None:
        while self.reported("child-pid") is None:
            ready, _, _ = select.select([self.status_fd], [], [], DEATH_SECONDS)
            if not ready or not self.read(self.status_fd):
                return None
        return self.reported("child-pid")

    def kill(self) -> None:
        """Ask the launcher, which alone can reach all that it started, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(DEATH_SECONDS)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            raise RuntimeError(f"a sandbox outlived its end by {DEATH_SECONDS} s") from error


def _system_folders() -> list[str]:
    return [folder for folder in ("/usr", *profile.SYSTEM_FOLDERS) if os.path.isdir(folder)]


def _view(job: Job, real: Mapping[str, str]) -> dict[str, str]:
    """Everything that a run sees where it has a file system of its own, to where it lies."""
    same = (*_system_folders(), *_READABLE_NODES, *_WRITABLE_NODES)
    nodes = {place: str(source) for place, source in job.devices.items()}
    return {**{path: path for path in same}, **nodes, **real}


def _own_threads() -> int:
    """How many threads of this user there are on this machine."""
    threads = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid():
                threads += int((folder / "stat").read_text().rpartition(")")[2].split()[17])
    return threads
