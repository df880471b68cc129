"""What the emulator compiles, what it refuses, and in which words."""

import ctypes
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rocm_pipeline.lab.build_cache import BuildCache
from rocm_pipeline.lab.emulator import BuildFailed, Emulator, EmulatorBuild
from rocm_pipeline.lab.emulator.source import prepare
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.sandbox import Sandbox
from rocm_pipeline.lab.source_hash import carried_hash, hash_of
from tests.lab.emulator.bench import HEADER, Bench, Start
from tests.lab.test_source_hash import SECTIONS, with_forged_note

KERNEL = 'extern "C" __global__ void k(const float* x, float* y, int n, float a) {{ {body} }}'


def _diagnostics(bench: Bench, body: str, before: str = "") -> str:
    with pytest.raises(BuildFailed) as caught:
        bench.emulator.build(HEADER + before + KERNEL.format(body=body), ["k"], 64)
    return caught.value.diagnostics


def test_an_error_names_the_sources_own_line(bench: Bench) -> None:
    text = _diagnostics(bench, "y[0] = undefined_name;", before="\n\n")

    assert "kernel.hip:4:" in text
    assert "undefined_name" in text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("y[0] = lgamma((double)a);", "deleted function"),
        ("y[0] = lgammaf(a);", "lgammaf"),
        ('asm volatile("s_nop 0");', "inline assembly"),
        ("__atomic_fetch_add((int*)y, 1, 0);", "compiler atomics"),
        ("y[0] = __shfl_down_sync(0xffffffff, a, 1);", "64 bits"),
        ("y[0] = __shfl(float4(a), 1).x;", "up to 8 bytes"),
        ("y[0] = __builtin_amdgcn_sinf(a);", "__builtin_amdgcn_sinf"),
        ("hip_emulator_barrier(0, 0);", "reserved for the harness"),
        ("y[0] = std::max(a, 1.0f);", "std"),
    ],
)
def test_what_cannot_run_does_not_compile(bench: Bench, body: str, words: str) -> None:
    assert words in _diagnostics(bench, body)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ('asm(".globl anything");\n', "inline assembly"),
        (
            "float start() { return 1.0f; }\nextern float late;\nfloat late = start() + warpSize * "
            "(float)(unsigned long)&late;\n",
            "constant initial values",
        ),
        (
            "volatile int seen;\n__attribute__((constructor)) void early() { seen = 1; }\n",
            "constant initial values",
        ),
        ("extern int elsewhere;\nint* use() { return &elsewhere; }\n", "defined nowhere"),
    ],
)
def test_nothing_runs_or_hides_outside_kernels(bench: Bench, before: str, words: str) -> None:
    assert words in _diagnostics(bench, "y[0] = a;", before)


def test_a_function_that_nothing_defines_is_refused(bench: Bench) -> None:
    text = _diagnostics(bench, "y[0] = helper(n);", before='extern "C" int helper(int);\n')

    assert "'helper' is declared but defined nowhere" in text


def test_a_kernel_must_have_a_plain_name(bench: Bench) -> None:
    with pytest.raises(BuildFailed, match='must be declared extern "C"'):
        bench.emulator.build(HEADER + "__global__ void k(float* y) { y[0] = 1; }", ["k"], 64)


def test_a_kernel_of_the_plan_must_exist(bench: Bench) -> None:
    with pytest.raises(BuildFailed, match="other"):
        bench.emulator.build(HEADER + KERNEL.format(body=""), ["other"], 64)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("x", "y", 1), "passes 3 arguments, the kernel takes 4"),
        (
            ("x", 1, 1, 1.0),
            "argument 1 'scalar0' is an integer of 4 bytes, but parameter 1 of the "
            "kernel is a pointer",
        ),
        (("x", "y", 1.0, 1.0), "a floating-point value of 4 bytes, but parameter 2"),
        (("x", "y", 1, "z"), "'z' is no tensor, workspace, symbol or scalar"),
    ],
)
def test_arguments_that_do_not_fit_are_named(
    bench: Bench, args: tuple[str | int | float, ...], words: str
) -> None:
    buffers = {name: np.zeros(4, np.float32) for name in ("x", "y")}
    run = bench.run(KERNEL.format(body="y[0] = a;"), Start("k", args), buffers)

    assert run.status is Status.POLICY_VIOLATION
    assert words in run.findings[0].message


@pytest.mark.parametrize(
    "declaration",
    [
        "extern __shared__ float s[];",
        "extern __shared__ __align__(16) float s[];",
        "extern __shared__ alignas(16) float s[];",
        "extern   __shared__\n  float\n s [ ] ;",
        "extern __shared__ float4 v[]; float* s = (float*)v;",
        "extern __shared__ unsigned char raw[]; float* s = reinterpret_cast<float*>(raw);",
        "extern __shared__ float t[][4]; float* s = &t[0][0];",
        "// extern __shared__ int s[];\n  extern __shared__ float s[];",
        "HIP_DYNAMIC_SHARED(float, s)",
    ],
)
def test_dynamic_lds_may_be_declared_in_any_way(bench: Bench, declaration: str) -> None:
    body = f"""extern "C" __global__ void k(const float* x, float* y) {{
  {declaration}
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = s[63 - threadIdx.x];
}}"""
    x = np.arange(64, dtype=np.float32)
    run = bench.run(body, Start("k", ("x", "y"), shared_bytes=256), {"x": x, "y": np.zeros_like(x)})

    assert run.findings == ()
    np.testing.assert_array_equal(run.outputs["y"], x[::-1])


def test_dynamic_lds_may_stand_outside_the_kernel(bench: Bench) -> None:
    body = """extern __shared__ float s[];
extern "C" __global__ void k(float* y) {
  s[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = s[threadIdx.x];
}"""
    run = bench.run(body, Start("k", ("y",), shared_bytes=256), {"y": np.zeros(64, np.float32)})

    assert run.findings == ()


def test_preparing_keeps_every_line_in_its_place() -> None:
    source = 'a\nextern __shared__\n  float s[];  // "x\n/* extern __shared__ int t[]; */\nlast'
    lines = prepare(source, ["k"]).splitlines()

    assert lines[3] == "/* extern __shared__ int t[]; */"
    assert lines[4] == "last"
    assert lines[5] == '#line 1 "launch plan"'


def test_a_build_survives_the_cache(sandbox: Sandbox, tmp_path: Path) -> None:
    first = Emulator(sandbox, tmp_path).build(HEADER + KERNEL.format(body="y[n] = a;"), ["k"], 32)
    stored = Emulator(sandbox, tmp_path).build(HEADER + KERNEL.format(body="y[n] = a;"), ["k"], 32)

    assert stored == first
    assert EmulatorBuild.from_bytes(first.to_bytes()) == first


FACTORS = tuple(KERNEL.format(body=f"y[threadIdx.x] = {factor} * a;") for factor in (2, 3))


def test_a_build_carries_its_sources_hash_at_both_wave_sizes(bench: Bench) -> None:
    for wave in (32, 64):
        build = bench.build(FACTORS[0], ["k"], wave)

        assert build.source_sha256 == carried_hash(build.library) == hash_of(HEADER + FACTORS[0])
        assert build.is_of(HEADER + FACTORS[0], ["k"], wave)
        assert not build.is_of(HEADER + FACTORS[0], ["k"], 96 - wave)
        assert not build.is_of(HEADER + FACTORS[1], ["k"], wave)


@pytest.mark.parametrize("what", ["another library", "another build", "no build"])
def test_a_swapped_cache_entry_is_built_again(bench: Bench, builds: Path, what: str) -> None:
    two, three = (bench.build(body, ["k"], 64) for body in FACTORS)
    swapped = {
        "another library": replace(two, library=three.library).to_bytes(),
        "another build": three.to_bytes(),
        "no build": b"\x02\0\0\0\0\0\0\0{}",
    }
    emulator, cache = bench.emulator, BuildCache(builds / "emulator")
    key = emulator._compiler.key("build", HEADER + FACTORS[0], "k", "64")  # pyright: ignore[reportPrivateUsage]
    cache.put(key, swapped[what])

    assert emulator.build(HEADER + FACTORS[0], ["k"], 64) == two
    assert cache.get(key) == two.to_bytes()


def test_a_swapped_library_is_a_cheat_and_does_not_run(bench: Bench) -> None:
    two, three = (bench.build(body, ["k"], 64) for body in FACTORS)
    swapped = Bench(bench.emulator, {(FACTORS[0], 64): replace(two, library=three.library)})
    buffers = {name: np.zeros(64, np.float32) for name in ("x", "y")}
    start = Start("k", ("x", "y", 1, 1.0))

    run = swapped.run(FACTORS[0], start, buffers)
    assert run.status is Status.CHEAT
    assert "that of another source" in run.findings[0].message
    assert run.outputs == {}
    assert bench.run(FACTORS[0], start, buffers).outputs["y"][0] == 2


def test_a_source_cannot_give_its_library_another_hash(bench: Bench) -> None:
    in_place, beside = (
        with_forged_note(KERNEL.format(body="y[0] = a;"), section) for section in SECTIONS
    )

    with pytest.raises(BuildFailed, match=r"discarded section: \.note\.gnu\.build-id"):
        bench.build(in_place, ["k"], 64)
    assert carried_hash(bench.build(beside, ["k"], 64).library) == hash_of(HEADER + beside)


def test_a_library_for_torch_that_was_swapped_is_built_again(bench: Bench, builds: Path) -> None:
    emulator = bench.emulator
    first = emulator.library_for_torch(HEADER + FACTORS[0], ["k"])
    other = emulator.library_for_torch(HEADER + FACTORS[1], ["k"])
    key = emulator._compiler.key("torch", HEADER + FACTORS[0], "k")  # pyright: ignore[reportPrivateUsage]
    BuildCache(builds / "emulator").put(key, other.kernels)

    assert emulator.library_for_torch(HEADER + FACTORS[0], ["k"]) == first


def test_a_runtime_that_was_swapped_is_built_again(
    sandbox: Sandbox, bench: Bench, tmp_path: Path
) -> None:
    emulator = Emulator(sandbox, tmp_path)
    source = HEADER + FACTORS[0]
    first = bench.emulator.library_for_torch(source, ["k"])
    key = emulator._compiler.key("runtime", "64")  # pyright: ignore[reportPrivateUsage]
    BuildCache(tmp_path).put(key, first.kernels)

    assert emulator.library_for_torch(source, ["k"]).runtime == first.runtime


def test_the_torch_library_runs_in_a_plain_process(bench: Bench, tmp_path: Path) -> None:
    source = (
        HEADER
        + """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float s[4];
  float v = x[threadIdx.x];
  for (int o = 32; o > 0; o /= 2) v += __shfl_xor(v, o);
  if (threadIdx.x % 64 == 0) s[threadIdx.x / 64] = v;
  __syncthreads();
  if (threadIdx.x < n) y[threadIdx.x] = s[0] + s[1];
}"""
    )
    library = bench.emulator.library_for_torch(source, ["k"])
    (tmp_path / "runtime.so").write_bytes(library.runtime)
    (tmp_path / "kernels.so").write_bytes(library.kernels)
    program = """
import ctypes
ctypes.CDLL("./runtime.so", mode=ctypes.RTLD_GLOBAL)
launch = ctypes.CDLL("./kernels.so").hip_emulator_launch_k
x, y, n = (ctypes.c_float * 128)(*range(128)), (ctypes.c_float * 3)(), ctypes.c_int(2)
pointers = [ctypes.c_void_p(ctypes.addressof(x)), ctypes.c_void_p(ctypes.addressof(y)), n]
arguments = (ctypes.c_void_p * 3)(*[ctypes.addressof(each) for each in pointers])
triple = ctypes.c_uint * 3
failed = launch(triple(1, 1, 1), triple(128, 1, 1), ctypes.c_size_t(0), arguments)
print(failed, list(y))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "0 [8128.0, 8128.0, 0.0]"
    assert ctypes.sizeof(ctypes.c_void_p) == 8
