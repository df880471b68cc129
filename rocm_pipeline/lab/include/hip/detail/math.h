// Mathematics: C's names for float and double, C++'s overloads, CUDA's fast `__` forms.
//
// A function that neither side has is deleted, so that a call does not quietly become another.
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

// Float by a primitive of either side, double by a function of our own.
#define HIP_DETAIL_OWN_DOUBLE(name, expression)                                                \
    HIP_DETAIL_DEVICE float name##f(float x) { return expression; }                            \
    HIP_DETAIL_DEVICE float name(float x) { return expression; }                               \
    HIP_DETAIL_DEVICE double name(double x) { return hip_detail::own_##name(x); }
HIP_DETAIL_OWN_DOUBLE(exp2, __builtin_exp2f(x))
HIP_DETAIL_OWN_DOUBLE(log2, __builtin_log2f(x))
HIP_DETAIL_OWN_DOUBLE(log10, __builtin_log10f(x))
HIP_DETAIL_OWN_DOUBLE(tanh, hip_detail::tanh_of(x))
HIP_DETAIL_OWN_DOUBLE(erf, hip_detail::erf_of(x))
HIP_DETAIL_OWN_DOUBLE(sin, hip_detail::sin_of(x))
HIP_DETAIL_OWN_DOUBLE(cos, hip_detail::cos_of(x))
#undef HIP_DETAIL_OWN_DOUBLE

// Functions that kernels seldom use: the float form computes in double and rounds once.
#define HIP_DETAIL_BY_DOUBLE(name)                                                             \
    HIP_DETAIL_DEVICE double name(double x) { return hip_detail::own_##name(x); }              \
    HIP_DETAIL_DEVICE float name##f(float x) { return (float)hip_detail::own_##name(x); }      \
    HIP_DETAIL_DEVICE float name(float x) { return name##f(x); }
HIP_DETAIL_BY_DOUBLE(exp10)
HIP_DETAIL_BY_DOUBLE(expm1)
HIP_DETAIL_BY_DOUBLE(log1p)
HIP_DETAIL_BY_DOUBLE(cbrt)
HIP_DETAIL_BY_DOUBLE(tan)
HIP_DETAIL_BY_DOUBLE(sinpi)
HIP_DETAIL_BY_DOUBLE(cospi)
HIP_DETAIL_BY_DOUBLE(asin)
HIP_DETAIL_BY_DOUBLE(acos)
HIP_DETAIL_BY_DOUBLE(atan)
HIP_DETAIL_BY_DOUBLE(sinh)
HIP_DETAIL_BY_DOUBLE(cosh)
HIP_DETAIL_BY_DOUBLE(asinh)
HIP_DETAIL_BY_DOUBLE(acosh)
HIP_DETAIL_BY_DOUBLE(atanh)
HIP_DETAIL_BY_DOUBLE(erfc)
HIP_DETAIL_BY_DOUBLE(normcdf)
#undef HIP_DETAIL_BY_DOUBLE

#define HIP_DETAIL_BY_DOUBLE(name)                                                             \
    HIP_DETAIL_DEVICE double name(double x, double y) { return hip_detail::own_##name(x, y); } \
    HIP_DETAIL_DEVICE float name##f(float x, float y) {                                        \
        return (float)hip_detail::own_##name(x, y);                                            \
    }                                                                                          \
    HIP_DETAIL_DEVICE float name(float x, float y) { return name##f(x, y); }
HIP_DETAIL_BY_DOUBLE(atan2)
HIP_DETAIL_BY_DOUBLE(hypot)
HIP_DETAIL_BY_DOUBLE(fmod)
HIP_DETAIL_BY_DOUBLE(remainder)
#undef HIP_DETAIL_BY_DOUBLE

HIP_DETAIL_DEVICE float powf(float x, float y) { return hip_detail::pow_of(x, y); }
HIP_DETAIL_DEVICE float pow(float x, float y) { return hip_detail::pow_of(x, y); }
HIP_DETAIL_DEVICE double pow(double x, double y) { return hip_detail::own_pow(x, y); }

// The gamma functions exist on neither side.
HIP_DETAIL_FUNCTION float lgamma(float) = delete;
HIP_DETAIL_FUNCTION double lgamma(double) = delete;
HIP_DETAIL_FUNCTION float tgamma(float) = delete;
HIP_DETAIL_FUNCTION double tgamma(double) = delete;

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
