"""Test kernels in one call: a real compiler, a real sandbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import (
    BlockSample,
    Emulator,
    EmulatorBuild,
    EmulatorRun,
    instrumentation,
)
from rocm_pipeline.lab.emulator.lds_series import SeriesLoop
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan

HEADER = "#include <hip/hip_runtime.h>\n"


@dataclass(frozen=True)
class Start:
    """One launch of a test kernel; integers become int32 arguments, floats float32."""

    kernel: str
    args: Sequence[str | int | float]
    grid: tuple[int, int, int] = (1, 1, 1)
    block: tuple[int, int, int] = (64, 1, 1)
    shared_bytes: int = 0


def checks_loops_at_once(build: EmulatorBuild) -> bool:
    return b"hip_emulator_series" in build.library


def _no_loops(*_: object) -> dict[int, SeriesLoop]:
    return {}


@dataclass
class Bench:
    """Builds and runs test kernels in one call."""

    emulator: Emulator
    builds: dict[tuple[str, int], EmulatorBuild] = field(default_factory=dict)

    def build(self, body: str, kernels: Sequence[str], wave: int) -> EmulatorBuild:
        key = (body, wave)
        if key not in self.builds:
            self.builds[key] = self.emulator.build(HEADER + body, kernels, wave)
        return self.builds[key]

    def build_with_each_read_alone(
        self, body: str, kernels: Sequence[str], wave: int, monkeypatch: pytest.MonkeyPatch
    ) -> EmulatorBuild:
        """As `build`, and for later runs of `body`, but no loop's reads are checked together."""
        with monkeypatch.context() as patch:
            patch.setattr(instrumentation, "series_loops", _no_loops)
            built = self.build(body, kernels, wave)
        assert not checks_loops_at_once(built)
        return built

    def run(
        self,
        body: str,
        starts: Start | Sequence[Start],
        buffers: Mapping[str, Array],
        *,
        wave: int = 64,
        uninitialised: Sequence[str] = (),
        reverse: bool = False,
        sample_blocks: int | None = None,
        profile: bool = False,
        cpu_seconds: float = 60,
        kernels: Sequence[str] = (),
    ) -> EmulatorRun:
        launches = [starts] if isinstance(starts, Start) else list(starts)
        scalars: dict[str, np.generic] = {}
        bound = tuple(_bound(launch, scalars) for launch in launches)
        built = kernels or list(dict.fromkeys(launch.kernel for launch in launches))
        return self.emulator.run(
            self.build(body, built, wave),
            BoundPlan(bound, ()),
            buffers,
            scalars,
            outputs=list(buffers),
            uninitialised=uninitialised,
            reverse=reverse,
            samples=[BlockSample(sample_blocks)] * len(bound) if sample_blocks else (),
            profile=profile,
            cpu_seconds=cpu_seconds,
        )


def _bound(launch: Start, scalars: dict[str, np.generic]) -> BoundLaunch:
    names: list[str] = []
    for value in launch.args:
        if isinstance(value, str):
            names.append(value)
            continue
        name = f"scalar{len(scalars)}"
        scalars[name] = np.int32(value) if isinstance(value, int) else np.float32(value)
        names.append(name)
    return BoundLaunch(launch.kernel, launch.grid, launch.block, launch.shared_bytes, tuple(names))
