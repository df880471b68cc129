// What math.h is made of on the CPU: the C library's functions. Where the GPU has one instruction,
// that takes and gives denormals as zeros, so does what stands for it here.
#pragma once

#include "../own_math.h"

#include "../own_exponential.h"
#include "../own_special.h"
#include "../own_trigonometry.h"

namespace hip_detail {

HIP_DETAIL_DEVICE float without_denormals(float x) {
    return __builtin_fabsf(x) < 1.17549435e-38f ? __builtin_copysignf(0.0f, x) : x;
}

HIP_DETAIL_DEVICE float tanh_of(float x) { return __builtin_tanhf(x); }
HIP_DETAIL_DEVICE float erf_of(float x) { return __builtin_erff(x); }
HIP_DETAIL_DEVICE float pow_of(float x, float y) { return __builtin_powf(x, y); }
HIP_DETAIL_DEVICE float sin_of(float x) { return __builtin_sinf(x); }
HIP_DETAIL_DEVICE float cos_of(float x) { return __builtin_cosf(x); }
HIP_DETAIL_DEVICE double exp_of(double x) { return __builtin_exp(x); }
HIP_DETAIL_DEVICE double log_of(double x) { return __builtin_log(x); }
HIP_DETAIL_DEVICE float rsqrt_of(float x) {
    return 1.0f / __builtin_sqrtf(without_denormals(x));
}

HIP_DETAIL_DEVICE float fast_exp2(float x) { return without_denormals(__builtin_exp2f(x)); }
HIP_DETAIL_DEVICE float fast_exp(float x) { return fast_exp2(x * 1.44269504088896340736f); }
HIP_DETAIL_DEVICE float fast_log2(float x) { return __builtin_log2f(without_denormals(x)); }
HIP_DETAIL_DEVICE float fast_sin(float x) { return __builtin_sinf(x); }
HIP_DETAIL_DEVICE float fast_cos(float x) { return __builtin_cosf(x); }
HIP_DETAIL_DEVICE float fast_divide(float x, float y) {
    return x * without_denormals(1.0f / without_denormals(y));
}

}  // namespace hip_detail
