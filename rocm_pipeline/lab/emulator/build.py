"""What a kernel became: a library for the emulator and the tables that explain its events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum

from rocm_pipeline.lab.source_hash import carried_hash, hash_of, mismatch


class BuildFailed(Exception):  # noqa: N818
    """The source does not compile for the emulator.

    `diagnostics` is the compiler's text, with the line numbers of the source as it was given.
    """

    def __init__(self, diagnostics: str) -> None:
        super().__init__(diagnostics)
        self.diagnostics = diagnostics


class ParameterKind(str, Enum):
    OTHER = "other"
    POINTER = "pointer"
    INTEGER = "integer"
    FLOATING = "floating"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel."""

    kind: ParameterKind
    size: int


class SiteKind(str, Enum):
    LOAD = "load"
    STORE = "store"
    ATOMIC = "atomic"
    BARRIER = "barrier"
    WAVE = "wave operation"
    GRID_BARRIER = "barrier of the grid"
    ASSERTION = "assertion"


@dataclass(frozen=True)
class Site:
    """A memory access or collective call. Sites are numbered from 1, in program order."""

    kind: SiteKind
    line: int | None
    size: int = 0
    """Bytes; 0 when known at run time only."""
    alignment: int = 1
    variable: int = -1
    """Index of the module variable that the address is made of, -1 for none."""


@dataclass(frozen=True)
class Variable:
    """A variable of the module itself: LDS, constant memory or a device variable."""

    name: str
    is_lds: bool


@dataclass(frozen=True)
class EmulatorBuild:
    """Kernels compiled for the emulator, for one wave size."""

    source_sha256: str
    """Of the candidate's source; the library must carry it, too."""
    library: bytes
    wave: int
    kernels: Mapping[str, tuple[Parameter, ...]]
    sites: tuple[Site, ...]
    variables: tuple[Variable, ...]
    operations: tuple[Mapping[str, int], ...]
    """Operations by kind in each basic block, counted once an execution by one work-item."""
    block_lines: tuple[int | None, ...] = ()
    """The line that each basic block begins on."""

    @property
    def waits_for_the_grid(self) -> bool:
        """Whether blocks wait for each other, so that few can be launched, and only together."""
        return any(site.kind is SiteKind.GRID_BARRIER for site in self.sites)

    def foreign(self) -> str | None:
        """Say why the library is not of the build's source, or return None. Ask before each use."""
        return mismatch(carried_hash(self.library), self.source_sha256)

    def is_of(self, source: str, kernels: Sequence[str], wave: int) -> bool:
        """Whether this is a build of `kernels` of `source`, for that wave size."""
        return (
            self.source_sha256 == hash_of(source)
            and self.wave == wave
            and set(self.kernels) == set(kernels)
            and self.foreign() is None
        )

    def to_bytes(self) -> bytes:
        fields = asdict(self)
        del fields["library"]
        head = json.dumps(fields).encode()
        return len(head).to_bytes(8, "little") + head + self.library

    @classmethod
    def from_bytes(cls, data: bytes) -> "EmulatorBuild | None":
        """Read what `to_bytes` wrote; None for anything else."""
        try:
            return cls._read(data)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    @classmethod
    def _read(cls, data: bytes) -> "EmulatorBuild":
        end = 8 + int.from_bytes(data[:8], "little")
        fields = json.loads(data[8:end])
        return cls(
            source_sha256=fields["source_sha256"],
            library=data[end:],
            wave=fields["wave"],
            kernels={
                name: tuple(Parameter(ParameterKind(p["kind"]), p["size"]) for p in parameters)
                for name, parameters in fields["kernels"].items()
            },
            sites=tuple(Site(SiteKind(s.pop("kind")), **s) for s in fields["sites"]),
            variables=tuple(Variable(**variable) for variable in fields["variables"]),
            operations=tuple(fields["operations"]),
            block_lines=tuple(fields["block_lines"]),
        )
