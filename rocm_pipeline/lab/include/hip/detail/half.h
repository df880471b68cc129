// __half: IEEE binary16, with arithmetic in that type.
#pragma once

struct __half {
    _Float16 value;

    __half() = default;
    HIP_DETAIL_MEMBER constexpr __half(_Float16 x) : value(x) {}
    HIP_DETAIL_MEMBER constexpr __half(float x) : value((_Float16)x) {}
    HIP_DETAIL_MEMBER constexpr __half(double x) : value((_Float16)x) {}
    HIP_DETAIL_MEMBER constexpr __half(int x) : value((_Float16)x) {}
    HIP_DETAIL_MEMBER constexpr __half(unsigned x) : value((_Float16)x) {}
    HIP_DETAIL_MEMBER constexpr operator float() const { return (float)value; }
};
typedef __half half;

#define HIP_DETAIL_HALF(op, name)                                                              \
    HIP_DETAIL_FUNCTION __half operator op(__half a, __half b) {                               \
        return __half((_Float16)(a.value op b.value));                                         \
    }                                                                                          \
    HIP_DETAIL_FUNCTION __half& operator op##=(__half& a, __half b) { return a = a op b; }     \
    HIP_DETAIL_FUNCTION __half name(__half a, __half b) { return a op b; }
HIP_DETAIL_HALF(+, __hadd)
HIP_DETAIL_HALF(-, __hsub)
HIP_DETAIL_HALF(*, __hmul)
HIP_DETAIL_HALF(/, __hdiv)
#undef HIP_DETAIL_HALF

#define HIP_DETAIL_HALF(op, name)                                                              \
    HIP_DETAIL_FUNCTION bool operator op(__half a, __half b) { return a.value op b.value; }    \
    HIP_DETAIL_FUNCTION bool name(__half a, __half b) { return a.value op b.value; }
HIP_DETAIL_HALF(==, __heq)
HIP_DETAIL_HALF(!=, __hne)
HIP_DETAIL_HALF(<, __hlt)
HIP_DETAIL_HALF(<=, __hle)
HIP_DETAIL_HALF(>, __hgt)
HIP_DETAIL_HALF(>=, __hge)
#undef HIP_DETAIL_HALF

HIP_DETAIL_FUNCTION __half operator-(__half a) { return __half((_Float16)-a.value); }
HIP_DETAIL_FUNCTION __half __hneg(__half a) { return -a; }
HIP_DETAIL_FUNCTION __half __habs(__half a) {
    return __half(__builtin_bit_cast(
        _Float16, (unsigned short)(__builtin_bit_cast(unsigned short, a.value) & 0x7fff)));
}
HIP_DETAIL_FUNCTION __half __hmax(__half a, __half b) {
    return __half(__builtin_fmaxf((float)a.value, (float)b.value));
}
HIP_DETAIL_FUNCTION __half __hmin(__half a, __half b) {
    return __half(__builtin_fminf((float)a.value, (float)b.value));
}
HIP_DETAIL_FUNCTION __half __hfma(__half a, __half b, __half c) {
    return __half(__builtin_elementwise_fma(a.value, b.value, c.value));
}
HIP_DETAIL_FUNCTION bool __hisnan(__half a) { return a.value != a.value; }

HIP_DETAIL_FUNCTION float __half2float(__half a) { return (float)a.value; }
HIP_DETAIL_FUNCTION __half __float2half(float x) { return __half(x); }
HIP_DETAIL_FUNCTION __half __float2half_rn(float x) { return __half(x); }
HIP_DETAIL_FUNCTION __half __ushort_as_half(unsigned short x) {
    return __half(__builtin_bit_cast(_Float16, x));
}
HIP_DETAIL_FUNCTION unsigned short __half_as_ushort(__half a) {
    return __builtin_bit_cast(unsigned short, a.value);
}

HIP_DETAIL_DEVICE __half hexp(__half a) { return __half(expf((float)a.value)); }
HIP_DETAIL_DEVICE __half hexp2(__half a) { return __half(exp2f((float)a.value)); }
HIP_DETAIL_DEVICE __half hlog(__half a) { return __half(logf((float)a.value)); }
HIP_DETAIL_DEVICE __half hlog2(__half a) { return __half(log2f((float)a.value)); }
HIP_DETAIL_DEVICE __half hsqrt(__half a) { return __half(sqrtf((float)a.value)); }
HIP_DETAIL_DEVICE __half hrsqrt(__half a) { return __half(rsqrtf((float)a.value)); }
HIP_DETAIL_DEVICE __half hrcp(__half a) { return __half(1.0f / (float)a.value); }
