// __hip_bfloat16: conversion, comparison and functions; __hip_bfloat162 with the same, in pairs.
#pragma once

HIP_DETAIL_FUNCTION __hip_bfloat16 __float2bfloat16_rn(float x) { return __hip_bfloat16(x); }
HIP_DETAIL_FUNCTION __hip_bfloat16 __double2bfloat16(double x) {
    // Rounding twice must not differ: an odd last bit keeps the float off the ties.
    float nearest = (float)x;
    unsigned bits = __builtin_bit_cast(unsigned, nearest);
    if ((double)nearest != x && x == x && __builtin_fabsf(nearest) < INFINITY) {
        if (__builtin_fabs((double)nearest) > __builtin_fabs(x)) --bits;
        bits |= 1u;
    }
    return __hip_bfloat16(__builtin_bit_cast(float, bits));
}
HIP_DETAIL_FUNCTION unsigned short __bfloat16_as_ushort(__hip_bfloat16 a) { return a.bits; }
HIP_DETAIL_FUNCTION short __bfloat16_as_short(__hip_bfloat16 a) { return (short)a.bits; }
HIP_DETAIL_FUNCTION __hip_bfloat16 __ushort_as_bfloat16(unsigned short x) {
    __hip_bfloat16 result;
    result.bits = x;
    return result;
}
HIP_DETAIL_FUNCTION __hip_bfloat16 __short_as_bfloat16(short x) {
    return __ushort_as_bfloat16((unsigned short)x);
}

HIP_DETAIL_FUNCTION __hip_bfloat16 operator-(__hip_bfloat16 a) {
    return __ushort_as_bfloat16((unsigned short)(a.bits ^ 0x8000u));
}
HIP_DETAIL_FUNCTION __hip_bfloat16 __hneg(__hip_bfloat16 a) { return -a; }
HIP_DETAIL_FUNCTION __hip_bfloat16 __habs(__hip_bfloat16 a) {
    return __ushort_as_bfloat16((unsigned short)(a.bits & 0x7fffu));
}
HIP_DETAIL_FUNCTION bool __hisnan(__hip_bfloat16 a) { return (float)a != (float)a; }
HIP_DETAIL_FUNCTION int __hisinf(__hip_bfloat16 a) {
    return (float)a == INFINITY ? 1 : (float)a == -INFINITY ? -1 : 0;
}
HIP_DETAIL_FUNCTION __hip_bfloat16 __hmax(__hip_bfloat16 a, __hip_bfloat16 b) {
    return __hip_bfloat16(__builtin_fmaxf(a, b));
}
HIP_DETAIL_FUNCTION __hip_bfloat16 __hmin(__hip_bfloat16 a, __hip_bfloat16 b) {
    return __hip_bfloat16(__builtin_fminf(a, b));
}

#define HIP_DETAIL_BFLOAT16(name, op)                                                          \
    HIP_DETAIL_FUNCTION bool __h##name(__hip_bfloat16 a, __hip_bfloat16 b) {                   \
        return (float)a op (float)b;                                                           \
    }
HIP_DETAIL_BFLOAT16(eq, ==)
HIP_DETAIL_BFLOAT16(ne, !=)
HIP_DETAIL_BFLOAT16(lt, <)
HIP_DETAIL_BFLOAT16(le, <=)
HIP_DETAIL_BFLOAT16(gt, >)
HIP_DETAIL_BFLOAT16(ge, >=)
#undef HIP_DETAIL_BFLOAT16

#define HIP_DETAIL_BFLOAT16(name, function)                                                    \
    HIP_DETAIL_DEVICE __hip_bfloat16 h##name(__hip_bfloat16 a) {                               \
        return __hip_bfloat16(function((float)a));                                             \
    }
HIP_DETAIL_BFLOAT16(exp, expf)
HIP_DETAIL_BFLOAT16(exp2, exp2f)
HIP_DETAIL_BFLOAT16(exp10, exp10f)
HIP_DETAIL_BFLOAT16(log, logf)
HIP_DETAIL_BFLOAT16(log2, log2f)
HIP_DETAIL_BFLOAT16(log10, log10f)
HIP_DETAIL_BFLOAT16(sqrt, sqrtf)
HIP_DETAIL_BFLOAT16(rsqrt, rsqrtf)
HIP_DETAIL_BFLOAT16(rcp, 1.0f / )
HIP_DETAIL_BFLOAT16(sin, sinf)
HIP_DETAIL_BFLOAT16(cos, cosf)
HIP_DETAIL_BFLOAT16(tanh, tanhf)
HIP_DETAIL_BFLOAT16(ceil, ceilf)
HIP_DETAIL_BFLOAT16(floor, floorf)
HIP_DETAIL_BFLOAT16(trunc, truncf)
HIP_DETAIL_BFLOAT16(rint, nearbyintf)
#undef HIP_DETAIL_BFLOAT16

struct __attribute__((aligned(4))) __hip_bfloat162 {
    __hip_bfloat16 x, y;

    __hip_bfloat162() = default;
    HIP_DETAIL_MEMBER __hip_bfloat162(__hip_bfloat16 a, __hip_bfloat16 b) : x(a), y(b) {}
};

#define HIP_DETAIL_BFLOAT162(op, name)                                                         \
    HIP_DETAIL_FUNCTION __hip_bfloat162 operator op(__hip_bfloat162 a, __hip_bfloat162 b) {    \
        return __hip_bfloat162(a.x op b.x, a.y op b.y);                                        \
    }                                                                                          \
    HIP_DETAIL_FUNCTION __hip_bfloat162& operator op##=(                                       \
        __hip_bfloat162& a, __hip_bfloat162 b) {                                               \
        return a = a op b;                                                                     \
    }                                                                                          \
    HIP_DETAIL_FUNCTION __hip_bfloat162 name(__hip_bfloat162 a, __hip_bfloat162 b) {           \
        return a op b;                                                                         \
    }
HIP_DETAIL_BFLOAT162(+, __hadd2)
HIP_DETAIL_BFLOAT162(-, __hsub2)
HIP_DETAIL_BFLOAT162(*, __hmul2)
HIP_DETAIL_BFLOAT162(/, __h2div)
#undef HIP_DETAIL_BFLOAT162

HIP_DETAIL_FUNCTION __hip_bfloat162 __hfma2(
    __hip_bfloat162 a, __hip_bfloat162 b, __hip_bfloat162 c) {
    return __hip_bfloat162(__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y));
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __hmax2(__hip_bfloat162 a, __hip_bfloat162 b) {
    return __hip_bfloat162(__hmax(a.x, b.x), __hmax(a.y, b.y));
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __hmin2(__hip_bfloat162 a, __hip_bfloat162 b) {
    return __hip_bfloat162(__hmin(a.x, b.x), __hmin(a.y, b.y));
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __hneg2(__hip_bfloat162 a) {
    return __hip_bfloat162(-a.x, -a.y);
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __habs2(__hip_bfloat162 a) {
    return __hip_bfloat162(__habs(a.x), __habs(a.y));
}
HIP_DETAIL_FUNCTION bool __hbeq2(__hip_bfloat162 a, __hip_bfloat162 b) {
    return __heq(a.x, b.x) && __heq(a.y, b.y);
}

HIP_DETAIL_FUNCTION __hip_bfloat162 make_bfloat162(__hip_bfloat16 a, __hip_bfloat16 b) {
    return __hip_bfloat162(a, b);
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __halves2bfloat162(__hip_bfloat16 a, __hip_bfloat16 b) {
    return __hip_bfloat162(a, b);
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __bfloat162bfloat162(__hip_bfloat16 a) {
    return __hip_bfloat162(a, a);
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __float2bfloat162_rn(float a) {
    return __hip_bfloat162(__hip_bfloat16(a), __hip_bfloat16(a));
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __floats2bfloat162_rn(float a, float b) {
    return __hip_bfloat162(__hip_bfloat16(a), __hip_bfloat16(b));
}
HIP_DETAIL_FUNCTION __hip_bfloat162 __float22bfloat162_rn(float2 a) {
    return __floats2bfloat162_rn(a.x, a.y);
}
HIP_DETAIL_FUNCTION float2 __bfloat1622float2(__hip_bfloat162 a) {
    return float2((float)a.x, (float)a.y);
}
HIP_DETAIL_FUNCTION __hip_bfloat16 __low2bfloat16(__hip_bfloat162 a) { return a.x; }
HIP_DETAIL_FUNCTION __hip_bfloat16 __high2bfloat16(__hip_bfloat162 a) { return a.y; }
HIP_DETAIL_FUNCTION float __low2float(__hip_bfloat162 a) { return a.x; }
HIP_DETAIL_FUNCTION float __high2float(__hip_bfloat162 a) { return a.y; }
HIP_DETAIL_FUNCTION __hip_bfloat162 __lowhigh2highlow(__hip_bfloat162 a) {
    return __hip_bfloat162(a.y, a.x);
}
