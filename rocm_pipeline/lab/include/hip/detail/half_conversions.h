// __half from and to other numbers, with the rounding in the name, and rounding inside the type.
#pragma once

namespace hip_detail {

// The half next to `nearest` that lies on the asked side of `x`: rounding to nearest went at most
// one step too far.
HIP_DETAIL_FUNCTION __half half_step(__half nearest, bool up) {
    short bits = __builtin_bit_cast(short, nearest.value);
    if ((bits & 0x7fff) == 0) return __half(__builtin_bit_cast(_Float16, (short)(up ? 1 : -32767)));
    return __half(__builtin_bit_cast(_Float16, (short)(bits + ((bits > 0) == up ? 1 : -1))));
}
HIP_DETAIL_FUNCTION __half half_upwards(float x) {
    __half nearest(x);
    return (float)nearest < x ? half_step(nearest, true) : nearest;
}
HIP_DETAIL_FUNCTION __half half_downwards(float x) {
    __half nearest(x);
    return (float)nearest > x ? half_step(nearest, false) : nearest;
}

}  // namespace hip_detail

HIP_DETAIL_FUNCTION __half __float2half_ru(float x) { return hip_detail::half_upwards(x); }
HIP_DETAIL_FUNCTION __half __float2half_rd(float x) { return hip_detail::half_downwards(x); }
HIP_DETAIL_FUNCTION __half __float2half_rz(float x) {
    return x < 0.0f ? hip_detail::half_upwards(x) : hip_detail::half_downwards(x);
}
HIP_DETAIL_FUNCTION __half __double2half(double x) { return __half(x); }

#define HIP_DETAIL_HALF_INTEGER(T, word)                                                       \
    HIP_DETAIL_FUNCTION __half __##word##2half_rn(T x) { return __half((_Float16)x); }         \
    HIP_DETAIL_FUNCTION T __half2##word##_rn(__half a) {                                       \
        return (T)__builtin_elementwise_roundeven((float)a.value);                             \
    }                                                                                          \
    HIP_DETAIL_FUNCTION T __half2##word##_rz(__half a) { return (T)(float)a.value; }           \
    HIP_DETAIL_FUNCTION T __half2##word##_ru(__half a) {                                       \
        return (T)__builtin_ceilf((float)a.value);                                             \
    }                                                                                          \
    HIP_DETAIL_FUNCTION T __half2##word##_rd(__half a) {                                       \
        return (T)__builtin_floorf((float)a.value);                                            \
    }
HIP_DETAIL_HALF_INTEGER(int, int)
HIP_DETAIL_HALF_INTEGER(unsigned, uint)
HIP_DETAIL_HALF_INTEGER(short, short)
HIP_DETAIL_HALF_INTEGER(unsigned short, ushort)
HIP_DETAIL_HALF_INTEGER(long long, ll)
HIP_DETAIL_HALF_INTEGER(unsigned long long, ull)
#undef HIP_DETAIL_HALF_INTEGER

HIP_DETAIL_FUNCTION short __half_as_short(__half a) { return __builtin_bit_cast(short, a.value); }
HIP_DETAIL_FUNCTION __half __short_as_half(short x) {
    return __half(__builtin_bit_cast(_Float16, x));
}

HIP_DETAIL_FUNCTION int __hisinf(__half a) {
    float x = (float)a.value;
    return x == INFINITY ? 1 : x == -INFINITY ? -1 : 0;
}
namespace hip_detail {
HIP_DETAIL_FUNCTION __half saturated(__half a) {
    return __half(__builtin_fminf(__builtin_fmaxf((float)a.value, 0.0f), 1.0f));
}
}  // namespace hip_detail
HIP_DETAIL_FUNCTION __half __hadd_sat(__half a, __half b) { return hip_detail::saturated(a + b); }
HIP_DETAIL_FUNCTION __half __hsub_sat(__half a, __half b) { return hip_detail::saturated(a - b); }
HIP_DETAIL_FUNCTION __half __hmul_sat(__half a, __half b) { return hip_detail::saturated(a * b); }
HIP_DETAIL_FUNCTION __half __hfma_sat(__half a, __half b, __half c) {
    return hip_detail::saturated(__hfma(a, b, c));
}

// Comparisons that are true when a side is no number.
HIP_DETAIL_FUNCTION bool __hequ(__half a, __half b) { return !(a < b || a > b); }
HIP_DETAIL_FUNCTION bool __hneu(__half a, __half b) { return !(a == b); }
HIP_DETAIL_FUNCTION bool __hltu(__half a, __half b) { return !(a >= b); }
HIP_DETAIL_FUNCTION bool __hleu(__half a, __half b) { return !(a > b); }
HIP_DETAIL_FUNCTION bool __hgtu(__half a, __half b) { return !(a <= b); }
HIP_DETAIL_FUNCTION bool __hgeu(__half a, __half b) { return !(a < b); }
HIP_DETAIL_FUNCTION __half __hmax_nan(__half a, __half b) {
    return __hisnan(a) ? a : __hisnan(b) ? b : __hmax(a, b);
}
HIP_DETAIL_FUNCTION __half __hmin_nan(__half a, __half b) {
    return __hisnan(a) ? a : __hisnan(b) ? b : __hmin(a, b);
}

HIP_DETAIL_DEVICE __half hceil(__half a) { return __half(__builtin_ceilf((float)a.value)); }
HIP_DETAIL_DEVICE __half hfloor(__half a) { return __half(__builtin_floorf((float)a.value)); }
HIP_DETAIL_DEVICE __half htrunc(__half a) { return __half(__builtin_truncf((float)a.value)); }
HIP_DETAIL_DEVICE __half hrint(__half a) {
    return __half(__builtin_elementwise_roundeven((float)a.value));
}
HIP_DETAIL_DEVICE __half hsin(__half a) { return __half(sinf((float)a.value)); }
HIP_DETAIL_DEVICE __half hcos(__half a) { return __half(cosf((float)a.value)); }
HIP_DETAIL_DEVICE __half htanh(__half a) { return __half(tanhf((float)a.value)); }
HIP_DETAIL_DEVICE __half hlog10(__half a) { return __half(log10f((float)a.value)); }
HIP_DETAIL_DEVICE __half hexp10(__half a) { return __half(exp10f((float)a.value)); }
