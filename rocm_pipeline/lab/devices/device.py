"""A device that candidates can be compiled for and run on, always in the sandbox."""

from functools import cached_property
from pathlib import Path

from rocm_pipeline.lab.devices.cuda_compiler import CudaCompiler
from rocm_pipeline.lab.devices.job import DeviceJob, command, write_job, write_question
from rocm_pipeline.lab.devices.model import Absent, DeviceFacts, Driver, Kind, Program
from rocm_pipeline.lab.devices.results import DeviceRun, read_facts, read_run
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.sandbox import Limits, Sandbox, temporary_box
from rocm_pipeline.lab.source_hash import hash_of
from rocm_pipeline.lab.toolchain import Toolchain

# Both drivers reserve address space for all memory of all devices, and start threads of their own.
_ADDRESS_SPACE = 1 << 46
_PROCESSES = 256
_MOST_MESSAGE = 2000
_SLACK = 256 << 20


class Device:
    """One GPU; safe to use from several threads, which then share it and disturb its times."""

    def __init__(self, driver: Driver, sandbox: Sandbox, cache: Path) -> None:
        self.driver = driver
        self._sandbox = sandbox
        self._cache = cache

    @property
    def kind(self) -> Kind:
        return self.driver.kind

    @property
    def sandbox(self) -> str:
        """What contains the runs."""
        return self._sandbox.identity

    def describe(self) -> DeviceFacts | Absent:
        """Ask the driver what the device is."""
        argv, readonly = command(self.driver)
        with temporary_box() as box:
            write_question(self.driver, box)
            done = self._sandbox.run(
                argv,
                box=box,
                readonly=readonly,
                devices=self.driver.nodes,
                environment=self.driver.environment,
                limits=_limits(30, _SLACK),
            )
            facts = read_facts(box)
        if isinstance(facts, DeviceFacts):
            return facts
        said = "it did not answer within 30 s" if done.timed_out else facts
        if done.returncode and not done.timed_out:
            said = done.stderr.strip()[-_MOST_MESSAGE:] or f"its process ended: {done.returncode}"
        fix = "Run `rocminfo` or `nvidia-smi`: does the driver work outside the pipeline?"
        return Absent(self.driver.kind, f"the driver refuses: {said}", fix)

    def compile(self, source: str, facts: DeviceFacts) -> Program | Finding:
        """Compile a candidate's source for this device."""
        if self.driver.kind is Kind.NVIDIA:
            return self._cuda.compile(source, facts.architecture)
        build = self._hip.compile(source, facts.architecture)
        if build.status is not Status.PASSED:
            return Finding(status=build.status, message=f"{facts.architecture}: {build.message}")
        foreign = build.foreign(source)
        if foreign is not None:
            return Finding(status=Status.CHEAT, message=foreign)
        return Program(facts.architecture, build.code_object, hash_of(source))

    @cached_property
    def _hip(self) -> Toolchain:
        return Toolchain(self._sandbox, self._cache / "device")

    @cached_property
    def _cuda(self) -> CudaCompiler:
        return CudaCompiler(self._sandbox, self._cache / "cuda")

    def run(self, job: DeviceJob, wall_seconds: float = 60) -> DeviceRun:
        """Run a job to its end; what the device or a kernel does wrong is in the findings."""
        argv, readonly = command(self.driver)
        with temporary_box() as box:
            write_job(job, self.driver, box)
            done = self._sandbox.run(
                argv,
                box=box,
                readonly=readonly,
                devices=self.driver.nodes,
                environment=self.driver.environment,
                limits=_limits(wall_seconds, _SLACK + len(job.schedule) * job.output_bytes),
            )
            if done.timed_out:
                message = f"the kernels did not end within {wall_seconds:g} seconds"
                return DeviceRun.failed(Status.TIMEOUT, message)
            if done.returncode != 0:
                said = done.stderr.strip()[-_MOST_MESSAGE:]
                message = f"the run ended with {done.returncode}: {said or done.stopped_for}"
                return DeviceRun.failed(Status.CRASHED, message)
            return read_run(job, box)


def _limits(wall_seconds: float, file_bytes: int) -> Limits:
    return Limits(
        wall_seconds=wall_seconds,
        cpu_seconds=int(wall_seconds) + 5,
        memory_bytes=_ADDRESS_SPACE,
        processes=_PROCESSES,
        file_bytes=file_bytes,
        box_bytes=2 * file_bytes,
    )
