// HIP's qualifiers on the CPU.
//
// `nodebug` gives code inlined from here the line of its call, so findings name the kernel's line.
#pragma once

#if !defined(ROCM_PIPELINE_WAVE) || (ROCM_PIPELINE_WAVE != 32 && ROCM_PIPELINE_WAVE != 64)
#error "the emulator build needs -DROCM_PIPELINE_WAVE=32 or 64"
#endif

// Not inlined, so that a kernel keeps its own symbol; `enable_if` as on the GPU.
#define __global__ \
    __attribute__((noinline, enable_if(false, "the launch plan starts kernels")))
#define __device__
#define __host__
// `used` hides the variable's life from the optimiser: it must not conclude that LDS which nobody
// wrote is undefined, nor keep it in registers across a barrier.
#define __shared__ static __attribute__((section("hip_lds"), used))
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(bytes) __attribute__((aligned(bytes)))
// Bounds mean nothing here, but what they are is evaluated as on the GPU, in the same order: that
// can change what code behind it means. This attribute takes a number and changes no code.
#define HIP_DETAIL_NUMBER(value) __attribute__((min_vector_width(value)))
#define HIP_DETAIL_NUMBERS(first, second) HIP_DETAIL_NUMBER((first) + 0 * (second))
#define HIP_DETAIL_PICK(first, second, chosen, ...) chosen
#define __launch_bounds__(...) \
    HIP_DETAIL_PICK(__VA_ARGS__, HIP_DETAIL_NUMBERS, HIP_DETAIL_NUMBER, )(__VA_ARGS__)

#define HIP_DETAIL_MEMBER inline __attribute__((always_inline, nodebug))
#define HIP_DETAIL_FUNCTION static inline __attribute__((always_inline, nodebug))
#define HIP_DETAIL_DEVICE HIP_DETAIL_FUNCTION
#define HIP_DETAIL_VARIABLE

#define __AMDGCN_WAVEFRONT_SIZE__ ROCM_PIPELINE_WAVE
#define __AMDGCN_WAVEFRONT_SIZE __AMDGCN_WAVEFRONT_SIZE__
static constexpr int warpSize = __AMDGCN_WAVEFRONT_SIZE__;

// The build turns `extern __shared__ T name[];` into this: one array, always at one place, and of
// the type that it has on the GPU.
#define HIP_EMULATOR_DYNAMIC_SHARED(name, ...) \
    extern __VA_ARGS__ name[] __asm__("hip_emulator_dynamic_lds")
#define HIP_DYNAMIC_SHARED(type, name) HIP_EMULATOR_DYNAMIC_SHARED(name, type);
