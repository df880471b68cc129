// y = silu(gate) * up, where a row of x holds gate and then up, in bfloat16.
#include <hip/hip_runtime.h>
#include <hip/hip_bf16.h>

extern "C" __global__ void __launch_bounds__(128)
    swiglu_bf16(const __hip_bfloat16* __restrict__ x, __hip_bfloat16* __restrict__ y, int dim) {
  const __hip_bfloat16* gate = x + (size_t)blockIdx.x * 2 * dim;
  const __hip_bfloat16* up = gate + dim;
  __hip_bfloat16* out = y + (size_t)blockIdx.x * dim;
  for (int i = threadIdx.x; i < dim; i += blockDim.x) {
    const float g = __bfloat162float(gate[i]);
    out[i] = __float2bfloat16(g / (1.0f + expf(-g)) * __bfloat162float(up[i]));
  }
}
