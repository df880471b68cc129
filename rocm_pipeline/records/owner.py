"""Which process made a call, and whether that process is surely gone."""

import os
from functools import cache
from pathlib import Path


def this_process() -> str:
    """Return a name that no other process has had or will have on any machine.

    Machine boot, PID namespace (a container's PIDs are its own), PID, and the start time that
    tells two holders of one PID apart. Away from Linux only the PID is known.
    """
    pid = os.getpid()
    return f"{_world()}:{pid}:{_start_time(pid)}"


def is_gone(owner: str) -> bool:
    """True only when the process is known to have ended; of another machine's we know nothing."""
    world, pid, started = owner.rsplit(":", 2)
    return world == _world() != "" and _start_time(int(pid)) != started


@cache
def _world() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _start_time(pid: int) -> str:
    """Clock ticks since boot at which `pid` started (proc(5), field 22); empty when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The command name, in parentheses, may itself hold spaces and parentheses.
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    return "" if state in "ZX" else fields[18]
