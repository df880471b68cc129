"""This Python with PyTorch, as it is seen from inside the sandbox."""

import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from rocm_pipeline.lab.sandbox import Limits

_BASE = "/python"
_OURS = "/ours"

LIMITS = Limits(
    wall_seconds=400,
    cpu_seconds=300,
    # PyTorch reserves far more address space than it uses
    memory_bytes=16 << 30,
    processes=64,
    file_bytes=256 << 20,
)


@dataclass(frozen=True)
class Interpreter:
    """A Python program to bind and start in the sandbox; `search` are its package folders."""

    program: str
    search: tuple[str, ...]
    readonly: dict[str, Path]
    environment: dict[str, str]

    def argv(self, module: str) -> tuple[str, ...]:
        """Return the command that calls `main` of a module.

        Isolated: neither the working folder, which the operator can write to, nor the module's
        own is searched for imports.
        """
        start = f"import sys; sys.path[:0] = {list(self.search)}; from {module} import main; main()"
        return (self.program, "-I", "-B", "-c", start)


def torch_version() -> str | None:
    """Return the installed PyTorch's version without importing it; None when there is none."""
    if find_spec("torch") is None:
        return None
    try:
        return version("torch")
    except PackageNotFoundError:
        return None


def interpreter() -> Interpreter:
    """Return this environment's Python, with its packages and ours, at fixed places.

    Python is moved from where it is installed, because that may be a home or a temporary folder,
    which the sandbox does not show.
    """
    base = Path(sys.base_prefix).resolve()
    packages = {f"/site{index}": folder for index, folder in enumerate(_packages())}
    readonly = {f"{_OURS}/rocm_pipeline": Path(str(files("rocm_pipeline"))), **packages}
    environment = {
        "OMP_NUM_THREADS": "1",
        # asked for by name, and there is no such user in the sandbox
        "USER": "sandbox",
        "TORCHINDUCTOR_CACHE_DIR": "/tmp/torch",
    }
    seen = base
    if not base.is_relative_to("/usr"):
        seen = Path(_BASE)
        readonly[_BASE] = base
        environment["LD_LIBRARY_PATH"] = f"{_BASE}/lib"
    program = seen / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return Interpreter(str(program), (_OURS, *packages), readonly, environment)


def _packages() -> list[Path]:
    """Return the folders in which this environment's packages lie, without repeats."""
    found = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")]
    for name in ("torch", "numpy", "pydantic"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).resolve().parents[1])
    return list(dict.fromkeys(found))
