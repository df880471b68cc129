"""Drivers without a device, built from driver_stub.c, behind the real sandbox."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.devices.device import Device
from rocm_pipeline.lab.devices.model import Driver, Kind
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.toolchain import ziglang
from rocm_pipeline.targets.spec import Target

SOURCE = Path(__file__).with_name("driver_stub.c")
WARNINGS = ("-Wall", "-Wextra", "-Werror")
_NAMES = {Kind.AMD: ("STUB_HIP", "libamdhip64.so.6"), Kind.NVIDIA: ("STUB_CUDA", "libcuda.so.1")}


def compile_c(*arguments: str) -> None:
    """Compile C for this machine with the toolchain's own compiler."""
    zig = ziglang().readonly["/toolchain"] / "zig"
    done = subprocess.run(
        [str(zig), "cc", "-fPIC", "-O1", *WARNINGS, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class StubDriver(Driver):
    """A driver that misbehaves as its mode says."""

    mode: str = "none"

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "STUB_MODE": self.mode}


@pytest.fixture(scope="session")
def stub_library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path]:
    built: dict[Kind, Path] = {}

    def library(kind: Kind) -> Path:
        if kind not in built:
            macro, name = _NAMES[kind]
            path = tmp_path_factory.mktemp(kind.value) / "lib" / name
            path.parent.mkdir()
            compile_c("-shared", f"-D{macro}", str(SOURCE), "-o", str(path))
            built[kind] = path
        return built[kind]

    return library


MakeDevice = Callable[..., Device]


@pytest.fixture(scope="session")
def stub_device(
    stub_library: Callable[[Kind], Path],
    sandbox: Sandbox,
    builds: Path,
) -> MakeDevice:
    def device(kind: Kind, mode: str = "none") -> Device:
        library = stub_library(kind)
        place = "/opt/stub/lib"
        driver = StubDriver(
            kind, Path(place) / library.name, {place: library.parent}, {}, mode=mode
        )
        return Device(driver, sandbox, builds)

    return device


@pytest.fixture(scope="session")
def candidate(candidate_of: Callable[..., Candidate], scale_source: str) -> Candidate:
    """The honest kernel of the target."""
    return candidate_of(scale_source)


@pytest.fixture(scope="session")
def small_target(target: Target) -> Target:
    """The same target, timed at a size that a test can afford."""
    case = target.timing_cases[0].model_copy(update={"symbols": {"n": 5000}})
    return target.model_copy(update={"timing_cases": (case,)})
