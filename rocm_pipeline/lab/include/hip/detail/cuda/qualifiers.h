// HIP's qualifiers on an NVIDIA GPU, and ours, as in device/qualifiers.h.
#pragma once

#define __global__ __attribute__((global, enable_if(false, "the launch plan starts kernels")))
#define __device__ __attribute__((device)) __attribute__((host))
#pragma clang diagnostic ignored "-Wignored-attributes"  // a variable is the device's alone
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define HIP_DYNAMIC_SHARED(type, name) extern __shared__ type name[];

// The second bound counts waves of an AMD execution unit, which says nothing about these GPUs.
#define HIP_DETAIL_BOUNDS_1(threads) __attribute__((launch_bounds(threads)))
#define HIP_DETAIL_BOUNDS_2(threads, waves) __attribute__((launch_bounds((threads) + 0 * (waves))))
#define HIP_DETAIL_PICK(first, second, chosen, ...) chosen
#define __launch_bounds__(...) \
    HIP_DETAIL_PICK(__VA_ARGS__, HIP_DETAIL_BOUNDS_2, HIP_DETAIL_BOUNDS_1, )(__VA_ARGS__)

#define HIP_DETAIL_MEMBER __host__ __device__ inline __attribute__((always_inline))
#define HIP_DETAIL_FUNCTION static __host__ __device__ inline __attribute__((always_inline))
#define HIP_DETAIL_DEVICE HIP_DETAIL_FUNCTION
#define HIP_DETAIL_VARIABLE __attribute__((device))

#define __AMDGCN_WAVEFRONT_SIZE__ 32
#define __AMDGCN_WAVEFRONT_SIZE __AMDGCN_WAVEFRONT_SIZE__
static constexpr int warpSize = __AMDGCN_WAVEFRONT_SIZE__;
