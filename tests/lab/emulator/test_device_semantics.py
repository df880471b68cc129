"""What the GPU does and a CPU would not: leftovers in private memory, conversions that saturate."""

import numpy as np
import pytest

from rocm_pipeline.lab.emulator import BuildFailed
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.targets.dtypes import Array
from rocm_pipeline.targets.launch_plan import BoundLaunch, BoundPlan
from tests.lab.emulator.bench import HEADER, Bench, Start

_TYPES = """\
#include <hip/hip_fp16.h>
struct Pair { char first; double second; };
struct Mixed { Pair pairs[3]; __half half; float4 vector; short tail; };
struct __attribute__((packed)) Packed { char first; double second; short third; };
struct Empty {};
union Either { float whole[5]; char bytes[23]; };
template <class A, class B> struct Both { A a; B b; };
"""
_ALL_TYPES = [
    "float",
    "bool",
    "float4",
    "float3",
    "Mixed",
    "Packed",
    "Empty",
    "Either",
    "unsigned char[77]",
    "Pair[5]",
    "__half[3]",
    "float*",
    "Both<Both<char, float3[3]>, Packed[2]>",
]


def _private_bytes(bench: Bench, declaration: str, reverse: bool = False) -> Array:
    source = f"""{_TYPES}
extern "C" __global__ void k(unsigned char* y) {{
  typedef __typeof__({declaration}) type;
  type own;
  const unsigned char* bytes = (const unsigned char*)&own;
  for (int i = 0; i < 256; ++i) y[i] = i < (int)sizeof(type) ? bytes[i] : 99;
  y[255] = sizeof(type);
}}"""
    start = Start("k", ("y",), block=(1, 1, 1))
    run = bench.run(source, start, {"y": np.zeros(256, np.uint8)}, reverse=reverse)
    assert run.status is Status.PASSED, run.findings
    return run.outputs["y"][: run.outputs["y"][255]]


@pytest.mark.parametrize("declaration", _ALL_TYPES)
def test_no_byte_of_a_local_variable_is_left_as_it_happens_to_be(
    bench: Bench, declaration: str
) -> None:
    assert set(_private_bytes(bench, declaration)) == {0xFF}
    assert set(_private_bytes(bench, declaration, reverse=True)) == {0}


_LOOP = """extern "C" __global__ void k(float* y, int n) {
  for (int i = 0; i < n; ++i) {
    float own[8];
    y[i] = own[i & 7];
    for (int j = 0; j < n; ++j) own[j & 7] = y[j] == 1.0f ? 3.0f : 2.0f;
    if (own[n & 7] == 3.0f) y[i] = own[(n + 1) & 7];
  }
}"""


def test_a_variable_of_a_loop_holds_nothing_of_the_round_before(bench: Bench) -> None:
    start = Start("k", ("y", 16), block=(1, 1, 1))

    run = bench.run(_LOOP, start, {"y": np.zeros(16, np.float32)})

    assert np.isnan(run.outputs["y"]).all()


_READS_ONE = """extern "C" __global__ void k(unsigned* y, int n) {
  unsigned own;
  if (n > 1) own = n;
  y[threadIdx.x] = own;
}"""


def _leftovers(bench: Bench, conditions: str) -> list[int]:
    rounds = [{"y": np.zeros(64, np.uint32)} for _ in range(9)]
    run = bench.emulator.run(
        bench.build(_READS_ONE, ["k"], 64),
        BoundPlan((BoundLaunch("k", (1, 1, 1), (64, 1, 1), 0, ("y", "n")),), ()),
        rounds[0],
        {"n": np.int32(1)},
        outputs=["y"],
        later_rounds=rounds[1:],
        conditions=conditions,
    )
    assert run.status is Status.PASSED, run.findings
    return [int(each["y"][0]) for each in (run.outputs, *run.later_outputs)]


def test_leftovers_differ_from_round_to_round_and_can_be_repeated(bench: Bench) -> None:
    one, again, other = (_leftovers(bench, seed) for seed in ("one", "one", "other"))

    assert one == again
    assert one != other
    assert len(set(one)) > 5


def test_filling_a_local_array_with_noise_is_not_counted_as_work(bench: Bench) -> None:
    body = """extern "C" __global__ void k(float* y, int n) {
  float own[64]BEGIN;
  for (int i = 0; i < n; ++i) own[i & 63] = y[i];
  y[0] = own[n & 63];
}"""
    plain, cleared = (
        bench.build(body.replace("BEGIN", begin), ["k"], 64).operations for begin in ("", " = {}")
    )

    assert plain == cleared


_VALUES = [0.0, 1.9, -1.9, 2147483520.0, 3e9, -3e9, 5e9, 1e30, -1e30, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("int", [0, 1, -1, 2147483520, 2**31 - 1, -(2**31), 2**31 - 1, 2**31 - 1, -(2**31),
                 2**31 - 1, -(2**31), 0]),
        ("unsigned", [0, 1, 0, 2147483520, 3000000000, 0, 2**32 - 1, 2**32 - 1, 0,
                      2**32 - 1, 0, 0]),
        ("unsigned char", [0, 1, 0, 128, 0, 0, 255, 255, 0, 255, 0, 0]),
        ("short", [0, 1, -1, -128, -1, 0, -1, -1, 0, -1, 0, 0]),
    ],
)  # fmt: skip
def test_a_conversion_out_of_range_saturates_at_32_bits(
    bench: Bench, kind: str, expected: list[int]
) -> None:
    source = f"""extern "C" __global__ void k(const float* x, long long* y, int n) {{
  if (threadIdx.x < n) y[threadIdx.x] = ({kind})x[threadIdx.x];
}}"""
    buffers = {"x": np.array(_VALUES, np.float32), "y": np.zeros(len(_VALUES), np.int64)}

    run = bench.run(source, Start("k", ("x", "y", len(_VALUES))), buffers)

    assert run.status is Status.PASSED, run.findings
    assert run.outputs["y"].tolist() == expected


def test_the_elements_of_a_vector_saturate(bench: Bench) -> None:
    source = """typedef float four __attribute__((ext_vector_type(4)));
typedef int whole __attribute__((ext_vector_type(4)));
extern "C" __global__ void k(const four* x, whole* y) {
  *y = __builtin_convertvector(*x, whole);
}"""
    buffers = {"x": np.array([3e9, -3e9, np.nan, 2.5], np.float32), "y": np.zeros(4, np.int32)}

    run = bench.run(source, Start("k", ("x", "y"), block=(1, 1, 1)), buffers)

    assert run.outputs["y"].tolist() == [2**31 - 1, -(2**31), 0, 2]


def test_a_local_array_without_a_fixed_length_is_refused(bench: Bench) -> None:
    source = """extern "C" __global__ void k(float* y, int n) {
  float own[n];
  own[0] = y[0];
  for (int i = 0; i < n; ++i) y[i] = own[i];
}"""
    with pytest.raises(BuildFailed, match="a local array needs a length that is known"):
        bench.emulator.build(HEADER + source, ["k"], 64)


_FAST = """extern "C" __global__ void k(const float* x, float* y) {
  y[0] = __expf(x[0] - 100.0f);
  y[1] = __fdividef(x[1], 2e38f);
  y[2] = __expf(x[0] - 80.0f);
  y[3] = __fdividef(x[1], 2e37f);
  y[4] = __logf(x[0] + 1e-40f);
  y[5] = rsqrtf(x[0] + 1e-40f);
}"""


def test_fast_functions_know_no_denormals(bench: Bench) -> None:
    buffers = {"x": np.array([0, 1], np.float32), "y": np.zeros(6, np.float32)}

    run = bench.run(_FAST, Start("k", ("x", "y"), block=(1, 1, 1)), buffers)

    expected = np.array([0, 0, np.exp(-80.0), 5e-38, -np.inf, np.inf], np.float32)
    np.testing.assert_allclose(run.outputs["y"], expected, rtol=1e-5)
