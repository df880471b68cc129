// __half2: comparison, rearrangement and functions, each for both halves.
#pragma once

// __heq2 gives 1 or 0 for each half; __hbeq2 whether it is true for both.
#define HIP_DETAIL_HALF2(name)                                                                 \
    HIP_DETAIL_FUNCTION __half2 __h##name##2(__half2 a, __half2 b) {                           \
        return __half2(__half(__h##name(a.x, b.x) ? 1 : 0), __half(__h##name(a.y, b.y) ? 1 : 0)); \
    }                                                                                          \
    HIP_DETAIL_FUNCTION bool __hb##name##2(__half2 a, __half2 b) {                             \
        return __h##name(a.x, b.x) && __h##name(a.y, b.y);                                     \
    }
HIP_DETAIL_HALF2(eq)
HIP_DETAIL_HALF2(ne)
HIP_DETAIL_HALF2(lt)
HIP_DETAIL_HALF2(le)
HIP_DETAIL_HALF2(gt)
HIP_DETAIL_HALF2(ge)
HIP_DETAIL_HALF2(equ)
HIP_DETAIL_HALF2(neu)
HIP_DETAIL_HALF2(ltu)
HIP_DETAIL_HALF2(leu)
HIP_DETAIL_HALF2(gtu)
HIP_DETAIL_HALF2(geu)
#undef HIP_DETAIL_HALF2

HIP_DETAIL_FUNCTION bool operator==(__half2 a, __half2 b) { return __hbeq2(a, b); }
HIP_DETAIL_FUNCTION bool operator!=(__half2 a, __half2 b) { return !__hbeq2(a, b); }
HIP_DETAIL_FUNCTION __half2 operator-(__half2 a) { return __hneg2(a); }
HIP_DETAIL_FUNCTION __half2 __habs2(__half2 a) { return __half2(__habs(a.x), __habs(a.y)); }
HIP_DETAIL_FUNCTION __half2 __hisnan2(__half2 a) {
    return __half2(__half(__hisnan(a.x) ? 1 : 0), __half(__hisnan(a.y) ? 1 : 0));
}
HIP_DETAIL_FUNCTION __half2 __hadd2_sat(__half2 a, __half2 b) {
    return __half2(__hadd_sat(a.x, b.x), __hadd_sat(a.y, b.y));
}
HIP_DETAIL_FUNCTION __half2 __hsub2_sat(__half2 a, __half2 b) {
    return __half2(__hsub_sat(a.x, b.x), __hsub_sat(a.y, b.y));
}
HIP_DETAIL_FUNCTION __half2 __hmul2_sat(__half2 a, __half2 b) {
    return __half2(__hmul_sat(a.x, b.x), __hmul_sat(a.y, b.y));
}
HIP_DETAIL_FUNCTION __half2 __hfma2_sat(__half2 a, __half2 b, __half2 c) {
    return __half2(__hfma_sat(a.x, b.x, c.x), __hfma_sat(a.y, b.y, c.y));
}

HIP_DETAIL_FUNCTION __half2 __low2half2(__half2 a) { return __half2(a.x, a.x); }
HIP_DETAIL_FUNCTION __half2 __high2half2(__half2 a) { return __half2(a.y, a.y); }
HIP_DETAIL_FUNCTION __half2 __lowhigh2highlow(__half2 a) { return __half2(a.y, a.x); }
HIP_DETAIL_FUNCTION __half2 __lows2half2(__half2 a, __half2 b) { return __half2(a.x, b.x); }
HIP_DETAIL_FUNCTION __half2 __highs2half2(__half2 a, __half2 b) { return __half2(a.y, b.y); }

#define HIP_DETAIL_HALF2(name)                                                                 \
    HIP_DETAIL_DEVICE __half2 h2##name(__half2 a) { return __half2(h##name(a.x), h##name(a.y)); }
HIP_DETAIL_HALF2(exp2)
HIP_DETAIL_HALF2(exp10)
HIP_DETAIL_HALF2(log)
HIP_DETAIL_HALF2(log2)
HIP_DETAIL_HALF2(log10)
HIP_DETAIL_HALF2(sin)
HIP_DETAIL_HALF2(cos)
HIP_DETAIL_HALF2(rsqrt)
HIP_DETAIL_HALF2(ceil)
HIP_DETAIL_HALF2(floor)
HIP_DETAIL_HALF2(trunc)
HIP_DETAIL_HALF2(rint)
#undef HIP_DETAIL_HALF2
