"""The compiler steps of the emulator: each runs in the sandbox, on a folder of its own."""

import contextlib
import hashlib
import json
import platform
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.emulator.build import BuildFailed
from rocm_pipeline.lab.emulator.device_semantics import as_on_the_device
from rocm_pipeline.lab.emulator.source import SOURCE_NAME
from rocm_pipeline.lab.precompiled_header import HEADER_SOURCE, begins_with_header
from rocm_pipeline.lab.sandbox import Completed, Limits, Sandbox, read_result, temporary_box
from rocm_pipeline.lab.source_hash import carried_hash, hash_of, linker_option, mismatch

_CLANG = "/toolchain/zig clang"
_LINKER = "/toolchain/zig ld.lld"
_LIMITS = Limits(wall_seconds=60, cpu_seconds=60)
_MOST_BYTES = 64 << 20
_MOST_MESSAGE = 6000

# FMA, F16C and AVX2 for what half and fused arithmetic need; every x86-64 server since 2015.
_MACHINES = {
    "x86_64": "--target=x86_64-linux-gnu -march=x86-64-v3",
    "aarch64": "--target=aarch64-linux-gnu -march=armv8.2-a+fp16",
}
_LANGUAGE = "-x c++ -std=c++17 -fPIC -fno-exceptions -fno-rtti -nostdinc -nostdinc++"
# As the device compiler does arithmetic: contraction, no errno, halves computed as halves.
_ARITHMETIC = "-ffp-contract=fast -fno-math-errno -Xclang -ffloat16-excess-precision=none"
# The attribute of -fsanitize=thread keeps the optimiser from loads and stores that the program
# does not make; its own hooks are off.
# A null pointer is an address like any other.
_FAITHFUL = (
    "-fno-delete-null-pointer-checks "
    "-fsanitize=thread -mllvm -tsan-instrument-memory-accesses=0 "
    "-mllvm -tsan-instrument-atomics=0 -mllvm -tsan-instrument-memintrinsics=0 "
    "-mllvm -tsan-instrument-func-entry-exit=0"
)
# A local array larger than the guard below a stack must hit it, not jump over it.
_STACKS = "-fstack-clash-protection"
# A loop's counter widened to 64 bits would not wrap where the program's does.
_NARROW = "-mllvm -indvars-widen-indvars=false"
_TO_IR = f"{_NARROW} -fno-vectorize -fno-slp-vectorize -S -emit-llvm -o kernel.ll"
_WITHOUT_PASSES = "-Xclang -disable-llvm-passes"
_HEADER, _PRECOMPILED = "header.hip", "header.pch"
_QUIET = "-w -ferror-limit=10 -fno-color-diagnostics -fno-crash-diagnostics"


class CpuCompiler:
    """clang of the `ziglang` wheel, for this machine's processor.

    `cache` keeps what every build needs: the runtime and the precompiled header.
    """

    def __init__(
        self, sandbox: Sandbox, cache: BuildCache, *, portable_fibers: bool = False
    ) -> None:
        machine = platform.machine()
        if machine not in _MACHINES:
            raise UserError(
                f"the emulator runs on x86-64 and aarch64, not on {machine}",
                where="emulator",
                fix="Run it on one of these machines.",
            )
        self._sandbox = sandbox
        self._cache = cache
        self._machine = _MACHINES[machine]
        self._fibers = "-DROCM_PIPELINE_PORTABLE_FIBERS" if portable_fibers else ""
        self._readonly = {
            "/toolchain": _ziglang_folder(),
            "/include": Path(str(files("rocm_pipeline.lab") / "include")),
        }
        self._runtime = Path(str(files("rocm_pipeline.lab.emulator") / "runtime"))

    @cached_property
    def identity(self) -> str:
        """Hash of everything a build depends on beside the source: headers, runtime, compiler."""
        compiler = f"ziglang {version('ziglang')} {self._machine} {self._fibers}"
        digest = hashlib.sha256(compiler.encode())
        here = Path(__file__).parent
        for folder in (self._readonly["/include"], self._runtime, here):
            for path in sorted(folder.rglob("*")):
                if path.suffix in (".h", ".cpp", ".py"):
                    digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
        return digest.hexdigest()

    def key(self, *parts: str) -> str:
        """Return the cache's key of what this compiler makes of `parts`."""
        return hashlib.sha256(json.dumps([self.identity, *parts]).encode()).hexdigest()

    def to_ir(self, source: str, wave: int, optimisation: str) -> str:
        """Compile prepared source to optimised intermediate code; raises BuildFailed."""
        plain = self._plain_ir(source, wave, optimisation)
        script = (
            f"{_CLANG} {self._machine} -x ir {optimisation} -fPIC {_FAITHFUL} {_STACKS} {_QUIET} "
            f"{_TO_IR} device.ll"
        )
        return self._run({"device.ll": as_on_the_device(plain)}, script, "kernel.ll").decode()

    def _plain_ir(self, source: str, wave: int, optimisation: str) -> str:
        script = f"{self._front_end(wave, optimisation)} {_TO_IR} {_WITHOUT_PASSES}"
        header = self._header(wave, optimisation) if begins_with_header(source) else b""
        if header:
            # What an agent reads about its mistakes never comes from the shortcut.
            with contextlib.suppress(BuildFailed):
                return self._run(
                    {_HEADER: HEADER_SOURCE, _PRECOMPILED: header, SOURCE_NAME: source},
                    f"{script} -include-pch {_PRECOMPILED} {SOURCE_NAME}",
                    "kernel.ll",
                ).decode()
        return self._run({SOURCE_NAME: source}, f"{script} {SOURCE_NAME}", "kernel.ll").decode()

    def _header(self, wave: int, optimisation: str) -> bytes:
        """The precompiled header, made once for a cache; empty when it cannot be made."""
        key = self.key("header", str(wave), optimisation)
        content = self._cache.get(key)
        if content is None:
            content = self._precompile(wave, optimisation)
            if content:
                self._cache.put(key, content)
        return content

    def _precompile(self, wave: int, optimisation: str) -> bytes:
        script = (
            f"{self._front_end(wave, optimisation)} {_WITHOUT_PASSES} -fsyntax-only "
            f"-Xclang -emit-pch -Xclang -fno-pch-timestamp {_HEADER} > {_PRECOMPILED}"
        )
        with contextlib.suppress(BuildFailed):
            return self._run({_HEADER: HEADER_SOURCE}, script, _PRECOMPILED)
        return b""

    def _front_end(self, wave: int, optimisation: str) -> str:
        return (
            f"{_CLANG} {self._machine} {_LANGUAGE} {optimisation} {_ARITHMETIC} {_FAITHFUL} "
            f"{_STACKS} {_QUIET} -fdeclspec -gline-tables-only -fconvergent-functions -I /include "
            f"-DROCM_PIPELINE_WAVE={wave}"
        )

    def to_library(self, ir: str, optimisation: str, source_sha256: str) -> bytes:
        """Turn intermediate code into a shared library that carries its source's hash.

        Raises BuildFailed when it does not: a source can add a second one.
        """
        script = (
            f"{_CLANG} {self._machine} -x ir {optimisation} {_WITHOUT_PASSES} -fPIC "
            f"{_QUIET} -c -o kernel.o kernel.ll && "
            f"{_LINKER} -shared {linker_option(source_sha256)} -o kernel.so kernel.o"
        )
        library = self._run({"kernel.ll": ir}, script, "kernel.so")
        complaint = mismatch(carried_hash(library), source_sha256)
        if complaint is not None:
            raise BuildFailed(f"error: {complaint}")
        return library

    def runtime(self, wave: int) -> bytes:
        """Return the emulator's runtime for one wave size, made once for a cache."""
        key, made_of = self.key("runtime", str(wave)), hash_of(f"{self.identity} {wave}")
        library = self._cache.get(key)
        if library is None or carried_hash(library) != made_of:
            library = self._compile_runtime(wave, made_of)
            self._cache.put(key, library)
        return library

    def _compile_runtime(self, wave: int, made_of: str) -> bytes:
        sources = {
            path.name: path.read_text()
            for path in sorted(self._runtime.iterdir())
            if path.suffix in (".h", ".cpp")
        }
        script = (
            f"set -e; for f in *.cpp; do {_CLANG} {self._machine} {_LANGUAGE} -O2 -ffreestanding "
            f"-fvisibility=hidden -DROCM_PIPELINE_WAVE={wave} {self._fibers} -Wall -Wextra -Werror "
            f"-c -o $f.o $f; done; "
            f"{_LINKER} -shared {linker_option(made_of)} -o runtime.so *.o"
        )
        return self._run(sources, script, "runtime.so")

    def _run(self, inputs: Mapping[str, str | bytes], script: str, result: str) -> bytes:
        with temporary_box() as box:
            for name, content in inputs.items():
                (box / name).write_bytes(content.encode() if isinstance(content, str) else content)
            completed = self._sandbox.run(
                ["/bin/sh", "-c", script], box=box, readonly=self._readonly, limits=_LIMITS
            )
            if completed.returncode != 0:
                raise BuildFailed(_message(completed))
            return read_result(box, result, _MOST_BYTES)


def _message(completed: Completed) -> str:
    if completed.timed_out:
        return f"the compiler did not finish within {_LIMITS.wall_seconds:.0f} seconds"
    return (
        completed.stderr[:_MOST_MESSAGE].strip()
        or f"the compiler ended with {completed.returncode}"
    )


def _ziglang_folder() -> Path:
    spec = find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "the package 'ziglang' is not installed; it carries the compiler",
            where="emulator",
            fix="Run: pip install ziglang==0.17.0",
        )
    return Path(next(iter(spec.submodule_search_locations)))
