"""Addresses as numbers: alignment and distances pass, everything else is refused."""

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import BuildFailed
from rocm_pipeline.lab.evidence import Status
from tests.lab.emulator.bench import Bench, Start


def _source(expression: str) -> str:
    return f"""extern "C" __global__ void k(const float* x, float* y, int n) {{
  y[threadIdx.x] = {expression};
}}"""


@pytest.mark.parametrize(
    "expression",
    [
        "((size_t)x >> 40) % 2 ? 1.0f : 0.0f",
        "(float)(size_t)y",
        "x > (const float*)0x100000000000 ? 1.0f : 0.0f",
        "((size_t)(x + n) & 0xffff000) ? 1.0f : 0.0f",
        "((size_t)x ^ (size_t)y) % 7 ? 1.0f : 0.0f",
        "((size_t)x | (size_t)y) >> 20 ? 1.0f : 0.0f",
        "((size_t)x & 4095) == 0 ? 1.0f : 0.0f",
        "((size_t)x & 256) == 0 ? 1.0f : 0.0f",
    ],
)
def test_a_result_that_depends_on_an_address_is_refused(bench: Bench, expression: str) -> None:
    with pytest.raises(BuildFailed, match=r"kernel.hip:3:\d+: error: the address of a buffer"):
        bench.build(_source(expression), ["k"], 64)


@pytest.mark.parametrize(
    "expression",
    [
        "(size_t)x % 16 == 0 ? 1.0f : 0.0f",
        "((size_t)x & 15) == 0 ? 1.0f : 0.0f",
        "((size_t)x | (size_t)y) % 16 == 0 ? 1.0f : 0.0f",
        "(float)(&x[n] - x)",
        "x + n > x ? 1.0f : 0.0f",
        "x == y ? 0.0f : 1.0f",
    ],
)
def test_alignment_and_distance_are_no_dependence(bench: Bench, expression: str) -> None:
    buffers = {"x": np.ones(64, np.float32), "y": np.zeros(64, np.float32)}

    assert bench.run(_source(expression), Start("k", ("x", "y", 1)), buffers).findings == ()


_OWN = """extern "C" __global__ void k(const float* x, float* y, int n) {
  __shared__ float shared[64];
  float own[64];
  shared[threadIdx.x] = x[threadIdx.x];
  for (int i = 0; i < n; ++i) own[(i * n) & 63] = i;
  __syncthreads();
  y[threadIdx.x] = (EXPRESSION) ? shared[threadIdx.x] : own[n & 63];
}"""


@pytest.mark.parametrize(
    "expression",
    [
        "(const float*)shared > x",
        "x < &own[n & 63]",
        "(n > 1 ? &own[n & 63] : &own[0]) < x",
        "(const char*)&shared[n & 63] - (const char*)x > 0",
        "(const char*)&own[n & 63] < (const char*)&shared[n & 63]",
    ],
)
def test_the_order_of_kinds_of_memory_is_refused(bench: Bench, expression: str) -> None:
    with pytest.raises(BuildFailed, match=r"kernel.hip:8:\d+: error: whether LDS or a local"):
        bench.build(_OWN.replace("EXPRESSION", expression), ["k"], 64)


@pytest.mark.parametrize(
    "expression",
    [
        "&shared[n & 63] > shared",
        "&own[n & 63] < &own[63]",
        "(const char*)&own[n & 63] - (const char*)own > 16",
        "(const float*)shared == x",
    ],
)
def test_the_order_inside_a_variable_is_its_own(bench: Bench, expression: str) -> None:
    bench.build(_OWN.replace("EXPRESSION", expression), ["k"], 64)


def test_dynamic_lds_has_the_type_that_it_has_on_the_gpu(bench: Bench) -> None:
    source = """template <class T> constexpr int rank = 0;
template <class T> constexpr int rank<T[]> = 1;
extern "C" __global__ void k(float* y) {
  extern __shared__ float part[];
  part[threadIdx.x] = rank<decltype(part)>;
  __syncthreads();
  y[threadIdx.x] = part[63 - threadIdx.x];
}"""
    run = bench.run(source, Start("k", ("y",), shared_bytes=256), {"y": np.zeros(64, np.float32)})

    assert run.status is Status.PASSED, run.findings
    np.testing.assert_array_equal(run.outputs["y"], np.ones(64, np.float32))
