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
_OURS = "/ours/rocm_pipeline"

_START = """\
import gc, importlib.util, sys
gc.disable()
sys.path[:0] = {search}
ours = importlib.util.spec_from_file_location("rocm_pipeline", "{ours}/__init__.py")
sys.modules["rocm_pipeline"] = package = importlib.util.module_from_spec(ours)
ours.loader.exec_module(package)
from {module} import main
gc.freeze()
gc.enable()
main(*sys.argv[1:])
"""

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

    def argv(self, module: str, *words: str) -> tuple[str, ...]:
        """Return the command that calls `main` of one of our modules with `words`.

        Isolated: neither the working folder, which the operator can write to, nor the module's
        own is searched for imports. Our package is loaded from its folder, whatever that is called:
        where the sandbox has no file system of its own, places are real paths. What is imported
        stays, so the garbage collector does not look at it: that takes a fifth of the time.
        """
        start = _START.format(search=list(self.search), ours=_OURS, module=module)
        return (self.program, "-I", "-B", "-c", start, *words)


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
    readonly = {_OURS: Path(str(files("rocm_pipeline"))), **packages}
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
    return Interpreter(str(program), tuple(packages), readonly, environment)


def _packages() -> list[Path]:
    """Return the folders in which this environment's packages lie, without repeats."""
    found = [Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")]
    for name in ("torch", "numpy", "pydantic"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).resolve().parents[1])
    return list(dict.fromkeys(found))
