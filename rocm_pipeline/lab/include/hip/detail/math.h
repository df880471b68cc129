// Mathematics: C's names for float and double, C++'s overloads, CUDA's fast `__` forms.
//
// A double function that the GPU side lacks is deleted, so that a call does not quietly run in
// float.
#pragma once

// Names that are one builtin on both sides: name(double) and namef(float).
#define HIP_DETAIL_UNARY(name)                                                                 \
    HIP_DETAIL_DEVICE float name##f(float x) { return __builtin_##name##f(x); }                \
    HIP_DETAIL_DEVICE float name(float x) { return __builtin_##name##f(x); }                   \
    HIP_DETAIL_DEVICE double name(double x) { return __builtin_##name(x); }
HIP_DETAIL_UNARY(sqrt)
HIP_DETAIL_UNARY(fabs)
HIP_DETAIL_UNARY(floor)
HIP_DETAIL_UNARY(ceil)
HIP_DETAIL_UNARY(trunc)
HIP_DETAIL_UNARY(rint)
HIP_DETAIL_UNARY(round)
#undef HIP_DETAIL_UNARY

#define HIP_DETAIL_BINARY(name)                                                                \
    HIP_DETAIL_DEVICE float name##f(float x, float y) { return __builtin_##name##f(x, y); }    \
    HIP_DETAIL_DEVICE float name(float x, float y) { return __builtin_##name##f(x, y); }       \
    HIP_DETAIL_DEVICE double name(double x, double y) { return __builtin_##name(x, y); }
HIP_DETAIL_BINARY(fmax)
HIP_DETAIL_BINARY(fmin)
HIP_DETAIL_BINARY(copysign)
#undef HIP_DETAIL_BINARY

HIP_DETAIL_DEVICE float fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
HIP_DETAIL_DEVICE float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
HIP_DETAIL_DEVICE double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }

// Float functions whose double form is deleted.
#define HIP_DETAIL_FLOAT_ONLY(name, expression)                                                \
    HIP_DETAIL_DEVICE float name##f(float x) { return expression; }                            \
    HIP_DETAIL_DEVICE float name(float x) { return expression; }                               \
    HIP_DETAIL_FUNCTION double name(double) = delete;
HIP_DETAIL_FLOAT_ONLY(exp2, __builtin_exp2f(x))
HIP_DETAIL_FLOAT_ONLY(exp10, __builtin_exp2f(x * 3.32192809488736234787f))
HIP_DETAIL_FLOAT_ONLY(log2, __builtin_log2f(x))
HIP_DETAIL_FLOAT_ONLY(log10, __builtin_log10f(x))
HIP_DETAIL_FLOAT_ONLY(tanh, hip_detail::tanh_of(x))
HIP_DETAIL_FLOAT_ONLY(erf, hip_detail::erf_of(x))
HIP_DETAIL_FLOAT_ONLY(sin, hip_detail::sin_of(x))
HIP_DETAIL_FLOAT_ONLY(cos, hip_detail::cos_of(x))
#undef HIP_DETAIL_FLOAT_ONLY

HIP_DETAIL_DEVICE float powf(float x, float y) { return hip_detail::pow_of(x, y); }
HIP_DETAIL_DEVICE float pow(float x, float y) { return hip_detail::pow_of(x, y); }
HIP_DETAIL_FUNCTION double pow(double, double) = delete;

HIP_DETAIL_DEVICE float expf(float x) { return __builtin_expf(x); }
HIP_DETAIL_DEVICE float exp(float x) { return __builtin_expf(x); }
HIP_DETAIL_DEVICE double exp(double x) { return hip_detail::exp_of(x); }
HIP_DETAIL_DEVICE float logf(float x) { return __builtin_logf(x); }
HIP_DETAIL_DEVICE float log(float x) { return __builtin_logf(x); }
HIP_DETAIL_DEVICE double log(double x) { return hip_detail::log_of(x); }
HIP_DETAIL_DEVICE float rsqrtf(float x) { return hip_detail::rsqrt_of(x); }
HIP_DETAIL_DEVICE float rsqrt(float x) { return hip_detail::rsqrt_of(x); }
HIP_DETAIL_DEVICE double rsqrt(double x) { return 1.0 / __builtin_sqrt(x); }

HIP_DETAIL_DEVICE bool isnan(float x) { return __builtin_isnan(x); }
HIP_DETAIL_DEVICE bool isnan(double x) { return __builtin_isnan(x); }
HIP_DETAIL_DEVICE bool isinf(float x) { return __builtin_isinf(x) != 0; }
HIP_DETAIL_DEVICE bool isinf(double x) { return __builtin_isinf(x) != 0; }
HIP_DETAIL_DEVICE bool isfinite(float x) { return __builtin_isfinite(x); }
HIP_DETAIL_DEVICE bool isfinite(double x) { return __builtin_isfinite(x); }

HIP_DETAIL_DEVICE float __expf(float x) { return hip_detail::fast_exp(x); }
HIP_DETAIL_DEVICE float __logf(float x) {
    return hip_detail::fast_log2(x) * 0.69314718055994530942f;
}
HIP_DETAIL_DEVICE float __log2f(float x) { return hip_detail::fast_log2(x); }
HIP_DETAIL_DEVICE float __sinf(float x) { return hip_detail::fast_sin(x); }
HIP_DETAIL_DEVICE float __cosf(float x) { return hip_detail::fast_cos(x); }
HIP_DETAIL_DEVICE float __fdividef(float x, float y) { return hip_detail::fast_divide(x, y); }
HIP_DETAIL_DEVICE float __frcp_rn(float x) { return 1.0f / x; }
HIP_DETAIL_DEVICE float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
HIP_DETAIL_DEVICE float __frsqrt_rn(float x) { return hip_detail::rsqrt_of(x); }
HIP_DETAIL_DEVICE float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
HIP_DETAIL_DEVICE float __saturatef(float x) {
    return __builtin_fminf(__builtin_fmaxf(x, 0.0f), 1.0f);
}
