"""Which process does a piece of work, and whether that process is surely gone."""

import os
import socket
import time
from functools import cache
from pathlib import Path


def this_process() -> str:
    """Return a name that no other process has had or will have on any machine.

    Where it runs (see `this_world`), PID, and the start time that tells two holders of one PID
    apart. Away from Linux only the PID is known.
    """
    return _name_of(os.getpid())


@cache
def _name_of(pid: int) -> str:
    """Of this process, which reads its start time once: it is asked for with every request."""
    return f"{this_world()}:{pid}:{_start_ticks(pid)}"


@cache
def this_world() -> str:
    """Return where this process's PID means something: machine, boot, PID namespace.

    A container's PIDs are its own. Empty away from Linux.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{_machine()}/{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def is_gone(owner: str) -> bool:
    """True only when the process is known to have ended; of another machine's we know nothing."""
    world, pid, started = owner.rsplit(":", 2)
    if world == this_world() != "":
        return _start_ticks(int(pid)) != started
    return _is_of_an_earlier_boot(world)


def is_known(owner: str) -> bool:
    """Say whether `is_gone` can tell of this process: it runs, or ran, where this one does."""
    world = owner.rsplit(":", 2)[0]
    return world == this_world() != "" or _is_of_an_earlier_boot(world)


def is_gone_since(world: str, pid: int, seen_at: float) -> bool:
    """True only when process `pid` of `world`, alive at `seen_at` (seconds, epoch), has ended."""
    if world == this_world() != "":
        ticks = _start_ticks(pid)
        return not ticks or _epoch_of(int(ticks)) > seen_at + 1.0
    return _is_of_an_earlier_boot(world)


def _is_of_an_earlier_boot(world: str) -> bool:
    machine, boot, *_ = [*world.rsplit("/", 2), ""]
    here_machine, here_boot, *_ = [*this_world().rsplit("/", 2), ""]
    return machine == here_machine != "" and boot != here_boot


def _machine() -> str:
    """The host's name and its installation's id: copies of one image share the latter."""
    try:
        installed = Path("/etc/machine-id").read_text().strip()
    except OSError:
        installed = ""
    return f"{socket.gethostname()}.{installed}"


def _epoch_of(ticks: int) -> float:
    """When a process that started `ticks` clock ticks after boot started, in seconds, epoch."""
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def _start_ticks(pid: int) -> str:
    """Clock ticks since boot at which `pid` started (proc(5), field 22); empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The command name, in parentheses, may itself hold spaces and parentheses.
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    return "" if state in "ZX" else fields[18]
