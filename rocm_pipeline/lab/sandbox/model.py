"""What a sandboxed run may use, and what comes back from it."""

from dataclasses import dataclass

from rocm_pipeline.errors import UserError


@dataclass(frozen=True)
class Limits:
    """Ceilings of one run; each is enforced by the kernel or by the parent, never by the child."""

    wall_seconds: float = 20.0
    """Everything in the sandbox is killed after this long, measured outside."""
    cpu_seconds: int = 20
    """RLIMIT_CPU, per process."""
    memory_bytes: int = 2 << 30
    """RLIMIT_AS, per process."""
    processes: int = 32
    """RLIMIT_NPROC, for this run alone; with control groups the most threads in all, too."""
    file_bytes: int = 256 << 20
    """Largest file (RLIMIT_FSIZE), and the size of each in-memory folder (/tmp, /dev/shm)."""
    output_bytes: int = 1 << 20
    """How much of stdout, and of stderr, is kept; the rest is read and dropped."""
    box_bytes: int = 1 << 30
    """What the box may hold in all, on top of what it held at the start."""
    box_files: int = 20_000
    """How many files and folders the box may hold before the run is stopped."""

    @property
    def total_memory_bytes(self) -> int:
        """Where control groups can be made: one process at its limit and a full box."""
        return self.memory_bytes + self.box_bytes

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, not {value}")


@dataclass(frozen=True)
class Completed:
    """A finished run. Its text was written by the child: data to show, never to trust.

    `returncode` is negative for a signal. A shell-style exit code of 128 + n also reads as signal
    n, because bubblewrap reports both alike.
    """

    returncode: int
    stdout: str
    stderr: str
    truncated: bool
    timed_out: bool
    seconds: float
    left_out: tuple[str, ...] = ()
    """What the run made in its box and what did not come back, with the reason; at most 20."""
    stopped_for: str = ""
    """Why the run was killed before its time; empty when it was not."""


class SandboxUnavailable(UserError):  # noqa: N818
    """This machine cannot contain agent-written code, so none is run."""
