"""How long one typical kernel takes to compile: our header, and a distribution's HIP headers.

All of it in the same sandbox, with the fastest of the repetitions. Every repetition compiles a
source that no cache has, because it differs in a comment.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, NotRun, Row
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.hip_names import ARCHITECTURES
from rocm_pipeline.lab.sandbox import Limits, Sandbox, temporary_box
from rocm_pipeline.lab.toolchain import Toolchain

ALL_AIM_SECONDS = 0.6
REPEATS = 3
SOURCE = Path(__file__).parents[1] / "kernels" / "softmax_shuffle.hip"
PACKAGES = "clang-19 lld-19 llvm-19 rocm-device-libs libamdhip64-dev"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_OLDEST_CLANG = 15
_LIMITS = Limits(wall_seconds=60, cpu_seconds=60)


@dataclass(frozen=True)
class SystemClang:
    """A distribution's clang and HIP headers below `root`."""

    root: Path
    folder: str
    """Of the compiler's programs, below `root`."""

    @classmethod
    def find(cls, root: Path) -> "SystemClang | None":
        """Return the newest that has its HIP headers beside it."""
        if not (root / "usr/include/hip/hip_runtime.h").is_file():
            return None
        found = {
            int(place.parent.parent.name.removeprefix("llvm-")): place.parent
            for place in root.glob("usr/lib/llvm-[0-9]*/bin/clang++")
        }
        newest = max(found, default=0)
        if newest < _OLDEST_CLANG:
            return None
        return cls(root, str(found[newest].relative_to(root)))

    @property
    def name(self) -> str:
        return f"{Path(self.folder).parent.name.replace('llvm', 'clang')}, the system's HIP headers"

    def compile(self, sandbox: Sandbox, source: str, architecture: str) -> str:
        """Compile to a code object; returns the first error, or an empty text."""
        # the system's own folders are in every sandbox, other roots are shown to it
        own = self.root == Path("/")
        inside = "" if own else "/system"
        argv = [
            f"{inside}/{self.folder}/clang++",
            *("-x", "hip", f"--offload-arch={architecture}", "--cuda-device-only"),
            *("--no-gpu-bundle-output", f"--rocm-path={inside}/usr", "-std=c++17", "-O3"),
            f"--rocm-device-lib-path={inside}/{_LIBRARIES}/amdgcn/bitcode",
            *("-o", "kernel.hsaco", "kernel.hip"),
        ]
        libraries = f"{inside}/{_LIBRARIES}:{inside}/{Path(self.folder).parent}/lib"
        with temporary_box() as box:
            (box / "kernel.hip").write_text(source)
            done = sandbox.run(
                argv,
                box=box,
                readonly={} if own else {inside: self.root},
                environment={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": libraries},
                limits=_LIMITS,
            )
        return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["failed"])[0]


def measure(root: Path) -> list[Row]:
    """Return the rows; the distribution's compiler is looked for below `root`."""
    sandbox = Sandbox.detect()
    with tempfile.TemporaryDirectory() as folder:
        return [*_ours(Toolchain(sandbox, Path(folder))), *_system(sandbox, root)]


def _ours(toolchain: Toolchain) -> Iterator[Row]:
    everything = fastest(lambda source: _compile_all(toolchain, source))
    yield Figure(
        "row softmax for six architectures, our header, precompiled",
        everything,
        "s",
        ALL_AIM_SECONDS,
    )
    for architecture in ARCHITECTURES:
        one = fastest(lambda source, a=architecture: _compile(toolchain, source, a))
        yield Figure(f"  {architecture}", one, "s")
    # a definition before the header keeps the compiler from the precompiled one
    parsed = fastest(lambda s: _compile(toolchain, f"#define parsed\n{s}", ARCHITECTURES[0]))
    yield Figure(f"  {ARCHITECTURES[0]}, header read as text", parsed, "s")


def _system(sandbox: Sandbox, root: Path) -> Iterator[Row]:
    clang = SystemClang.find(root)
    if clang is None:
        yield NotRun(
            "row softmax, a system clang with the distribution's HIP headers",
            f"none below {root}; Debian and Ubuntu: apt-get install {PACKAGES}",
        )
        return
    able = [a for a in ARCHITECTURES if not clang.compile(sandbox, SOURCE.read_text(), a)]
    for architecture in able:
        seconds = fastest(lambda source, a=architecture: clang.compile(sandbox, source, a))
        yield Figure(f"  {architecture}, {clang.name}", seconds, "s")
    unable = [a for a in ARCHITECTURES if a not in able]
    if unable:
        yield Figure(f"  not compiled by {clang.name}: {', '.join(unable)}", len(unable), "of 6")


def fastest(compile_one: Callable[[str], object]) -> float:
    """Return the least time of compiling the kernel, after one time that is not counted."""
    source = SOURCE.read_text(encoding="utf-8")
    times: list[float] = []
    for _ in range(REPEATS + 1):
        begun = time.perf_counter()
        fresh = f"{source}\n// {begun}\n"
        compile_one(fresh)
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def _compile_all(toolchain: Toolchain, source: str) -> None:
    for build in toolchain.compile_each(source, ARCHITECTURES):
        _refuse(build.status, build.message)


def _compile(toolchain: Toolchain, source: str, architecture: str) -> None:
    build = toolchain.compile(source, architecture)
    _refuse(build.status, build.message)


def _refuse(status: Status, message: str) -> None:
    if status is not Status.PASSED:
        raise SystemExit(f"{SOURCE.name} does not compile: {message}")
