"""The one way in which agent-written code is compiled or run."""

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from rocm_pipeline.lab.sandbox import process, profile, seccomp
from rocm_pipeline.lab.sandbox.boxes import hand_over
from rocm_pipeline.lab.sandbox.detect import Bubblewrap, find_bubblewraps
from rocm_pipeline.lab.sandbox.hints import what_to_enable
from rocm_pipeline.lab.sandbox.model import Completed, Limits, SandboxUnavailable
from rocm_pipeline.lab.sandbox.self_check import failures
from rocm_pipeline.lab.sandbox.staging import sandbox_uid, within_reach
from rocm_pipeline.lab.sandbox.text import plain

_KILLED = -9
_DEFAULT_LIMITS = Limits()


class Sandbox:
    """Runs programs that nobody trusts: no network, no secrets, one folder to write in."""

    def __init__(self, bubblewrap: Bubblewrap) -> None:
        self._bubblewrap = bubblewrap
        self._seccomp = seccomp.program(platform.machine())

    @classmethod
    def detect(cls) -> "Sandbox":
        """The sandbox of this machine, proven by a short self-check, once per process.

        Raises SandboxUnavailable: nothing may run outside a sandbox.
        """
        return _detect()

    @property
    def identity(self) -> str:
        """For the record of a measurement, e.g. `bubblewrap 0.11.0 + seccomp`."""
        return f"{self._bubblewrap.identity} + seccomp"

    def run(
        self,
        argv: Sequence[str],
        *,
        box: Path,
        readonly: Mapping[str, Path] = {},
        environment: Mapping[str, str] = {},
        limits: Limits = _DEFAULT_LIMITS,
    ) -> Completed:
        """Run `argv` with `box` as /box, its working folder and the only one it can fill.

        `readonly` maps absolute places inside to host files and folders. When root calls, the box
        and what it holds change owner. Safe to call from many threads, with a box for each.
        Raises FileNotFoundError for a host path that is not there, SandboxUnavailable when
        bubblewrap itself fails; what the program does is in the result, whatever it does.
        """
        box = box.resolve(strict=True)
        uid = sandbox_uid()
        if uid is not None:
            hand_over(box, uid)
        places = list(readonly)

        def started(reachable: Sequence[str]) -> process.Outcome:
            folder, reachable_box, *sources = reachable
            return process.execute(
                f"{folder}/{self._bubblewrap.inner}",
                profile.options(
                    box=reachable_box,
                    readonly=dict(zip(places, sources, strict=True)),
                    environment=environment,
                    limits=limits,
                ),
                profile.limited(argv, limits),
                seccomp=self._seccomp,
                uid=uid,
                limits=limits,
            )

        sources = [self._bubblewrap.folder, box, *readonly.values()]
        return _completed(within_reach(sources, started))


def _completed(outcome: process.Outcome) -> Completed:
    stderr = plain(outcome.stderr)
    code = outcome.exit_code
    if outcome.timed_out:
        code = _KILLED
    elif code is None:
        raise SandboxUnavailable(
            f"bubblewrap failed: {stderr.strip() or 'it was killed'}",
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
    )


@cache
def _detect() -> Sandbox:
    complaints: list[str] = []
    for bubblewrap in find_bubblewraps():
        sandbox = Sandbox(bubblewrap)
        try:
            found = failures(lambda argv, box, s=sandbox: s.run(argv, box=box))
        except SandboxUnavailable as error:
            found = [error.what]
        if not found:
            return sandbox
        complaints.append(f"{bubblewrap.identity}: {', '.join(found)}")
    raise SandboxUnavailable(
        "; ".join(complaints) or "no bubblewrap",
        where="sandbox",
        fix=what_to_enable(installed=bool(complaints)),
    )
