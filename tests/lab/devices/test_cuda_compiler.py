"""HIP source to PTX by the third branch of our header, and to machine code where ptxas is."""

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from rocm_pipeline.agents.schedules import propose
from rocm_pipeline.lab.devices.cuda_compiler import CudaCompiler, carried_hash
from rocm_pipeline.lab.devices.large_shared import asked_for, with_large_shared
from rocm_pipeline.lab.devices.model import Program
from rocm_pipeline.lab.evidence import Finding, Status
from rocm_pipeline.lab.hip_names import hip_names
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.source_hash import hash_of
from rocm_pipeline.targets import library
from tests.scale import scaled

HEADER = "#include <hip/hip_runtime.h>\n"
DIRECTIONS = scaled(short=1, long=2)
ARCHITECTURES = ("sm_80", "sm_90")


@pytest.fixture(scope="session")
def compiler(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> CudaCompiler:
    return CudaCompiler(sandbox, tmp_path_factory.mktemp("cuda-builds"))


def _kernel(body: str, parameters: str = "float* x") -> str:
    return f'{HEADER}extern "C" __global__ void k({parameters}) {{\n{body}\n}}\n'


def _compiled(compiler: CudaCompiler, source: str, architecture: str = "sm_90") -> str:
    program = compiler.compile(source, architecture)
    assert isinstance(program, Program), program
    return program.image.decode()


def _assemble(ptx: str, architecture: str, folder: Path) -> None:
    """Let NVIDIA's own assembler make machine code of it."""
    assembler = shutil.which("ptxas")
    if assembler is None:
        pytest.skip("no ptxas on PATH: pip install nvidia-cuda-nvcc-cu12 brings it")
    (folder / "kernel.ptx").write_text(ptx)
    command = [assembler, f"-arch={architecture}", "kernel.ptx", "-o", "kernel.cubin"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _sources(name: str) -> list[str]:
    target = library.load(name, Path())
    proposals = (propose(target, (), way, 0) for way in ("wide", "lean")[:DIRECTIONS])
    return [target.baseline.source, *(p.source for p in proposals if p is not None)]


@pytest.mark.parametrize("name", library.builtin_names())
def test_every_kernel_of_the_built_in_targets_compiles(compiler: CudaCompiler, name: str) -> None:
    for source in _sources(name):
        ptx = _compiled(compiler, source)
        # what drivers of CUDA 11.8 and later load
        assert ".version 7.8\n.target sm_90" in ptx
        assert not re.search(r"^\.extern \.func", ptx, re.MULTILINE)


@pytest.mark.parametrize("name", library.builtin_names())
def test_ptxas_takes_every_kernel_of_the_built_in_targets(
    compiler: CudaCompiler, name: str, tmp_path: Path
) -> None:
    for source in _sources(name):
        for architecture in ARCHITECTURES:
            _assemble(_compiled(compiler, source, architecture), architecture, tmp_path)


def test_ptxas_takes_most_of_the_header(compiler: CudaCompiler, tmp_path: Path) -> None:
    source = f"""{HEADER}#include <hip/hip_fp8.h>
#include <hip/hip_cooperative_groups.h>
extern "C" __global__ void __launch_bounds__(256)
    k(float* x, double* d, __half* h, __hip_bfloat16* b, int n) {{
  __shared__ float s[256];
  extern __shared__ float own[];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  float v = x[i];
  s[threadIdx.x] = expf(v) + logf(v) + tanhf(v) + powf(v, 2.5f) + sinf(v) + erff(v) + rsqrtf(v)
      + ldexpf(v, n) + log2f(v) + exp2f(v) + __logf(v) + __expf(v) + roundf(v) + cbrtf(v);
  __syncthreads();
  v = __shfl_xor(s[threadIdx.x ^ 1], 8) + __shfl_down(v, 4) + __popcll(__ballot(v > 1));
  own[threadIdx.x] = v;
  __syncwarp();
  atomicAdd(x + 1, v); atomicAdd(d, 1.0); atomicMax((int*)x, n); atomicMin(x + 3, v);
  atomicCAS((unsigned*)x, 1u, 2u); atomicAdd_block(x + 2, v); atomicInc((unsigned*)x + 4, 9u);
  h[i] = h[i] * (__half)v + hexp(h[i]);
  b[i] = b[i] * b[i + 1];
  d[i] = exp(d[i]) + log(d[i]) + sqrt(d[i]) + pow(d[i], 3.0) + sin(d[i]);
  x[i] = own[threadIdx.x ^ 3] + __syncthreads_count(v > 2) + blockDim.y * gridDim.z;
  __threadfence();
}}
"""
    _assemble(_compiled(compiler, source), "sm_90", tmp_path)


def test_a_wave_has_32_lanes(compiler: CudaCompiler) -> None:
    ptx = _compiled(compiler, _kernel("x[0] = warpSize;"))
    # 32.0f
    assert re.search(r"st\S*\s+\[%rd\d+\], (1107296256|0f42000000)", ptx), ptx


def test_what_only_amd_has_is_unsupported_with_its_line(compiler: CudaCompiler) -> None:
    body = "typedef float v4 __attribute__((ext_vector_type(4)));\nv4 c = {};\n"
    body += "c = __builtin_amdgcn_mfma_f32_16x16x4f32(x[0], x[1], c, 0, 0, 0);\nx[0] = c[0];"
    found = compiler.compile(_kernel(body), "sm_90")
    assert isinstance(found, Finding)
    assert found.status is Status.UNSUPPORTED
    assert "__builtin_amdgcn_mfma_f32_16x16x4f32 exists on AMD GPUs only" in found.message
    assert found.line == 5


def test_a_mistake_is_a_compile_error_and_an_old_device_unsupported(compiler: CudaCompiler) -> None:
    wrong = compiler.compile(_kernel("x[0] = nothing;"), "sm_90")
    assert isinstance(wrong, Finding)
    assert wrong.status is Status.COMPILE_ERROR
    assert "kernel.hip:3" in wrong.message
    old = compiler.compile(_kernel("x[0] = 1;"), "sm_75")
    assert isinstance(old, Finding)
    assert old.status is Status.UNSUPPORTED


def test_later_devices_take_the_newest_ptx_we_make(compiler: CudaCompiler) -> None:
    assert ".target sm_90" in _compiled(compiler, _kernel("x[0] = 1;"), "sm_120")


def test_ptx_carries_its_sources_hash_once(compiler: CudaCompiler) -> None:
    source = _kernel("x[0] = 1;")
    image = _compiled(compiler, source).encode()
    assert carried_hash(image) == hash_of(source)
    constant = image[image.rindex(b".visible .const") :]
    assert carried_hash(image + constant) == ""
    assert carried_hash(image.replace(constant, b"")) == ""


def test_a_stale_build_is_made_again(sandbox: Sandbox, tmp_path: Path) -> None:
    source = _kernel("x[0] = 1;")
    compiler = CudaCompiler(sandbox, tmp_path)
    first = _compiled(compiler, source)
    other = _compiled(compiler, _kernel("x[0] = 2;"))
    entries = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(entries) == 2
    cache = compiler._cache  # pyright: ignore[reportPrivateUsage]
    for entry in entries:
        cache.put(entry.name, other.encode())
    assert _compiled(compiler, source) == first


def test_much_static_lds_becomes_dynamic(compiler: CudaCompiler, tmp_path: Path) -> None:
    body = """__shared__ float a[4096];
__shared__ double b[6000];
a[threadIdx.x] = x[threadIdx.x];
b[threadIdx.x + 3] = x[threadIdx.x + 1];
__syncthreads();
x[threadIdx.x] = a[threadIdx.x ^ 1] + b[threadIdx.x ^ 1];"""
    program = compiler.compile(_kernel(body), "sm_90")
    assert isinstance(program, Program)
    assert program.shared_bytes == {"k": 16384 + 48000}
    _assemble(program.image.decode(), "sm_90", tmp_path)


def test_a_kernel_with_little_lds_is_left_alone() -> None:
    ptx = ".address_size 64\n.visible .entry k(\n)\n{\n"
    ptx += "\t.shared .align 4 .b8 s[1024];\n\tmov.b64 %rd1, s;\n}\n"
    assert with_large_shared(ptx) == ptx
    assert asked_for(ptx) == {}


def test_places_keep_their_alignment_and_offsets() -> None:
    ptx = ".address_size 64\n.shared .align 1 .b8 a[3];\n.shared .align 16 .b8 b[60000];\n"
    ptx += ".visible .entry k(\n)\n{\n\tst.shared [b+8], a;\n\tst.shared [b], ab;\n}\n"
    changed = with_large_shared(ptx)
    array = "rocm_pipeline_shared"
    assert f"[{array}+24], {array}+0;" in changed
    assert f"[{array}+16], ab;" in changed
    assert asked_for(changed) == {"k": 60016}


def test_every_name_of_the_header_is_there_for_nvidia_too(compiler: CudaCompiler) -> None:
    headers = dict.fromkeys(group.header for group in hip_names().groups)
    lines = [f"#include <{header}>" for header in headers]
    lines += ["namespace every_name {", "using namespace cooperative_groups;"]
    for group in hip_names().groups:
        scope = "cooperative_groups" if "cooperative" in group.header else ""
        for name in set(group.names) - {"cooperative_groups"}:
            lines += [f"#if !defined({name}) && !__has_builtin({name})", f"using {scope}::{name};"]
            lines += ["#endif"]
    source = "\n".join([*lines, "}", 'extern "C" __global__ void k(float* x) { x[0] = 1; }', ""])
    found = compiler.compile(source, "sm_90")
    assert isinstance(found, Program), found


def test_the_branches_of_the_header_have_the_same_parts() -> None:
    folder = files("rocm_pipeline.lab") / "include" / "hip" / "detail"

    def parts(name: str) -> list[str]:
        text = (folder / name).read_text()
        return [part.split("/")[-1] for part in re.findall(r'#include "(\S+)"', text)]

    assert parts("cuda.h") == parts("device.h")
