"""Operation counts become instruction counts, as the device compiler makes them."""

import pytest

from rocm_pipeline.lab.instruction_mix import instruction_mix, total
from rocm_pipeline.lab.launch_work import LaunchWork
from rocm_pipeline.lab.toolchain import Toolchain

EMPTY = LaunchWork(blocks=1, threads_per_block=64)

FUNCTIONS = {
    "div": "a / b",
    "sqrt": "sqrtf(a)",
    "exp": "expf(a)",
    "exp2": "exp2f(a)",
    "log": "logf(a)",
    "log2": "log2f(a)",
    "sin": "sinf(a)",
    "cos": "cosf(a)",
    "tanh": "tanhf(a)",
    "erf": "erff(a)",
    "pow": "powf(a, b)",
}


@pytest.mark.parametrize("architecture", ["gfx942", "gfx1100"])
def test_a_function_costs_what_it_compiles_to(toolchain: Toolchain, architecture: str) -> None:
    kernels = "".join(
        f'extern "C" __global__ void k_{name}(const float* x, float* y) {{\n'
        f"  const float a = x[threadIdx.x], b = x[threadIdx.x + 64];\n"
        f"  y[threadIdx.x] = {expression} + b;\n}}\n"
        for name, expression in {"plain": "a", **FUNCTIONS}.items()
    )
    build = toolchain.compile(f"#include <hip/hip_runtime.h>\n{kernels}", architecture)
    mixes = instruction_mix(build.assembly)
    plain = total(mixes["k_plain"], "valu")

    for name in FUNCTIONS:
        counted = EMPTY.with_operations({f"f32_{name}": 1})
        mix = mixes[f"k_{name}"]
        around = total(mix, "valu") - plain
        assert mix.get("transcendental", 0) == counted.transcendental_operations, name
        assert 0.6 * counted.expansion_operations <= around, name
        assert around <= counted.expansion_operations, name


def test_kinds_go_to_their_unit() -> None:
    work = EMPTY.with_operations(
        {
            "f32_add": 1,
            "f32_fma": 2,
            "bf16_mul": 4,
            "f16_fma": 8,
            "f64_compare": 16,
            "f64_div": 1,
            "int_op": 32,
            "select": 64,
            "convert": 128,
            "load": 1000,
            "store": 1000,
            "branch": 1000,
            "f32_sign": 1000,
        }
    )

    assert work.fp32_operations == 7
    assert work.fp16_operations == 8
    assert work.fp64_operations == 16 + 11
    assert work.integer_operations == 32 + 64 + 128
    assert work.transcendental_operations == 0
    assert work.expansion_operations == 0
