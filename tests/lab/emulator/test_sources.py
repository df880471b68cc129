"""The C++ of the emulator and of the headers compiles without a warning, on every machine type."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest

from rocm_pipeline.lab.sandbox import Completed, Limits, Sandbox, temporary_box
from rocm_pipeline.targets.spec import ARCHITECTURES

RUNTIME = Path(str(files("rocm_pipeline.lab.emulator") / "runtime"))
INCLUDE = Path(str(files("rocm_pipeline.lab") / "include"))
STRICT = "-std=c++17 -fno-exceptions -fno-rtti -nostdinc -nostdinc++ -Wall -Wextra -Werror"

USES_MOST = """\
#include <hip/hip_runtime.h>
#include <hip/hip_bf16.h>
#include <hip/hip_bfloat16.h>
#include <hip/hip_fp16.h>
extern "C" __global__ void __launch_bounds__(256, 2)
uses(float* f, double* d, int* i, __half* h, __half2* h2, __hip_bfloat16* b, float4* v) {
  extern __shared__ float s[];
  int t = threadIdx.x + blockIdx.y * gridDim.z;
  s[t] = tanhf(f[t]) + erff(f[t]) + powf(f[t], 3.0f) + sinf(f[t]) + cosf(f[t]) + rsqrtf(f[t]);
  d[t] = exp(d[t]) + log(d[t]) + sqrt(d[t]);
  __syncthreads();
  f[t] = __shfl_xor(s[t], 1) + (float)__shfl_down(d[t], 1) + __popcll(__ballot(i[t] > 0));
  f[t] += __expf(f[t]) + __logf(f[t]) + __sinf(f[t]) + __cosf(f[t]) + __fdividef(f[t], 3.0f);
  i[t] = __syncthreads_count(i[t]) + __syncthreads_or(1) + __syncthreads_and(0);
  h[t] = hexp(h[t]) * h[t] + __float2half(1.0f);
  h2[t] = __hfma2(h2[t], h2[t], h2[t]);
  b[t] = b[t] * b[t] + __float2bfloat16(f[t]);
  v[t] = 2.0f * v[t] + v[t + 1];
  atomicAdd(&f[0], 1.0f);
  atomicMax(&f[1], 1.0f);
  atomicAdd(&d[0], 1.0);
  atomicInc((unsigned*)&i[0], 7u);
  __threadfence();
  __syncwarp();
}
"""


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("wave", [32, 64])
def test_the_runtime_compiles_without_warnings(sandbox: Sandbox, machine: str, wave: int) -> None:
    sources = {path.name: path.read_text() for path in RUNTIME.iterdir() if path.suffix != ".py"}
    flags = "-march=x86-64-v3" if machine == "x86_64" else "-march=armv8.2-a+fp16"
    script = (
        f"set -e; for f in *.cpp; do /toolchain/zig clang --target={machine}-linux-gnu {flags} "
        f"-x c++ {STRICT} -ffreestanding -DROCM_PIPELINE_WAVE={wave} -O2 -fPIC -c -o $f.o $f; done"
    )
    done = _run(sandbox, sources, script)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_device_header_compiles_without_warnings(sandbox: Sandbox, architecture: str) -> None:
    script = (
        f"/toolchain/zig clang --target=x86_64-linux-gnu -x hip --offload-arch={architecture} "
        "--cuda-device-only --no-gpu-bundle-output -resource-dir /toolchain/lib -nogpuinc "
        f"-nogpulib {STRICT} -I /include -fdeclspec -O3 -S -o kernel.s kernel.hip && "
        f"/toolchain/zig clang --target=amdgcn-amd-amdhsa -mcpu={architecture} -x assembler -c "
        "-o kernel.o kernel.s && /toolchain/zig ld.lld -shared -o kernel.hsaco kernel.o"
    )
    done = _run(sandbox, {"kernel.hip": USES_MOST}, script)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("wave", [32, 64])
def test_the_emulators_header_compiles_without_warnings(sandbox: Sandbox, wave: int) -> None:
    source = USES_MOST.replace("extern __shared__ float s[];", "HIP_DYNAMIC_SHARED(float, s)")
    script = (
        f"/toolchain/zig clang --target=x86_64-linux-gnu -march=x86-64-v3 -x c++ {STRICT} "
        f"-I /include -fdeclspec -DROCM_PIPELINE_WAVE={wave} -O1 -c -o kernel.o kernel.hip"
    )
    done = _run(sandbox, {"kernel.hip": source}, script)

    assert (done.returncode, done.stderr) == (0, "")


def _run(sandbox: Sandbox, sources: Mapping[str, str], script: str) -> Completed:
    spec = find_spec("ziglang")
    assert spec is not None
    assert spec.origin is not None
    with temporary_box() as box:
        for name, text in sources.items():
            (box / name).write_text(text)
        return sandbox.run(
            ["/bin/sh", "-c", script],
            box=box,
            readonly={"/toolchain": Path(spec.origin).parent, "/include": INCLUDE},
            limits=Limits(wall_seconds=120, cpu_seconds=60),
        )
