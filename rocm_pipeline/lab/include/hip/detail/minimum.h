// min, max and abs. Floating types follow fmin/fmax: a NaN loses against a number.
#pragma once

#define HIP_DETAIL_MINIMUM(T)                                                      \
    HIP_DETAIL_FUNCTION constexpr T min(T a, T b) { return b < a ? b : a; }        \
    HIP_DETAIL_FUNCTION constexpr T max(T a, T b) { return a < b ? b : a; }
HIP_DETAIL_MINIMUM(int)
HIP_DETAIL_MINIMUM(unsigned)
HIP_DETAIL_MINIMUM(long)
HIP_DETAIL_MINIMUM(unsigned long)
HIP_DETAIL_MINIMUM(long long)
HIP_DETAIL_MINIMUM(unsigned long long)
#undef HIP_DETAIL_MINIMUM

HIP_DETAIL_FUNCTION float min(float a, float b) { return __builtin_fminf(a, b); }
HIP_DETAIL_FUNCTION float max(float a, float b) { return __builtin_fmaxf(a, b); }
HIP_DETAIL_FUNCTION double min(double a, double b) { return __builtin_fmin(a, b); }
HIP_DETAIL_FUNCTION double max(double a, double b) { return __builtin_fmax(a, b); }

HIP_DETAIL_FUNCTION constexpr int abs(int x) { return x < 0 ? -x : x; }
HIP_DETAIL_FUNCTION constexpr long abs(long x) { return x < 0 ? -x : x; }
HIP_DETAIL_FUNCTION constexpr long long abs(long long x) { return x < 0 ? -x : x; }
HIP_DETAIL_FUNCTION float abs(float x) { return __builtin_fabsf(x); }
HIP_DETAIL_FUNCTION double abs(double x) { return __builtin_fabs(x); }
