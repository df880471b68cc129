"""The one way in which agent-written code is compiled or run."""

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from rocm_pipeline.interruption import go_on
from rocm_pipeline.lab.sandbox import cgroups, profile, self_check
from rocm_pipeline.lab.sandbox import devices as gpu
from rocm_pipeline.lab.sandbox.bubblewrap import BubblewrapMechanism
from rocm_pipeline.lab.sandbox.detect import find_bubblewraps
from rocm_pipeline.lab.sandbox.hints import what_to_enable
from rocm_pipeline.lab.sandbox.job import Job, Mechanism
from rocm_pipeline.lab.sandbox.landlock import OLDEST, LandlockMechanism, landlock_version
from rocm_pipeline.lab.sandbox.model import Completed, Limits, SandboxUnavailable
from rocm_pipeline.lab.sandbox.text import plain
from rocm_pipeline.lab.sandbox.watch import Outcome

_KILLED = -9
_DEFAULT_LIMITS = Limits()


class Sandbox:
    """Runs programs that nobody trusts: no network, no secrets, one folder to write in."""

    def __init__(self, mechanism: Mechanism) -> None:
        self._mechanism = mechanism

    @classmethod
    def detect(cls) -> "Sandbox":
        """The strongest sandbox of this machine, proven by a self-check, once per process.

        Raises SandboxUnavailable: nothing may run outside a sandbox.
        """
        return _detect()

    @property
    def mechanism(self) -> str:
        """`bubblewrap` or `landlock`."""
        return self._mechanism.name

    @property
    def identity(self) -> str:
        """For the record of a measurement, e.g. `bubblewrap 0.11.0 + seccomp + no cgroup`."""
        return self._mechanism.identity

    def run(
        self,
        argv: Sequence[str],
        *,
        box: Path,
        readonly: Mapping[str, Path] = {},
        devices: Mapping[str, Path] = {},
        environment: Mapping[str, str] = {},
        limits: Limits = _DEFAULT_LIMITS,
    ) -> Completed:
        """Run `argv` in a copy of `box`, its working folder and the only one it can fill.

        Afterwards `box` holds the plain files that the run left, and the result names what stayed
        behind; after a run that was stopped for filling it, the box is as it was. Inside, the
        box is /box. `readonly` maps absolute places inside to host files and folders, `devices`
        the places of GPU nodes (`lab.sandbox.devices`) to those of the host.
        Safe to call from many threads, with a box for each. Raises KeyboardInterrupt, in all of
        them, when the command is stopped.

        Raises FileNotFoundError for a host path that is not there, ValueError for a place that
        is the sandbox's own or no GPU's, SandboxUnavailable when the mechanism itself fails; what
        the program does is in the result, whatever it does.
        """
        go_on()
        for place in readonly:
            profile.check_place(place)
        gpu.check(devices)
        resolved = {place: path.resolve(strict=True) for place, path in readonly.items()}
        job = Job(argv, box.resolve(strict=True), resolved, devices, environment, limits)
        return _completed(self._mechanism.execute(job), self._mechanism.name)


def _completed(outcome: Outcome, mechanism: str) -> Completed:
    stderr = plain(outcome.stderr)
    code = outcome.exit_code
    if outcome.timed_out or outcome.stopped_for:
        code = _KILLED
    elif code is None:
        raise SandboxUnavailable(
            f"{mechanism} failed: {stderr.strip() or 'it was killed'}",
            where="sandbox",
            fix=what_to_enable(installed=True),
        )
    elif code > 128:
        code = 128 - code
    return Completed(
        returncode=code,
        stdout=plain(outcome.stdout),
        stderr=stderr,
        truncated=outcome.truncated,
        timed_out=outcome.timed_out,
        seconds=outcome.seconds,
        left_out=outcome.left_out,
        stopped_for=outcome.stopped_for,
    )


def mechanisms() -> list[Mechanism]:
    """What this machine may have, strongest first; whether each holds is yet to be proven."""
    tree = cgroups.usable() if platform.system() == "Linux" else None
    found: list[Mechanism] = [BubblewrapMechanism(each, tree) for each in find_bubblewraps()]
    if landlock_version() >= OLDEST:
        found.append(LandlockMechanism(tree))
    return found


def complaints_about(mechanism: Mechanism) -> list[str]:
    """What of this mechanism does not hold here; empty when it may be used."""
    sandbox = Sandbox(mechanism)
    try:
        return self_check.CHECKS[mechanism.name](sandbox.run)
    except SandboxUnavailable as error:
        return [error.what]


@cache
def _detect() -> Sandbox:
    complaints: list[str] = []
    for mechanism in mechanisms():
        found = complaints_about(mechanism)
        if not found:
            return Sandbox(mechanism)
        complaints.append(f"{mechanism.identity}: {', '.join(found)}")
    raise SandboxUnavailable(
        "; ".join(complaints) or f"no bubblewrap, and no Landlock {OLDEST} (Linux 6.12) either",
        where="sandbox",
        fix=what_to_enable(installed=bool(find_bubblewraps())),
    )
