#include <hip/hip_runtime.h>

// 1x1 convolution with bias and ReLU: the weights of an output channel are kept in dynamic LDS.
extern "C" __global__ void __launch_bounds__(128)
    conv1x1(const float* x, const float* weight, const float* bias, float* y, int cin, int cout,
            int pixels) {
  extern __shared__ float taps[];
  const int oc = blockIdx.y, b = blockIdx.z;
  for (int c = threadIdx.x; c < cin; c += blockDim.x) taps[c] = weight[(size_t)oc * cin + c];
  __syncthreads();
  const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
  if (pixel >= pixels) return;
  float sum = bias[oc];
  for (int c = 0; c < cin; ++c) sum += taps[c] * x[((size_t)b * cin + c) * pixels + pixel];
  y[((size_t)b * cout + oc) * pixels + pixel] = fmaxf(sum, 0.0f);
}
