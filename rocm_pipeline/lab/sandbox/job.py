"""What one run is asked to do, and who can do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rocm_pipeline.lab.sandbox.model import Limits
from rocm_pipeline.lab.sandbox.watch import Outcome


@dataclass(frozen=True)
class Job:
    """`readonly` and `devices` map absolute places inside to what stands there on the host."""

    argv: Sequence[str]
    box: Path
    readonly: Mapping[str, Path]
    devices: Mapping[str, Path]
    environment: Mapping[str, str]
    limits: Limits


class Mechanism(Protocol):
    """A way to contain a run on this machine."""

    @property
    def name(self) -> str:
        """One word, for tests and tables."""
        ...

    @property
    def identity(self) -> str:
        """For the record of a measurement: what contained it, with versions."""
        ...

    def execute(self, job: Job) -> Outcome:
        """Run `job` to its end; nothing of it lives on, and its box holds what it left."""
        ...
