"""HIP source to PTX, by the same pinned clang that compiles for AMD GPUs.

The header's third branch stands in for CUDA's headers, so that neither a CUDA toolkit nor a GPU is
needed; the driver of the device compiles the PTX for it. Every module carries its source's hash in
a constant, which is read back on the device before each use.
"""

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.devices.large_shared import asked_for, with_large_shared
from rocm_pipeline.lab.devices.model import Program
from rocm_pipeline.lab.devices.runtime.cuda import HASH_NAME
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.sandbox import (
    Completed,
    Limits,
    ResultRefused,
    Sandbox,
    read_result,
    temporary_box,
)
from rocm_pipeline.lab.source_hash import hash_of, mismatch
from rocm_pipeline.lab.toolchain import SOURCE_NAME, Compiler, ziglang
from rocm_pipeline.versions import package_sha256

OLDEST = 80
"""sm_80: older devices lack bfloat16 and reductions in hardware."""
NEWEST = 90
"""PTX for sm_90 runs on every later device."""

_LIMITS = Limits(wall_seconds=60, cpu_seconds=60)
_MOST_BYTES = 64 << 20
_MOST_MESSAGE = 6000
# PTX 7.8, which drivers from CUDA 11.8 on know, is the first with sm_90. Functions are inlined as
# for AMD GPUs: a call costs more than it saves, and LDS can be moved in kernels only.
_SCRIPT = f"""\
$CLANG -x cuda --cuda-gpu-arch=$ARCH --cuda-device-only -Wno-unknown-cuda-version \\
    --cuda-feature=+ptx78 \\
    -resource-dir $RESOURCES -nocudainc -nocudalib -nogpuinc -nogpulib -nostdinc -nostdinc++ \\
    -I /include -fdeclspec -O3 -std=c++17 -ferror-limit=10 -fno-color-diagnostics \\
    -fno-crash-diagnostics -mllvm -inline-threshold=20000 -S -o kernel.ptx {SOURCE_NAME}
"""
_NAME = HASH_NAME.decode()
_CARRIED = re.compile(
    rf"^\.visible \.const \.align 1 \.b8 {_NAME}\[32\] = \{{([0-9, ]+)\}};$", re.MULTILINE
)
# A matrix or other builtin of AMD's compiler: there is no such instruction on the device.
_AMD_ONLY = re.compile(r"__builtin_amdgcn_\w+")
_OPEN_CALL = re.compile(r"^\.extern \.func .*?(\w+)\s*$", re.MULTILINE)


class CudaCompiler:
    """Compiles candidates for NVIDIA GPUs in the sandbox, and remembers what it compiled."""

    def __init__(self, sandbox: Sandbox, cache: Path, *, compiler: Compiler | None = None) -> None:
        self._sandbox = sandbox
        self._cache = BuildCache(cache)
        self._compiler = compiler or ziglang()
        self._headers = Path(str(files("rocm_pipeline.lab").joinpath("include")))
        self.identity = f"{self._compiler.name} nvptx {package_sha256('rocm_pipeline.lab')[:12]}"

    def compile(self, source: str, architecture: str) -> Program | Finding:
        """Return PTX for `architecture` (sm_80 or later), or why there is none.

        UNSUPPORTED for what only AMD GPUs have, and for devices that are too old.
        """
        wanted = _ptx_architecture(architecture)
        if wanted is None:
            message = f"{architecture} is older than sm_{OLDEST}"
            return Finding(status=Status.UNSUPPORTED, message=message)
        parts = [self.identity, _SCRIPT, wanted, source]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        image = self._cache.get(key)
        if image is not None and carried_hash(image) == hash_of(source):
            return _program(wanted, image, source)
        built = self._build(source, wanted)
        if isinstance(built, Program):
            self._cache.put(key, built.image)
        return built

    def _build(self, source: str, architecture: str) -> Program | Finding:
        with temporary_box() as box:
            (box / SOURCE_NAME).write_text(source, encoding="utf-8")
            done = self._run(box, architecture)
            if done.timed_out or done.returncode != 0:
                return _complaint(done, architecture)
            try:
                text = read_result(box, "kernel.ptx", _MOST_BYTES).decode("ascii")
            except (ResultRefused, UnicodeDecodeError) as error:
                return Finding(status=Status.COMPILE_ERROR, message=f"compiler output: {error}")
        called = _OPEN_CALL.search(text)
        if called:
            message = f"{architecture}: the compiler has no code for {called[1]} on this device"
            return Finding(status=Status.UNSUPPORTED, message=message)
        image = (with_large_shared(text) + _constant(hash_of(source))).encode()
        foreign = mismatch(carried_hash(image), hash_of(source))
        if foreign is not None:
            return Finding(status=Status.CHEAT, message=foreign)
        return _program(architecture, image, source)

    def _run(self, box: Path, architecture: str) -> Completed:
        compiler = self._compiler
        return self._sandbox.run(
            ["/bin/sh", "-ec", _SCRIPT],
            box=box,
            readonly={**compiler.readonly, "/include": self._headers},
            environment={
                "CLANG": compiler.clang,
                "RESOURCES": compiler.resources,
                "ARCH": architecture,
            },
            limits=_LIMITS,
        )


def carried_hash(image: bytes) -> str:
    """Return the source hash in PTX; "" when there is none, or more than one."""
    found = _CARRIED.findall(image.decode("ascii", "replace"))
    if len(found) != 1:
        return ""
    numbers = [int(number) for number in found[0].split(",")]
    return bytes(numbers).hex() if len(numbers) == 32 and max(numbers) < 256 else ""


def _program(architecture: str, image: bytes, source: str) -> Program:
    return Program(architecture, image, hash_of(source), asked_for(image.decode("ascii")))


def _constant(source_sha256: str) -> str:
    numbers = ", ".join(str(byte) for byte in bytes.fromhex(source_sha256))
    return f"\n.visible .const .align 1 .b8 {_NAME}[32] = {{{numbers}}};\n"


def _ptx_architecture(architecture: str) -> str | None:
    number = int(architecture.removeprefix("sm_"))
    return None if number < OLDEST else f"sm_{min(number, NEWEST)}"


def _complaint(done: Completed, architecture: str) -> Finding:
    message = done.stderr.strip()[:_MOST_MESSAGE]
    amd_only = _AMD_ONLY.search(message)
    if amd_only and "undeclared identifier" in message:
        line = re.search(rf"{SOURCE_NAME}:(\d+):", message)
        return Finding(
            status=Status.UNSUPPORTED,
            message=f"{architecture}: {amd_only[0]} exists on AMD GPUs only",
            line=int(line[1]) if line else None,
        )
    status = Status.TIMEOUT if done.timed_out else Status.COMPILE_ERROR
    return Finding(status=status, message=f"{architecture}: {message or 'the compiler failed'}")
