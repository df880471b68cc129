"""Work is counted however it is written: nothing that computes is free."""

from collections import Counter

import pytest

from rocm_pipeline.lab.emulator.ir import parse_module
from rocm_pipeline.lab.emulator.operations import count_operations
from tests.lab.emulator.bench import Bench

_VECTOR = """typedef float eight __attribute__((ext_vector_type(8)));
typedef int whole __attribute__((ext_vector_type(8)));
extern "C" __global__ void k(const eight* x, float* y, int n) {
  const eight p = x[0] * x[1];
  y[0] = EXPRESSION;
}"""


def _counted(bench: Bench, expression: str) -> Counter[str]:
    build = bench.build(_VECTOR.replace("EXPRESSION", expression), ["k"], 64)
    total = Counter[str]()
    for mix in build.operations:
        total.update(mix)
    return total


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("__builtin_reduce_max(p)", "f32_min"),
        ("__builtin_reduce_min(p)", "f32_min"),
        ("__builtin_reduce_maximum(p)", "f32_min"),
        ("__builtin_reduce_add(__builtin_convertvector(p, whole))", "int_op"),
    ],
)
def test_a_reduction_counts_one_operation_less_than_elements(
    bench: Bench, expression: str, kind: str
) -> None:
    found, none = _counted(bench, expression), _counted(bench, "p[0]")

    assert found[kind] - none[kind] == 7


def test_an_element_of_unknown_number_is_chosen_from_all(bench: Bench) -> None:
    assert _counted(bench, "p[n & 7] + __builtin_reduce_max(p)")["select"] == 8
    assert _counted(bench, "p[3] + __builtin_reduce_max(p)")["select"] == 0


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("call float @llvm.exp2.f32(float %a)", {"f32_exp2": 1}),
        ("call contract <4 x float> @llvm.fma.v4f32(<4 x float> %a)", {"f32_fma": 4}),
        ("call float @llvm.vector.reduce.fadd.v4f32(float %a, <4 x float> %b)", {"f32_add": 3}),
        ("call i32 @llvm.fptosi.sat.i32.f32(float %a)", {"convert": 1}),
        ("call <2 x half> @llvm.newest.thing.v2f16(<2 x half> %a)", {"f16_pow": 2}),
        ("call i32 @llvm.fshl.i32(i32 %a, i32 %a, i32 %a)", {"int_op": 1}),
        ("call i1 @llvm.vector.reduce.or.v8i1(<8 x i1> %a)", {"int_op": 7}),
        ("call void @llvm.memcpy.p0.p0.i64(ptr %a, ptr %a, i64 4, i1 false)", {}),
        ("call void @llvm.lifetime.start.p0(ptr %a)", {}),
        ("call void @llvm.assume(i1 %a)", {}),
        ("call i64 @llvm.newest.clock()", {"int_op": 1}),
    ],
)
def test_each_intrinsic_costs_something_unless_it_is_known_to_be_free(
    call: str, expected: dict[str, int]
) -> None:
    prefix = "" if "void" in call else "%r = "
    module = parse_module(f"define void @k(float %a) {{\n  {prefix}{call}\n  ret void\n}}\n")

    (counts,) = count_operations(module.functions[0])

    assert dict(counts) == expected
