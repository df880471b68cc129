// Eight-bit floating types: OCP's e4m3 and e5m2, and the FNUZ forms of CDNA3 (no infinities, one
// zero, NaN where minus zero would be). Storage only: they are converted, never computed with.
#pragma once

typedef unsigned char __hip_fp8_storage_t;
typedef unsigned short __hip_fp8x2_storage_t;
typedef unsigned __hip_fp8x4_storage_t;
enum __hip_saturation_t { __HIP_NOSAT = 0, __HIP_SATFINITE = 1 };
enum __hip_fp8_interpretation_t {
    __HIP_E4M3 = 0,
    __HIP_E5M2 = 1,
    __HIP_E4M3_FNUZ = 2,
    __HIP_E5M2_FNUZ = 3,
};

namespace hip_detail {

struct fp8_format {
    int mantissa, bias;
    unsigned largest, infinity, nan;
    bool fnuz;
};
HIP_DETAIL_FUNCTION constexpr fp8_format format_of(__hip_fp8_interpretation_t kind) {
    return kind == __HIP_E4M3        ? fp8_format{3, 7, 0x7e, 0x7f, 0x7f, false}
           : kind == __HIP_E5M2      ? fp8_format{2, 15, 0x7b, 0x7c, 0x7f, false}
           : kind == __HIP_E4M3_FNUZ ? fp8_format{3, 8, 0x7f, 0x80, 0x80, true}
                                     : fp8_format{2, 16, 0x7f, 0x80, 0x80, true};
}

// Rounded to nearest even, once; what is too large becomes the largest number, or else infinity
// or NaN.
HIP_DETAIL_FUNCTION unsigned char fp8_of(
    float x, __hip_saturation_t saturation, __hip_fp8_interpretation_t kind) {
    fp8_format format = format_of(kind);
    unsigned bits = __builtin_bit_cast(unsigned, x);
    unsigned sign = bits >> 24 & 0x80u, magnitude = bits & 0x7fffffffu, code;
    if (magnitude > 0x7f800000u || (format.fnuz && magnitude == 0x7f800000u))
        return (unsigned char)(format.fnuz ? format.nan : sign | format.nan);
    if (magnitude < (unsigned)(128 - format.bias) << 23) {
        // Below the smallest normal number: a whole multiple of the smallest one.
        float scale = __builtin_ldexpf(1.0f, format.bias - 1 + format.mantissa);
        code = (unsigned)__builtin_elementwise_roundeven(
            __builtin_bit_cast(float, magnitude) * scale);
    } else {
        int dropped = 23 - format.mantissa;
        unsigned rounded = magnitude + ((1u << (dropped - 1)) - 1u) + (magnitude >> dropped & 1u);
        code = (rounded >> dropped) - ((unsigned)(127 - format.bias) << format.mantissa);
    }
    if (code > format.largest)
        code = saturation == __HIP_SATFINITE ? format.largest : format.infinity;
    if (format.fnuz && (code == 0u || code == format.nan)) return (unsigned char)code;
    return (unsigned char)(sign | code);
}

HIP_DETAIL_FUNCTION float float_of_fp8(unsigned char code, __hip_fp8_interpretation_t kind) {
    fp8_format format = format_of(kind);
    unsigned magnitude = code & 0x7fu;
    if (format.fnuz ? code == format.nan : magnitude > format.infinity) return NAN;
    if (!format.fnuz && magnitude == format.infinity && kind == __HIP_E4M3) return NAN;
    float sign = code & 0x80u ? -1.0f : 1.0f;
    if (!format.fnuz && magnitude == format.infinity) return sign * INFINITY;
    int exponent = (int)(magnitude >> format.mantissa);
    unsigned fraction = magnitude & ((1u << format.mantissa) - 1u);
    float whole = (float)(exponent ? fraction | 1u << format.mantissa : fraction);
    if (!exponent) exponent = 1;
    return sign * __builtin_ldexpf(whole, exponent - format.bias - format.mantissa);
}

}  // namespace hip_detail

HIP_DETAIL_FUNCTION __hip_fp8_storage_t __hip_cvt_float_to_fp8(
    float x, __hip_saturation_t saturation, __hip_fp8_interpretation_t kind) {
    return hip_detail::fp8_of(x, saturation, kind);
}
HIP_DETAIL_FUNCTION __hip_fp8x2_storage_t __hip_cvt_float2_to_fp8x2(
    float2 x, __hip_saturation_t saturation, __hip_fp8_interpretation_t kind) {
    unsigned high = hip_detail::fp8_of(x.y, saturation, kind);
    return (__hip_fp8x2_storage_t)(high << 8 | hip_detail::fp8_of(x.x, saturation, kind));
}

#define HIP_DETAIL_FP8(name, kind)                                                             \
    struct __hip_fp8_##name {                                                                  \
        __hip_fp8_storage_t __x;                                                               \
        __hip_fp8_##name() = default;                                                          \
        HIP_DETAIL_MEMBER explicit __hip_fp8_##name(float x)                                   \
            : __x(hip_detail::fp8_of(x, __HIP_SATFINITE, kind)) {}                             \
        HIP_DETAIL_MEMBER explicit __hip_fp8_##name(__half x) : __hip_fp8_##name((float)x) {}  \
        HIP_DETAIL_MEMBER explicit __hip_fp8_##name(__hip_bfloat16 x)                          \
            : __hip_fp8_##name((float)x) {}                                                    \
        HIP_DETAIL_MEMBER operator float() const {                                             \
            return hip_detail::float_of_fp8(__x, kind);                                        \
        }                                                                                      \
    };                                                                                         \
    struct __hip_fp8x2_##name {                                                                \
        __hip_fp8x2_storage_t __x;                                                             \
        __hip_fp8x2_##name() = default;                                                        \
        HIP_DETAIL_MEMBER explicit __hip_fp8x2_##name(float2 x)                                \
            : __x(__hip_cvt_float2_to_fp8x2(x, __HIP_SATFINITE, kind)) {}                      \
        HIP_DETAIL_MEMBER operator float2() const {                                            \
            return float2(                                                                     \
                hip_detail::float_of_fp8((unsigned char)__x, kind),                            \
                hip_detail::float_of_fp8((unsigned char)(__x >> 8), kind));                    \
        }                                                                                      \
    };                                                                                         \
    struct __hip_fp8x4_##name {                                                                \
        __hip_fp8x4_storage_t __x;                                                             \
        __hip_fp8x4_##name() = default;                                                        \
        HIP_DETAIL_MEMBER explicit __hip_fp8x4_##name(float4 x)                                \
            : __x(__hip_fp8x2_##name(float2(x.x, x.y)).__x |                                   \
                  (unsigned)__hip_fp8x2_##name(float2(x.z, x.w)).__x << 16) {}                 \
        HIP_DETAIL_MEMBER operator float4() const {                                            \
            return float4(                                                                     \
                hip_detail::float_of_fp8((unsigned char)__x, kind),                            \
                hip_detail::float_of_fp8((unsigned char)(__x >> 8), kind),                     \
                hip_detail::float_of_fp8((unsigned char)(__x >> 16), kind),                    \
                hip_detail::float_of_fp8((unsigned char)(__x >> 24), kind));                   \
        }                                                                                      \
    };
HIP_DETAIL_FP8(e4m3, __HIP_E4M3)
HIP_DETAIL_FP8(e5m2, __HIP_E5M2)
HIP_DETAIL_FP8(e4m3_fnuz, __HIP_E4M3_FNUZ)
HIP_DETAIL_FP8(e5m2_fnuz, __HIP_E5M2_FNUZ)
#undef HIP_DETAIL_FP8
