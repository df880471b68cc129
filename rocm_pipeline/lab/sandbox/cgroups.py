"""Control groups: ceilings for a whole run, where this process may make groups.

Version 1 (one tree a controller) and version 2 (one tree) of the kernel's interface. Groups are
made below our own group, or beside it where the tree was handed to us (systemd's Delegate=);
our own process is never moved. A group carries the pid and start time of its maker in its name,
so that the next start can tell and remove what a killed harness left.
"""

import contextlib
import itertools
import os
import re
import signal
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rocm_pipeline.lab.sandbox.model import Limits

_CONTROLLERS = ("memory", "pids")
_NAME = re.compile(r"rocm-pipeline-(\d+)-(\d+)-\d+")
_EMPTY_SECONDS = 2.0
_numbers = itertools.count()


@dataclass(frozen=True)
class Tree:
    """Folders in which we may make groups, for the controllers that each serves."""

    version: int
    parents: Mapping[str, Path]
    """By controller; version 2 has the same folder for both."""

    @property
    def identity(self) -> str:
        return f"cgroup v{self.version} ({', '.join(self.parents)})"

    @property
    def folders(self) -> list[Path]:
        return sorted(set(self.parents.values()))


@dataclass(frozen=True)
class Group:
    """The groups of one run, one a tree."""

    folders: Sequence[Path]

    def add(self, pid: int) -> None:
        """Move `pid` in; what it starts from now on is in as well."""
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))


@cache
def usable() -> Tree | None:
    """Where groups can be made; None when nowhere. Removes stale groups on the way."""
    tree = find(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup").read_text())
    if tree is None:
        return None
    remove_stale(tree)
    try:
        with group(tree, Limits()):
            return tree
    except OSError:
        return None


def find(root: Path, own: str) -> Tree | None:
    """The tree for a process whose /proc/self/cgroup reads `own`; nothing is made or changed."""
    paths: dict[str, str] = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    old = {c: _below(root / c, paths[c]) for c in _CONTROLLERS if c in paths}
    old = {c: folder for c, folder in old.items() if os.access(folder, os.W_OK)}
    if old:
        return Tree(1, old)
    if "" not in paths:
        return None
    ours = _below(root, paths[""])
    for folder in (ours, ours.parent):
        if folder.is_relative_to(root) and _hands_down(folder):
            return Tree(2, dict.fromkeys(_CONTROLLERS, folder))
    return None


@contextlib.contextmanager
def group(tree: Tree, limits: Limits) -> Generator[Group, None, None]:
    """A group under `limits`; at the end all that is left in it is killed and it is removed."""
    name = f"rocm-pipeline-{os.getpid()}-{_start_time(os.getpid())}-{next(_numbers)}"
    made = Group([folder / name for folder in tree.folders])
    try:
        for folder in made.folders:
            folder.mkdir()
        for controller, parent in tree.parents.items():
            for file, value in _ceilings(tree.version, controller, limits).items():
                path = parent / name / file
                # swap accounting may be off
                if path.exists():
                    path.write_text(str(value))
        yield made
    finally:
        for folder in made.folders:
            _remove(folder)


def remove_stale(tree: Tree) -> list[str]:
    """Remove the groups of harnesses that are no more; returns their names."""
    removed: list[str] = []
    for folder in tree.folders:
        for stale in folder.glob("rocm-pipeline-*"):
            match = _NAME.fullmatch(stale.name)
            if match and _start_time(int(match[1])) != match[2]:
                _remove(stale)
                removed.append(stale.name)
    return removed


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _hands_down(folder: Path) -> bool:
    try:
        enabled = (folder / "cgroup.subtree_control").read_text().split()
    except OSError:
        return False
    # moving a process needs the common ancestor's list as well
    writable = all(os.access(path, os.W_OK) for path in (folder, folder / "cgroup.procs"))
    return writable and set(_CONTROLLERS) <= set(enabled)


def _ceilings(version: int, controller: str, limits: Limits) -> dict[str, int]:
    if controller == "pids":
        return {"pids.max": limits.processes}
    total = limits.total_memory_bytes
    if version == 1:
        return {"memory.limit_in_bytes": total, "memory.memsw.limit_in_bytes": total}
    return {"memory.max": total, "memory.swap.max": 0, "memory.oom.group": 1}


def _remove(folder: Path) -> None:
    """Kill and remove; a group that will not empty is left for the next start."""
    give_up = time.monotonic() + _EMPTY_SECONDS
    while time.monotonic() < give_up:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            _kill_members(folder)
            time.sleep(0.001)
        else:
            return


def _kill_members(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in map(int, (folder / "cgroup.procs").read_text().split()):
            # 0 stands for a process that our pid namespace does not show
            if pid > 0:
                os.kill(pid, signal.SIGKILL)


def _start_time(pid: int) -> str:
    """In clock ticks since boot, which tells a pid from its later reuse; empty for no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
