"""The CPU as a device: the checking emulator behind the same interface. It measures no time."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from rocm_pipeline.lab.cases import poisoned
from rocm_pipeline.lab.devices.job import DeviceJob
from rocm_pipeline.lab.devices.model import DeviceFacts, Kind, Program
from rocm_pipeline.lab.devices.results import DeviceRun, Key, Run
from rocm_pipeline.lab.emulator import BuildFailed, Emulator, EmulatorRun
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.source_hash import hash_of
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.subject import Role, Wave


class CpuDevice:
    """The emulator with one wave size, 32 or 64."""

    kind = Kind.CPU

    def __init__(self, sandbox: Sandbox, cache: Path, wave: Wave = 64) -> None:
        self.sandbox = sandbox.identity
        self._emulator = Emulator(sandbox, cache / "emulator")
        self._wave: Wave = wave
        self._sources: dict[str, str] = {}

    def describe(self) -> DeviceFacts:
        return DeviceFacts(
            name="CPU emulator",
            architecture="cpu",
            wave=self._wave,
            memory_bytes=0,
            cache_bytes=0,
            compute_units=0,
            shared_bytes=0,
            clock_mhz=0,
            driver=self._emulator.identity[:12],
        )

    def compile(self, source: str, facts: DeviceFacts) -> Program | Finding:
        """Remember the source: it is compiled with the kernels that a plan names."""
        self._sources[hash_of(source)] = source
        return Program(facts.architecture, b"", hash_of(source))

    def run(self, job: DeviceJob, wall_seconds: float = 60) -> DeviceRun:
        """Run the schedule, each run in a process of its own."""
        runs: list[Run] = []
        outputs: dict[Key, Mapping[str, Array]] = {}
        for program, which in job.schedule:
            done = self._one(job, program, which, wall_seconds)
            if isinstance(done, DeviceRun):
                return done
            if done.status is not Status.PASSED:
                return DeviceRun(done.findings)
            if done.changed:
                message = f"the kernel wrote to its input '{done.changed[0]}'"
                return DeviceRun.failed(Status.CHEAT, message)
            content = b"".join(done.outputs[t.name].tobytes() for t in job.outputs)
            digest = hashlib.sha256(content).hexdigest()
            outputs[program, which, digest] = done.outputs
            runs.append(
                Run(
                    program=program,
                    set=which,
                    milliseconds=0,
                    digest=digest,
                    changed=(),
                    overrun=(),
                )
            )
        return DeviceRun((), self.describe(), tuple(runs), outputs, {})

    def _one(
        self, job: DeviceJob, program: int, which: int, wall_seconds: float
    ) -> EmulatorRun | DeviceRun:
        loaded = job.plans[program]
        kernels = tuple(dict.fromkeys(launch.kernel for launch in loaded.plan.launches))
        source = self._sources[loaded.program.source_sha256]
        try:
            build = self._emulator.build(source, kernels, self._wave)
        except BuildFailed as error:
            return DeviceRun.failed(Status.COMPILE_ERROR, f"emulator: {error.diagnostics}")
        given = job.sets[which]
        spaces = {w.name: poisoned(w.shape, w.dtype) for w in loaded.plan.workspace}
        empty = {
            t.name: poisoned(t.shape, t.dtype) for t in job.tensors if t.name not in given
        } | spaces
        return self._emulator.run(
            build,
            loaded.plan,
            {**given, **empty},
            job.scalars,
            outputs=[tensor.name for tensor in job.outputs],
            uninitialised=tuple(empty),
            watched=[t.name for t in job.tensors if t.role is Role.INPUT],
            cpu_seconds=wall_seconds,
        )
