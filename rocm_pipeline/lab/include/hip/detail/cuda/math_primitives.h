// What math.h is made of on an NVIDIA GPU: one instruction, or own_math.h.
//
// PTX has no logarithm that is exact near one and no exponential but that of two; calls of these
// builtins would stay open, so they are written out.
#pragma once

namespace hip_detail {

HIP_DETAIL_FUNCTION float exact_expf(float x);

}  // namespace hip_detail

#define __builtin_expf(x) hip_detail::exact_expf(x)
#define __builtin_logf(x) ((float)hip_detail::own_log(x))
#define __builtin_log2f(x) ((float)hip_detail::own_log2(x))
#define __builtin_log10f(x) ((float)hip_detail::own_log10(x))

#include "../own_math.h"

#include "../own_exponential.h"
#include "../own_special.h"
#include "../own_trigonometry.h"

namespace hip_detail {

// exp(x) = 2^n * 2^f with |f| <= 1/2, where the instruction is right to two units in the last
// place. Two factors, because 2^n alone may be infinite or zero.
HIP_DETAIL_FUNCTION float exact_expf(float x) {
    if (x != x) return x;
    float within = __builtin_fminf(__builtin_fmaxf(x, -120.0f), 120.0f);
    float n = __builtin_rintf(within * 1.44269504088896340736f);
    float r = __builtin_fmaf(-n, 0x1.62e430p-1f, within);
    r = __builtin_fmaf(-n, -0x1.05c610p-29f, r);
    int low = (int)n / 2, high = (int)n - low;
    float first = __builtin_bit_cast(float, (low + 127) << 23);
    float second = __builtin_bit_cast(float, (high + 127) << 23);
    return __nvvm_ex2_approx_f(r * 1.44269504088896340736f) * first * second;
}

HIP_DETAIL_DEVICE float tanh_of(float x) {
    return own_tanhf(x, __builtin_expf(2.0f * __builtin_fabsf(x)));
}
HIP_DETAIL_DEVICE float erf_of(float x) { return own_erff(x); }
HIP_DETAIL_DEVICE float pow_of(float x, float y) { return own_powf(x, y); }
HIP_DETAIL_DEVICE float sin_of(float x) { return own_sine(x, 0); }
HIP_DETAIL_DEVICE float cos_of(float x) { return own_sine(x, 1); }
HIP_DETAIL_DEVICE double exp_of(double x) { return own_exp(x); }
HIP_DETAIL_DEVICE double log_of(double x) { return own_log(x); }
HIP_DETAIL_DEVICE float rsqrt_of(float x) { return __nvvm_rsqrt_approx_ftz_f(x); }

// The `__` forms: the machine's instruction, about two units in the last place.
HIP_DETAIL_DEVICE float fast_exp2(float x) { return __nvvm_ex2_approx_ftz_f(x); }
HIP_DETAIL_DEVICE float fast_exp(float x) { return fast_exp2(x * 1.44269504088896340736f); }
HIP_DETAIL_DEVICE float fast_log2(float x) { return __nvvm_lg2_approx_ftz_f(x); }
HIP_DETAIL_DEVICE float fast_sin(float x) { return __nvvm_sin_approx_ftz_f(x); }
HIP_DETAIL_DEVICE float fast_cos(float x) { return __nvvm_cos_approx_ftz_f(x); }
HIP_DETAIL_DEVICE float fast_divide(float x, float y) {
    return x * __nvvm_rcp_approx_ftz_f(y);
}

}  // namespace hip_detail
