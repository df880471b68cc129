// HIP's qualifiers, and ours: HIP_DETAIL_FUNCTION and HIP_DETAIL_DEVICE for free functions,
// HIP_DETAIL_MEMBER for members.
#pragma once

// A kernel is started and never called. The emulator would call it, so that a source could ask
// whether it can: by `enable_if`, on both sides it cannot, nor has it an address.
#define __global__ __attribute__((global, enable_if(false, "the launch plan starts kernels")))
// Of both sides, as every function is for the emulator: overloads are chosen by their parameters.
#define __device__ __attribute__((device)) __attribute__((host))
#pragma clang diagnostic ignored "-Wignored-attributes"  // a variable is the device's alone
#define __host__ __attribute__((host))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define HIP_DYNAMIC_SHARED(type, name) extern __shared__ type name[];

// __launch_bounds__(threads) or __launch_bounds__(threads, waves per execution unit)
#define HIP_DETAIL_BOUNDS_1(threads) __attribute__((amdgpu_flat_work_group_size(1, threads)))
#define HIP_DETAIL_BOUNDS_2(threads, waves) \
    __attribute__((amdgpu_flat_work_group_size(1, threads), amdgpu_waves_per_eu(waves)))
#define HIP_DETAIL_PICK(first, second, chosen, ...) chosen
#define __launch_bounds__(...) \
    HIP_DETAIL_PICK(__VA_ARGS__, HIP_DETAIL_BOUNDS_2, HIP_DETAIL_BOUNDS_1, )(__VA_ARGS__)

#define HIP_DETAIL_MEMBER __host__ __device__ inline __attribute__((always_inline))
#define HIP_DETAIL_FUNCTION static __host__ __device__ inline __attribute__((always_inline))
#define HIP_DETAIL_DEVICE HIP_DETAIL_FUNCTION
#define HIP_DETAIL_VARIABLE __attribute__((device))

#ifdef __GFX9__
#define __AMDGCN_WAVEFRONT_SIZE__ 64
#else
#define __AMDGCN_WAVEFRONT_SIZE__ 32
#endif
#define __AMDGCN_WAVEFRONT_SIZE __AMDGCN_WAVEFRONT_SIZE__
static constexpr int warpSize = __AMDGCN_WAVEFRONT_SIZE__;
