"""The HIP subset that prompts promise is the one that the harness compiles and accepts."""

import json
import re
from pathlib import Path

import pytest

from rocm_pipeline.agents.prompts import system_prompt
from rocm_pipeline.lab.candidate import Candidate
from rocm_pipeline.lab.evidence import Status
from rocm_pipeline.lab.policy import check_source
from rocm_pipeline.lab.sandbox import Sandbox, SandboxUnavailable
from rocm_pipeline.lab.toolchain import Toolchain
from rocm_pipeline.planning.plan import Role
from rocm_pipeline.targets.launch_plan import Launch, LaunchPlan, Workspace
from rocm_pipeline.targets.spec import Target

EVERYTHING = """
#include <hip/hip_runtime.h>
#include <hip/hip_fp16.h>

template <typename T>
__device__ float all_of_it(const T* __restrict__ x, T* y, int* counts, int rows, int cols) {
  __shared__ float tile[64][65];
  extern __shared__ float dynamic[];
  const int lane = threadIdx.x % warpSize;
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const size_t offset = (size_t)min(i, rows - 1) * max(cols, 1);
  float v = (float)x[offset];
  tile[threadIdx.x % 64][threadIdx.x % 65] = v;
  dynamic[threadIdx.x] = v;
  __syncthreads();
#pragma unroll
  for (int step = 1; step < 32; step *= 2) v += __shfl_xor(v, step, warpSize);
  v += __shfl(v, 0) + __shfl_up(v, 1) + __shfl_down(v, 1) + tile[0][lane % 65] + dynamic[0];
  if (__any(v > 0) && !__all(v > 1) && __ballot(v > 0) && gridDim.x > 0) v += 1.0f;
  v += expf(v) + exp2f(v) + logf(v) + log2f(v) + sqrtf(v) + rsqrtf(v) + sinf(v) + cosf(v);
  v += tanhf(v) + erff(v) + powf(v, v) + fabsf(v) + fmaf(v, v, v) + fmaxf(v, -INFINITY);
  v += fminf(v, v) + floorf(v);
  const float2 f2 = make_float2(v, v);
  const float4 f4 = make_float4(v, f2.x, f2.y, v);
  const int2 i2 = make_int2(1, 2);
  const int4 i4 = make_int4(i2.x, i2.y, 3, 4);
  const uint2 u2 = make_uint2(1, 2);
  const uint4 u4 = make_uint4(u2.x, u2.y, 3, 4);
  v += f4.x + f4.y + f4.z + f4.w + i4.x + u4.w;
  const __half h = __float2half(v);
  const __half2 pair = __half2(h, h);
  v += __half2float(h) + (float)pair.x;
  atomicAdd(&dynamic[0], v);
  atomicMax(counts, i);
  atomicMin(counts, i);
  atomicCAS(counts, 0, 1);
  y[offset] = (T)v;
  if constexpr (sizeof(T) == 4) return v;
  return [&] { return v + 1.0f; }();
}

extern "C" __global__ void __launch_bounds__(256)
    row_softmax_f32(const float* x, float* y, int* counts, int rows, int cols) {
  all_of_it(x, y, counts, rows, cols);
}

extern "C" __global__ void __launch_bounds__(256)
    row_softmax_f16(const __half* x, __half* y, int* counts, int rows, int cols) {
  all_of_it(x, y, counts, rows, cols);
}
"""


@pytest.fixture(scope="module")
def toolchain(builds: Path) -> Toolchain:
    try:
        return Toolchain(Sandbox.detect(), builds / "device")
    except SandboxUnavailable as error:
        pytest.skip(f"nothing may be compiled here: {error}")


@pytest.mark.parametrize("architecture", ["gfx942", "gfx1100"])
def test_everything_that_the_prompt_offers_compiles(
    toolchain: Toolchain, architecture: str
) -> None:
    build = toolchain.compile(EVERYTHING, architecture)
    assert build.status is Status.PASSED, build.message


def test_everything_that_the_prompt_offers_is_accepted(target: Target) -> None:
    plan = LaunchPlan.model_validate(
        {
            "launches": [
                {
                    "kernel": "row_softmax_{io}",
                    "grid": ["rows", 1, 1],
                    "block": [256, 1, 1],
                    "args": ["x", "y", "counts", "rows", "cols"],
                }
            ],
            "workspace": [{"name": "counts", "dtype": "int32", "shape": [1]}],
        }
    )
    candidate = Candidate(target=target.name, source=EVERYTHING, launch_plan=plan)
    assert check_source(candidate, target) == ()


def test_every_function_that_the_prompt_names_is_in_that_source() -> None:
    prompt = system_prompt(Role.KERNEL_DEV)
    start = prompt.index("## The HIP that compiles here")
    offered = prompt[prompt.index("- Index:", start) : prompt.index("The architectures differ")]
    words = {
        word
        for span in re.findall(r"`([^`]*)`", offered)
        for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]{2,}", span)
    } - {"const", "row", "cols"}
    assert len(words) > 50
    assert sorted(word for word in words if word not in EVERYTHING) == []


def test_the_form_of_a_launch_plan_names_every_field_and_no_other() -> None:
    prompt = system_prompt(Role.KERNEL_DEV)
    form = re.search(r"A launch plan is JSON of this form.*?```json\n(.*?)```", prompt, re.DOTALL)
    entry = re.search(r'`({"name": "partial".*?})`', prompt)
    assert form is not None
    assert entry is not None
    plan = json.loads(form[1])
    assert set(plan) == set(LaunchPlan.model_fields)
    assert set(plan["launches"][0]) == set(Launch.model_fields)
    Workspace.model_validate_json(entry[1])


def test_the_form_of_a_launch_plan_is_none_that_a_target_accepts() -> None:
    prompt = system_prompt(Role.KERNEL_DEV)
    form = re.search(r"A launch plan is JSON of this form.*?```json\n(.*?)```", prompt, re.DOTALL)
    assert form is not None
    with pytest.raises(ValueError, match=r"expression|name"):
        LaunchPlan.model_validate_json(form[1])
