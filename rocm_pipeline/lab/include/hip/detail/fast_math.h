// CUDA's and HIP's `__` forms: the fast ones, and those that name their rounding.
//
// A fast form is the machine's instruction: about two units in the last place, denormals as zeros.
#pragma once

HIP_DETAIL_DEVICE float __expf(float x) { return hip_detail::fast_exp(x); }
HIP_DETAIL_DEVICE float __exp10f(float x) {
    return hip_detail::fast_exp2(x * 3.32192809488736234787f);
}
HIP_DETAIL_DEVICE float __log2f(float x) { return hip_detail::fast_log2(x); }
HIP_DETAIL_DEVICE float __logf(float x) {
    return hip_detail::fast_log2(x) * 0.69314718055994530942f;
}
HIP_DETAIL_DEVICE float __log10f(float x) {
    return hip_detail::fast_log2(x) * 0.30102999566398119521f;
}
HIP_DETAIL_DEVICE float __powf(float x, float y) {
    return hip_detail::fast_exp2(y * hip_detail::fast_log2(x));
}
HIP_DETAIL_DEVICE float __sinf(float x) { return hip_detail::fast_sin(x); }
HIP_DETAIL_DEVICE float __cosf(float x) { return hip_detail::fast_cos(x); }
HIP_DETAIL_DEVICE float __tanf(float x) {
    return hip_detail::fast_divide(hip_detail::fast_sin(x), hip_detail::fast_cos(x));
}
HIP_DETAIL_DEVICE void __sincosf(float x, float* sine, float* cosine) {
    *sine = hip_detail::fast_sin(x);
    *cosine = hip_detail::fast_cos(x);
}
HIP_DETAIL_DEVICE float __fdividef(float x, float y) { return hip_detail::fast_divide(x, y); }
HIP_DETAIL_DEVICE float __frsqrt_rn(float x) { return hip_detail::rsqrt_of(x); }
HIP_DETAIL_DEVICE float __saturatef(float x) {
    return __builtin_fminf(__builtin_fmaxf(x, 0.0f), 1.0f);
}

// One operation each, rounded to nearest even: never fused with another.
#define HIP_DETAIL_ROUNDED(name, T, op)                                                        \
    HIP_DETAIL_DEVICE T name(T x, T y) {                                                       \
        _Pragma("clang fp contract(off)") return x op y;                                       \
    }
HIP_DETAIL_ROUNDED(__fadd_rn, float, +)
HIP_DETAIL_ROUNDED(__fsub_rn, float, -)
HIP_DETAIL_ROUNDED(__fmul_rn, float, *)
HIP_DETAIL_ROUNDED(__fdiv_rn, float, /)
HIP_DETAIL_ROUNDED(__dadd_rn, double, +)
HIP_DETAIL_ROUNDED(__dsub_rn, double, -)
HIP_DETAIL_ROUNDED(__dmul_rn, double, *)
HIP_DETAIL_ROUNDED(__ddiv_rn, double, /)
#undef HIP_DETAIL_ROUNDED
HIP_DETAIL_DEVICE float __frcp_rn(float x) { return 1.0f / x; }
HIP_DETAIL_DEVICE double __drcp_rn(double x) { return 1.0 / x; }
HIP_DETAIL_DEVICE float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
HIP_DETAIL_DEVICE double __dsqrt_rn(double x) { return __builtin_sqrt(x); }
HIP_DETAIL_DEVICE float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
HIP_DETAIL_DEVICE double __fma_rn(double x, double y, double z) { return __builtin_fma(x, y, z); }

// Conversions that name their rounding: to nearest even, to zero, up and down.
#define HIP_DETAIL_TO_INTEGER(T, from, whole, word)                                            \
    HIP_DETAIL_DEVICE whole __##from##2##word##_rn(T x) {                                      \
        return (whole)__builtin_elementwise_roundeven(x);                                      \
    }                                                                                          \
    HIP_DETAIL_DEVICE whole __##from##2##word##_rz(T x) { return (whole)x; }                   \
    HIP_DETAIL_DEVICE whole __##from##2##word##_ru(T x) {                                      \
        return (whole)__builtin_elementwise_ceil(x);                                           \
    }                                                                                          \
    HIP_DETAIL_DEVICE whole __##from##2##word##_rd(T x) {                                      \
        return (whole)__builtin_elementwise_floor(x);                                          \
    }
HIP_DETAIL_TO_INTEGER(float, float, int, int)
HIP_DETAIL_TO_INTEGER(float, float, unsigned, uint)
HIP_DETAIL_TO_INTEGER(float, float, long long, ll)
HIP_DETAIL_TO_INTEGER(float, float, unsigned long long, ull)
HIP_DETAIL_TO_INTEGER(double, double, int, int)
HIP_DETAIL_TO_INTEGER(double, double, unsigned, uint)
HIP_DETAIL_TO_INTEGER(double, double, long long, ll)
HIP_DETAIL_TO_INTEGER(double, double, unsigned long long, ull)
#undef HIP_DETAIL_TO_INTEGER

HIP_DETAIL_DEVICE float __int2float_rn(int x) { return (float)x; }
HIP_DETAIL_DEVICE float __uint2float_rn(unsigned x) { return (float)x; }
HIP_DETAIL_DEVICE float __ll2float_rn(long long x) { return (float)x; }
HIP_DETAIL_DEVICE float __ull2float_rn(unsigned long long x) { return (float)x; }
HIP_DETAIL_DEVICE double __int2double_rn(int x) { return x; }
HIP_DETAIL_DEVICE double __uint2double_rn(unsigned x) { return x; }
HIP_DETAIL_DEVICE double __ll2double_rn(long long x) { return (double)x; }
HIP_DETAIL_DEVICE double __ull2double_rn(unsigned long long x) { return (double)x; }
HIP_DETAIL_DEVICE float __double2float_rn(double x) { return (float)x; }
HIP_DETAIL_DEVICE int __double2hiint(double x) {
    return (int)(__builtin_bit_cast(long long, x) >> 32);
}
HIP_DETAIL_DEVICE int __double2loint(double x) { return (int)__builtin_bit_cast(long long, x); }
HIP_DETAIL_DEVICE double __hiloint2double(int high, int low) {
    return __builtin_bit_cast(double, (long long)high << 32 | (unsigned)low);
}
