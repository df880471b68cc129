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
    """A command prefix, what must be bound for it, and its environment."""

    argv: tuple[str, ...]
    readonly: dict[str, Path]
    environment: dict[str, str]


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
    program = Path(sys.executable).resolve()
    readonly = {f"/site{index}": folder for index, folder in enumerate(_packages())}
    search = [_OURS, *readonly]
    readonly[f"{_OURS}/rocm_pipeline"] = Path(str(files("rocm_pipeline")))
    environment = {
        "PYTHONPATH": ":".join(search),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        # asked for by name, and there is no such user in the sandbox
        "USER": "sandbox",
        "TORCHINDUCTOR_CACHE_DIR": "/tmp/torch",
    }
    if not base.is_relative_to("/usr"):
        readonly[_BASE] = base
        program = Path(_BASE) / program.relative_to(base)
        environment["LD_LIBRARY_PATH"] = f"{_BASE}/lib"
    return Interpreter((str(program), "-s", "-B"), readonly, environment)


def _packages() -> list[Path]:
    """Return the folders in which this environment's packages lie, without repeats."""
    found = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")]
    for name in ("torch", "numpy", "pydantic"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).resolve().parents[1])
    return list(dict.fromkeys(found))
