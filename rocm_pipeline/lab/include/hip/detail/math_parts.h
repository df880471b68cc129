// Taking numbers apart and rounding them; sines with cosines; lengths.
#pragma once

#define HIP_DETAIL_PARTS(T, f, bits)                                                           \
    HIP_DETAIL_DEVICE T nearbyint##f(T x) { return __builtin_elementwise_roundeven(x); }       \
    HIP_DETAIL_DEVICE long lrint##f(T x) {                                                     \
        return (long)__builtin_elementwise_roundeven(x);                                       \
    }                                                                                          \
    HIP_DETAIL_DEVICE long long llrint##f(T x) {                                               \
        return (long long)__builtin_elementwise_roundeven(x);                                  \
    }                                                                                          \
    HIP_DETAIL_DEVICE long lround##f(T x) { return (long)round(x); }                           \
    HIP_DETAIL_DEVICE long long llround##f(T x) { return (long long)round(x); }                \
    HIP_DETAIL_DEVICE T fdim##f(T x, T y) { return x != x || y != y ? x + y : x > y ? x - y : 0; } \
    HIP_DETAIL_DEVICE T ldexp##f(T x, int n) { return __builtin_ldexp##f(x, n); }              \
    HIP_DETAIL_DEVICE T scalbn##f(T x, int n) { return __builtin_ldexp##f(x, n); }             \
    HIP_DETAIL_DEVICE T modf##f(T x, T* whole) {                                               \
        *whole = trunc(x);                                                                     \
        return copysign(fabs(x) < (T)INFINITY ? x - *whole : x != x ? x : (T)0, x);            \
    }                                                                                          \
    HIP_DETAIL_DEVICE int ilogb##f(T x) {                                                      \
        if (x == 0 || x != x) return INT_MIN;                                                  \
        return fabs(x) < (T)INFINITY ? hip_detail::exponent_of(fabs(x)) : INT_MAX;             \
    }                                                                                          \
    HIP_DETAIL_DEVICE T logb##f(T x) {                                                         \
        if (x == 0) return -(T)INFINITY;                                                       \
        return fabs(x) < (T)INFINITY ? (T)hip_detail::exponent_of(fabs(x)) : fabs(x);          \
    }                                                                                          \
    HIP_DETAIL_DEVICE T frexp##f(T x, int* exponent) {                                         \
        *exponent = 0;                                                                         \
        if (x == 0 || !(fabs(x) < (T)INFINITY)) return x;                                      \
        *exponent = hip_detail::exponent_of(fabs(x)) + 1;                                      \
        /* in two steps, because 2^-exponent alone may be infinite */                          \
        return ldexp##f(ldexp##f(x, -*exponent / 2), -*exponent - -*exponent / 2);             \
    }                                                                                          \
    HIP_DETAIL_DEVICE T nextafter##f(T x, T y) {                                               \
        if (x != x || y != y) return x + y;                                                    \
        if (x == y) return y;                                                                  \
        if (x == 0) return copysign(__builtin_bit_cast(T, (bits)1), y);                        \
        bits step = (x < y) == (x > 0) ? 1 : -1;                                               \
        return __builtin_bit_cast(T, (bits)(__builtin_bit_cast(bits, x) + step));              \
    }                                                                                          \
    HIP_DETAIL_DEVICE void sincos##f(T x, T* sine, T* cosine) {                                \
        *sine = sin(x);                                                                        \
        *cosine = cos(x);                                                                      \
    }                                                                                          \
    HIP_DETAIL_DEVICE void sincospi##f(T x, T* sine, T* cosine) {                              \
        *sine = sinpi(x);                                                                      \
        *cosine = cospi(x);                                                                    \
    }                                                                                          \
    HIP_DETAIL_DEVICE T rcbrt##f(T x) { return (T)1 / cbrt(x); }                               \
    HIP_DETAIL_DEVICE T rhypot##f(T x, T y) { return (T)1 / hypot(x, y); }                     \
    HIP_DETAIL_DEVICE T norm3d##f(T x, T y, T z) { return hypot(hypot(x, y), z); }             \
    HIP_DETAIL_DEVICE T norm4d##f(T x, T y, T z, T w) {                                        \
        return hypot(hypot(x, y), hypot(z, w));                                                \
    }                                                                                          \
    HIP_DETAIL_DEVICE bool signbit(T x) { return __builtin_signbit(x) != 0; }
HIP_DETAIL_PARTS(float, f, int)
HIP_DETAIL_PARTS(double, , long long)
#undef HIP_DETAIL_PARTS

#define HIP_DETAIL_ALSO_FLOAT(result, name, parameters, arguments)                                  \
    HIP_DETAIL_DEVICE result name parameters { return name##f arguments; }
HIP_DETAIL_ALSO_FLOAT(float, nearbyint, (float x), (x))
HIP_DETAIL_ALSO_FLOAT(float, fdim, (float x, float y), (x, y))
HIP_DETAIL_ALSO_FLOAT(float, ldexp, (float x, int n), (x, n))
HIP_DETAIL_ALSO_FLOAT(float, frexp, (float x, int* n), (x, n))
HIP_DETAIL_ALSO_FLOAT(float, modf, (float x, float* whole), (x, whole))
#undef HIP_DETAIL_ALSO_FLOAT
