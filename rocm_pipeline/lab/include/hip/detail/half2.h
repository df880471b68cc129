// __half2: two halves in one 32-bit register; arithmetic is packed on the GPU.
#pragma once

struct __half2 {
    typedef _Float16 packed __attribute__((ext_vector_type(2)));
    union {
        packed data;
        struct { __half x, y; };
    };

    __half2() = default;
    HIP_DETAIL_MEMBER __half2(packed both) : data(both) {}
    HIP_DETAIL_MEMBER __half2(__half a, __half b) : data{a.value, b.value} {}
    HIP_DETAIL_MEMBER __half2(const __half2& other) : data(other.data) {}
    HIP_DETAIL_MEMBER __half2& operator=(const __half2& other) {
        data = other.data;
        return *this;
    }
};
typedef __half2 half2;

#define HIP_DETAIL_HALF2(op, name)                                                             \
    HIP_DETAIL_FUNCTION __half2 operator op(__half2 a, __half2 b) {                            \
        return __half2(a.data op b.data);                                                      \
    }                                                                                          \
    HIP_DETAIL_FUNCTION __half2& operator op##=(__half2& a, __half2 b) { return a = a op b; }  \
    HIP_DETAIL_FUNCTION __half2 name(__half2 a, __half2 b) { return a op b; }
HIP_DETAIL_HALF2(+, __hadd2)
HIP_DETAIL_HALF2(-, __hsub2)
HIP_DETAIL_HALF2(*, __hmul2)
HIP_DETAIL_HALF2(/, __h2div)
#undef HIP_DETAIL_HALF2

HIP_DETAIL_FUNCTION __half2 __hneg2(__half2 a) { return __half2(-a.data); }
HIP_DETAIL_FUNCTION __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
    return __half2(__builtin_elementwise_fma(a.data, b.data, c.data));
}
HIP_DETAIL_FUNCTION __half2 __hmax2(__half2 a, __half2 b) {
    return __half2(__hmax(a.x, b.x), __hmax(a.y, b.y));
}
HIP_DETAIL_FUNCTION __half2 __hmin2(__half2 a, __half2 b) {
    return __half2(__hmin(a.x, b.x), __hmin(a.y, b.y));
}

HIP_DETAIL_FUNCTION __half2 make_half2(__half a, __half b) { return __half2(a, b); }
HIP_DETAIL_FUNCTION __half2 __halves2half2(__half a, __half b) { return __half2(a, b); }
HIP_DETAIL_FUNCTION __half2 __half2half2(__half a) { return __half2(a, a); }
HIP_DETAIL_FUNCTION __half2 __float2half2_rn(float a) { return __half2(__half(a), __half(a)); }
HIP_DETAIL_FUNCTION __half2 __floats2half2_rn(float a, float b) {
    return __half2(__half(a), __half(b));
}
HIP_DETAIL_FUNCTION __half2 __float22half2_rn(float2 a) { return __floats2half2_rn(a.x, a.y); }
HIP_DETAIL_FUNCTION float2 __half22float2(__half2 a) { return float2((float)a.x, (float)a.y); }
HIP_DETAIL_FUNCTION __half __low2half(__half2 a) { return a.x; }
HIP_DETAIL_FUNCTION __half __high2half(__half2 a) { return a.y; }
HIP_DETAIL_FUNCTION float __low2float(__half2 a) { return a.x; }
HIP_DETAIL_FUNCTION float __high2float(__half2 a) { return a.y; }

HIP_DETAIL_DEVICE __half2 h2exp(__half2 a) { return __half2(hexp(a.x), hexp(a.y)); }
HIP_DETAIL_DEVICE __half2 h2sqrt(__half2 a) { return __half2(hsqrt(a.x), hsqrt(a.y)); }
HIP_DETAIL_DEVICE __half2 h2rcp(__half2 a) { return __half2(hrcp(a.x), hrcp(a.y)); }
