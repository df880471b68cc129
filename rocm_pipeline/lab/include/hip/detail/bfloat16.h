// __hip_bfloat16: storage of 16 bits, arithmetic in float, each result rounded to nearest even.
#pragma once

struct __hip_bfloat16 {
    unsigned short bits;

    __hip_bfloat16() = default;
    HIP_DETAIL_MEMBER __hip_bfloat16(float x) : bits(hip_detail::bfloat16_bits(x)) {}
    HIP_DETAIL_MEMBER __hip_bfloat16(double x) : __hip_bfloat16((float)x) {}
    HIP_DETAIL_MEMBER __hip_bfloat16(int x) : __hip_bfloat16((float)x) {}
    HIP_DETAIL_MEMBER operator float() const {
        return __builtin_bit_cast(float, (unsigned)bits << 16);
    }
};
typedef __hip_bfloat16 hip_bfloat16;

#define HIP_DETAIL_BFLOAT16(op)                                                                \
    HIP_DETAIL_FUNCTION __hip_bfloat16 operator op(__hip_bfloat16 a, __hip_bfloat16 b) {       \
        return __hip_bfloat16((float)a op (float)b);                                           \
    }                                                                                          \
    HIP_DETAIL_FUNCTION __hip_bfloat16& operator op##=(__hip_bfloat16& a, __hip_bfloat16 b) {  \
        return a = a op b;                                                                     \
    }
HIP_DETAIL_BFLOAT16(+)
HIP_DETAIL_BFLOAT16(-)
HIP_DETAIL_BFLOAT16(*)
HIP_DETAIL_BFLOAT16(/)
#undef HIP_DETAIL_BFLOAT16

HIP_DETAIL_FUNCTION float __bfloat162float(__hip_bfloat16 x) { return x; }
HIP_DETAIL_FUNCTION __hip_bfloat16 __float2bfloat16(float x) { return __hip_bfloat16(x); }
HIP_DETAIL_FUNCTION __hip_bfloat16 __hadd(__hip_bfloat16 a, __hip_bfloat16 b) { return a + b; }
HIP_DETAIL_FUNCTION __hip_bfloat16 __hsub(__hip_bfloat16 a, __hip_bfloat16 b) { return a - b; }
HIP_DETAIL_FUNCTION __hip_bfloat16 __hmul(__hip_bfloat16 a, __hip_bfloat16 b) { return a * b; }
HIP_DETAIL_FUNCTION __hip_bfloat16 __hdiv(__hip_bfloat16 a, __hip_bfloat16 b) { return a / b; }
HIP_DETAIL_FUNCTION __hip_bfloat16 __hfma(
    __hip_bfloat16 a, __hip_bfloat16 b, __hip_bfloat16 c) {
    return __hip_bfloat16(__builtin_fmaf(a, b, c));
}
