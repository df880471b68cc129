"""The device compiler: one candidate's source to one architecture's code object.

The default compiler is the one in the `ziglang` wheel: a clang and lld with the AMDGPU backend,
reached by `zig clang` and `zig ld.lld` (an undocumented pass-through, hence the pinned version).
Candidates are never compiled outside the sandbox, because an `#include` can already read files.

Another clang (a system clang >= 19, ROCm's amdclang++) is another `Compiler` value.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from rocm_pipeline.errors import UserError
from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.compiler_crash import crash_words
from rocm_pipeline.lab.device_build import DeviceBuild
from rocm_pipeline.lab.diagnostics import Diagnosis
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.precompiled_header import HEADER_SOURCE, begins_with_header
from rocm_pipeline.lab.sandbox import Completed, Limits, ResultRefused, Sandbox, read_result
from rocm_pipeline.lab.source_hash import hash_of, linker_option

SOURCE_NAME = "kernel.hip"
"""What a candidate's source is called in diagnostics."""
CODE_OBJECT_VERSION = 5
"""Older ROCm runtimes do not load version 6, which is clang 22's own choice."""

_LIMITS = Limits(wall_seconds=60, cpu_seconds=60)
_MOST_BYTES = 64 << 20
_MOST_MESSAGE = 6000

# Diagnostics of the backend name the line without debug information, so there is none.
_HIP = f"""\
$CLANG -x hip --offload-arch=$ARCH --cuda-device-only --no-gpu-bundle-output \\
    -resource-dir $RESOURCES -nogpuinc -nogpulib -nostdinc -nostdinc++ -I /include -fdeclspec \\
    -O3 -std=c++17 -mcode-object-version={CODE_OBJECT_VERSION} \\
    -fuse-cuid=none -fhip-kernel-arg-name \\
    -ferror-limit=10 -fno-color-diagnostics -fno-crash-diagnostics"""
_SCRIPT = f"""\
{_HIP} $HEADER -S -o kernel.s {SOURCE_NAME}
$CLANG --target=amdgcn-amd-amdhsa -mcpu=$ARCH -mcode-object-version={CODE_OBJECT_VERSION} \\
    -x assembler -c -o kernel.o kernel.s
$LINKER -shared --no-undefined $SOURCE_HASH -o kernel.hsaco kernel.o
"""
_HEADER, _PRECOMPILED = "header.hip", "header.pch"
# Without time stamps the compiler goes by the headers' sizes; their hash is in the cache's key.
_HEADER_SCRIPT = f"""\
{_HIP} -fsyntax-only -Xclang -emit-pch -Xclang -fno-pch-timestamp {_HEADER} > {_PRECOMPILED}
"""

_CRASH_NOISE = re.compile(
    r"^(clang version|Target:|Thread model:|InstalledDir:|Build config:|PLEASE |Stack dump"
    r"|\S+: (error: clang frontend command|note: diagnostic msg)|\d+\.\s|\s*#\d+ )"
)


@dataclass(frozen=True)
class Compiler:
    """A clang with the AMDGPU backend, as the sandbox sees it.

    `readonly` is what must be visible inside; `clang` and `linker` are command prefixes without
    spaces inside a word; `resources` is clang's resource folder.
    """

    name: str
    readonly: Mapping[str, Path]
    clang: str
    linker: str
    resources: str


def ziglang() -> Compiler:
    """Return the compiler of the installed `ziglang` wheel."""
    spec = find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            "the package 'ziglang', which carries the device compiler, is not installed",
            where="toolchain",
            fix="Run: pip install ziglang==0.17.0",
        )
    return Compiler(
        name=f"ziglang {version('ziglang')}",
        readonly={"/toolchain": Path(next(iter(spec.submodule_search_locations)))},
        clang="/toolchain/zig clang --target=x86_64-linux-gnu",
        linker="/toolchain/zig ld.lld",
        resources="/toolchain/lib",
    )


class Toolchain:
    """Compiles candidates in the sandbox and remembers what it compiled, by content.

    `cache` may be shared by any number of processes. Raises `UserError` when the compiler is
    missing or does not run here; `compile` never raises for a bad kernel.
    """

    identity: str
    """Everything but the source: `clang 22.1.8 (ziglang 0.17.0) headers <hash>`."""

    def __init__(
        self,
        sandbox: Sandbox,
        cache: Path,
        *,
        compiler: Compiler | None = None,
        headers: Path | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._cache = BuildCache(cache)
        self._compiler = compiler or ziglang()
        self._precompiled: dict[str, bytes] = {}
        self._headers = headers or Path(str(files("rocm_pipeline.lab").joinpath("include")))
        clang = self._clang_version()
        self.identity = f"clang {clang} ({self._compiler.name}) headers {_hash_of(self._headers)}"

    def compile(self, source: str, architecture: str) -> DeviceBuild:
        """Compile `source` for `architecture`; the same content is compiled once.

        What is read from the cache carries the source's hash, or it is compiled again. A new
        object that does not is a CHEAT.
        """
        key = self._key(_SCRIPT, architecture, source)
        content = self._cache.get(key)
        stored = None if content is None else DeviceBuild.from_json(content)
        if stored is not None and stored.is_of(source, architecture):
            return stored
        header = self._header(architecture) if begins_with_header(source) else b""
        build, repeatable = self._compile_in_sandbox(source, architecture, header)
        if header and repeatable and build.status is not Status.PASSED:
            # What an agent reads about its mistakes never comes from the shortcut.
            build, repeatable = self._compile_in_sandbox(source, architecture, b"")
        if repeatable:
            self._cache.put(key, build.to_json())
        return build

    def compile_each(self, source: str, architectures: Iterable[str]) -> Iterator[DeviceBuild]:
        """Compile `source` for several architectures at once, one sandbox each.

        Yields the builds in the order of `architectures`, each as soon as it is there, so that
        the caller reads one while the next ones are compiled.
        """
        # thrice the cores: a sandbox that begins or ends mostly waits for the kernel
        with ThreadPoolExecutor(max_workers=3 * (os.cpu_count() or 1)) as pool:
            yield from pool.map(partial(self.compile, source), architectures)

    def _compile_in_sandbox(
        self, source: str, architecture: str, header: bytes
    ) -> tuple[DeviceBuild, bool]:
        """Return the build, and whether another try must give the same."""
        with tempfile.TemporaryDirectory(prefix="rocm-pipeline-compile-") as folder:
            box = Path(folder)
            (box / SOURCE_NAME).write_text(source, encoding="utf-8")
            (box / _PRECOMPILED).write_bytes(header)
            (box / _HEADER).write_text(HEADER_SOURCE)  # the compiler looks for it again
            variables = {
                "ARCH": architecture,
                "HEADER": f"-include-pch {_PRECOMPILED}" if header else "",
                "SOURCE_HASH": linker_option(hash_of(source)),
            }
            done = self._run(_SCRIPT, box, variables)
            failure = self._failure(done, source, architecture)
            if failure is not None:
                return failure, not done.timed_out and done.returncode > 0
            return _read_build(box, source, architecture, _readable(done.stderr))

    def _failure(self, done: Completed, source: str, architecture: str) -> DeviceBuild | None:
        if done.timed_out:
            message = f"the compiler did not end within {_LIMITS.wall_seconds:g} s"
            return DeviceBuild(architecture, Status.TIMEOUT, message)
        if done.returncode in (126, 127):
            raise _does_not_run(self._compiler, done)
        if done.returncode == 0:
            return None
        crash = crash_words(done.returncode, done.stderr, source, architecture)
        if crash is not None:
            return DeviceBuild(architecture, Status.COMPILE_ERROR, _readable(crash))
        status = f"the compiler ended with status {done.returncode}, saying nothing"
        diagnosis = Diagnosis(_readable(done.stderr) or status)
        return DeviceBuild(architecture, diagnosis.status, diagnosis.explained)

    def _header(self, architecture: str) -> bytes:
        """The precompiled header, made once for a cache; empty when it cannot be made."""
        if architecture not in self._precompiled:
            key = self._key(_HEADER_SCRIPT, architecture)
            content = self._cache.get(key)
            if content is None:
                content = self._precompile(architecture)
                if content:
                    self._cache.put(key, content)
            self._precompiled[architecture] = content
        return self._precompiled[architecture]

    def _precompile(self, architecture: str) -> bytes:
        with tempfile.TemporaryDirectory(prefix="rocm-pipeline-compile-") as folder:
            box = Path(folder)
            (box / _HEADER).write_text(HEADER_SOURCE)
            done = self._run(_HEADER_SCRIPT, box, {"ARCH": architecture})
            return read_result(box, _PRECOMPILED, _MOST_BYTES) if done.returncode == 0 else b""

    def _key(self, *parts: str) -> str:
        return _digest(json.dumps([self.identity, *parts]))

    def _clang_version(self) -> str:
        with tempfile.TemporaryDirectory(prefix="rocm-pipeline-compile-") as folder:
            done = self._run("$CLANG --version", Path(folder), {})
        found = re.search(r"clang version (\S+)", done.stdout)
        if done.returncode != 0 or found is None:
            raise _does_not_run(self._compiler, done)
        return found[1]

    def _run(self, script: str, box: Path, variables: Mapping[str, str]) -> Completed:
        compiler = self._compiler
        return self._sandbox.run(
            ["/bin/sh", "-ec", script],
            box=box,
            readonly={**compiler.readonly, "/include": self._headers},
            environment={
                "PATH": "/usr/bin:/bin",
                "CLANG": compiler.clang,
                "LINKER": compiler.linker,
                "RESOURCES": compiler.resources,
                **variables,
            },
            limits=_LIMITS,
        )


def _does_not_run(compiler: Compiler, done: Completed) -> UserError:
    said = " ".join((done.stderr or done.stdout).split())[:200] or "nothing"
    return UserError(
        f"the device compiler ({compiler.name}) does not run here; it said: {said}",
        where="toolchain",
        fix="Reinstall it: pip install --force-reinstall ziglang==0.17.0",
    )


def _read_build(
    box: Path, source: str, architecture: str, warnings: str
) -> tuple[DeviceBuild, bool]:
    try:
        code_object = read_result(box, "kernel.hsaco", _MOST_BYTES)
        assembly = read_result(box, "kernel.s", _MOST_BYTES).decode("utf-8", "replace")
    except ResultRefused as error:
        return DeviceBuild(architecture, Status.COMPILE_ERROR, f"compiler output: {error}"), True
    build = DeviceBuild(architecture, Status.PASSED, warnings, code_object, assembly)
    if build.unreadable is not None:
        return DeviceBuild(architecture, Status.COMPILE_ERROR, build.unreadable), False
    foreign = build.foreign(source)
    if foreign is not None:
        return DeviceBuild(architecture, Status.CHEAT, foreign), False
    return build, True


def _readable(diagnostics: str) -> str:
    lines = (line for line in diagnostics.splitlines() if not _CRASH_NOISE.match(line))
    text = "\n".join(lines).strip()
    return text if len(text) <= _MOST_MESSAGE else text[:_MOST_MESSAGE] + "\n[...]"


def _hash_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
