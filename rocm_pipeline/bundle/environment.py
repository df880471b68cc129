"""Where evidence was made or checked: our own version, the compiler, the machine."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from rocm_pipeline import __version__
from rocm_pipeline.integration.interpreter import torch_version
from rocm_pipeline.lab.evidence import NO_DEVICE
from rocm_pipeline.lab.harness_version import harness_sha256
from rocm_pipeline.lab.sandbox import Sandbox

_PACKAGES = ("numpy", "pydantic", "ziglang")


class Environment(BaseModel):
    """Facts that a verdict depends on or that explain a difference; no host name, no user."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    """Of rocm_pipeline."""
    harness: str
    toolchain: str
    sandbox: str
    device: str
    """What kernels are judged on to export and to verify: the emulator, also beside a GPU."""
    python: str
    packages: dict[str, str]
    system: str
    machine: str
    """Instruction set, such as `x86_64`."""
    cpu: str

    @property
    def arithmetic(self) -> tuple[str, ...]:
        """What the last bit of a float64 reference may depend on."""
        return (self.packages.get("numpy", ""), self.machine, self.cpu, self.system)


def environment(sandbox: Sandbox, toolchain: str) -> Environment:
    """Return what is installed here. `toolchain` is the identity of the compiler in use."""
    packages = {name: found for name in _PACKAGES if (found := _version(name)) is not None}
    torch = torch_version()
    return Environment(
        version=__version__,
        harness=harness_sha256()[:16],
        toolchain=toolchain,
        sandbox=sandbox.identity,
        device=NO_DEVICE,
        python=platform.python_version(),
        packages=packages if torch is None else {**packages, "torch": torch},
        system=platform.system(),
        machine=platform.machine(),
        cpu=_cpu(),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    """Return the processor's model as Linux tells it; numpy chooses its code by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    pairs = (line.partition(":") for line in lines)
    facts = {key.strip(): value.strip() for key, _, value in pairs}
    name = facts.get("model name", "unknown")
    return f"{name} family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"
