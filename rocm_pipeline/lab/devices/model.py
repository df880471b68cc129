"""What is known about a device, and what a program for it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Kind(str, Enum):
    """Where a candidate can run."""

    AMD = "amd"
    NVIDIA = "nvidia"
    CPU = "cpu"


class DeviceFacts(BaseModel):
    """A device, as its driver describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    architecture: str
    """gfx942, sm_90; `cpu` for the emulator."""
    wave: int
    memory_bytes: int = Field(ge=0)
    cache_bytes: int = Field(ge=0)
    """The L2 cache; an Infinity Cache is not told by the driver."""
    compute_units: int = Field(ge=0)
    shared_bytes: int = Field(ge=0)
    """LDS that one block may have."""
    clock_mhz: int = Field(ge=0)
    """The highest engine clock."""
    driver: str

    @property
    def label(self) -> str:
        return f"{self.name} ({self.architecture})"


@dataclass(frozen=True)
class Driver:
    """A device's C library on this machine, and what a sandbox needs to use it."""

    kind: Kind
    library: Path
    readonly: Mapping[str, Path]
    nodes: Mapping[str, Path]
    number: int = 0

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self.library.parent)}


@dataclass(frozen=True)
class Absent:
    """A device that cannot be used here."""

    kind: Kind
    reason: str
    fix: str


@dataclass(frozen=True)
class Program:
    """A candidate compiled for one device, as a code object or PTX; with its source's hash."""

    architecture: str
    image: bytes
    source_sha256: str
    shared_bytes: Mapping[str, int] = field(default_factory=dict[str, int])
    """Dynamic LDS that kernels need on top of what the plan says, by name (large_shared.py)."""
