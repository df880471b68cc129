// What math.h is made of on the GPU: one instruction, or own_math.h.
#pragma once

#include "../own_math.h"

#include "../own_exponential.h"
#include "../own_special.h"
#include "../own_trigonometry.h"

namespace hip_detail {

HIP_DETAIL_DEVICE float tanh_of(float x) {
    return own_tanhf(x, __builtin_expf(2.0f * __builtin_fabsf(x)));
}
HIP_DETAIL_DEVICE float erf_of(float x) { return own_erff(x); }
HIP_DETAIL_DEVICE float pow_of(float x, float y) { return own_powf(x, y); }
HIP_DETAIL_DEVICE float sin_of(float x) { return own_sine(x, 0); }
HIP_DETAIL_DEVICE float cos_of(float x) { return own_sine(x, 1); }
HIP_DETAIL_DEVICE double exp_of(double x) { return own_exp(x); }
HIP_DETAIL_DEVICE double log_of(double x) { return own_log(x); }
HIP_DETAIL_DEVICE float rsqrt_of(float x) { return __builtin_amdgcn_rsqf(x); }

// The `__` forms: the machine's instruction, about two units in the last place.
HIP_DETAIL_DEVICE float fast_exp2(float x) { return __builtin_amdgcn_exp2f(x); }
HIP_DETAIL_DEVICE float fast_exp(float x) { return fast_exp2(x * 1.44269504088896340736f); }
HIP_DETAIL_DEVICE float fast_log2(float x) { return __builtin_amdgcn_logf(x); }
HIP_DETAIL_DEVICE float fast_sin(float x) {
    return __builtin_amdgcn_sinf(__builtin_amdgcn_fractf(x * 0.15915494309189533577f));
}
HIP_DETAIL_DEVICE float fast_cos(float x) {
    return __builtin_amdgcn_cosf(__builtin_amdgcn_fractf(x * 0.15915494309189533577f));
}
HIP_DETAIL_DEVICE float fast_divide(float x, float y) { return x * __builtin_amdgcn_rcpf(y); }

}  // namespace hip_detail
