// Elementary functions that the AMDGPU compiler has no inline code for, written out.
//
// Polynomials were fitted to the functions with reweighted least squares. Largest errors, in units
// in the last place of the result, against float64 over the whole domain unless it says otherwise
// (tests/lab/emulator/test_own_math.py measures them): tanhf 2, erff 2, powf 1, sinf and cosf 2
// for arguments up to 2^30, exp(double) 2, log(double) 3.
#pragma once

namespace hip_detail {

// exp(x) = 2^n * e^r with |r| <= ln(2)/2, e^r by its series.
HIP_DETAIL_FUNCTION double own_exp(double x) {
    double n = __builtin_rint(x * 1.44269504088896340736);
    double r = __builtin_fma(-n, 0x1.62e42fefa39efp-1, x);
    r = __builtin_fma(-n, 0x1.abc9e3b39803fp-56, r);
    double p = 1.0 / 6227020800.0;
    p = __builtin_fma(p, r, 1.0 / 479001600.0);
    p = __builtin_fma(p, r, 1.0 / 39916800.0);
    p = __builtin_fma(p, r, 1.0 / 3628800.0);
    p = __builtin_fma(p, r, 1.0 / 362880.0);
    p = __builtin_fma(p, r, 1.0 / 40320.0);
    p = __builtin_fma(p, r, 1.0 / 5040.0);
    p = __builtin_fma(p, r, 1.0 / 720.0);
    p = __builtin_fma(p, r, 1.0 / 120.0);
    p = __builtin_fma(p, r, 1.0 / 24.0);
    p = __builtin_fma(p, r, 1.0 / 6.0);
    p = __builtin_fma(p, r, 0.5);
    p = __builtin_fma(p, r, 1.0);
    p = __builtin_fma(p, r, 1.0);
    if (x != x) return x;
    if (x > 709.8) return __builtin_inf();
    if (x < -745.2) return 0.0;
    return __builtin_ldexp(p, (int)n);
}

// log(x) = e*ln(2) + 2*atanh(s) with x = 2^e * m, s = (m - 1)/(m + 1), m in [sqrt(1/2), sqrt(2)).
HIP_DETAIL_FUNCTION double own_log(double x) {
    if (x != x || x < 0.0) return __builtin_nan("");
    if (x == 0.0) return -__builtin_inf();
    if (x == __builtin_inf()) return x;
    double scaled = x < 0x1p-1022 ? x * 0x1p54 : x;
    long long bits = __builtin_bit_cast(long long, scaled);
    int exponent = (int)(bits >> 52) - 1023 - (x < 0x1p-1022 ? 54 : 0);
    double m = __builtin_bit_cast(double, (bits & 0xfffffffffffffll) | 0x3ff0000000000000ll);
    if (m >= 1.41421356237309504880) {
        m *= 0.5;
        exponent += 1;
    }
    double f = m - 1.0, s = f / (2.0 + f), z = s * s;
    double p = 1.0 / 23.0;
    p = __builtin_fma(p, z, 1.0 / 21.0);
    p = __builtin_fma(p, z, 1.0 / 19.0);
    p = __builtin_fma(p, z, 1.0 / 17.0);
    p = __builtin_fma(p, z, 1.0 / 15.0);
    p = __builtin_fma(p, z, 1.0 / 13.0);
    p = __builtin_fma(p, z, 1.0 / 11.0);
    p = __builtin_fma(p, z, 1.0 / 9.0);
    p = __builtin_fma(p, z, 1.0 / 7.0);
    p = __builtin_fma(p, z, 1.0 / 5.0);
    p = __builtin_fma(p, z, 1.0 / 3.0);
    p *= z;
    // 2s = f - s*f, which keeps the rounding of s away from the leading term.
    double e = exponent;
    double rest = __builtin_fma(-s, f, e * 0x1.abc9e3b39803fp-56);
    rest = __builtin_fma(2.0 * s, p, rest);
    double large = e * 0x1.62e42fefa39efp-1, sum = large + f, lost = 0.0;
    if (exponent != 0)
        lost = __builtin_fma(e, 0x1.62e42fefa39efp-1, -large) + ((large - sum) + f);
    return sum + (rest + lost);
}

HIP_DETAIL_FUNCTION float own_tanhf(float x, float exp_of_twice_magnitude) {
    float magnitude = __builtin_fabsf(x);
    if (magnitude < 0.6f) {
        float z = x * x, p = -0x1.830c18p-8f;
        p = __builtin_fmaf(p, z, 0x1.54e020p-6f);
        p = __builtin_fmaf(p, z, -0x1.b89edap-5f);
        p = __builtin_fmaf(p, z, 0x1.1109dcp-3f);
        p = __builtin_fmaf(p, z, -0x1.55553ep-2f);
        return __builtin_fmaf(p * z, x, x);
    }
    // For large arguments exp is infinite and the quotient zero.
    float result = 1.0f - 2.0f / (exp_of_twice_magnitude + 1.0f);
    return __builtin_copysignf(result, x);
}

// -log(erfc(x)) in x - 1, for 0.9 <= x < 4.
HIP_DETAIL_FUNCTION float own_erfc_exponent(float magnitude) {
    float t = magnitude - 1.0f, p = 0x1.8beb46p-21f;
    p = __builtin_fmaf(p, t, 0x1.20c0aep-16f);
    p = __builtin_fmaf(p, t, -0x1.249340p-12f);
    p = __builtin_fmaf(p, t, 0x1.061f76p-9f);
    p = __builtin_fmaf(p, t, -0x1.48f730p-7f);
    p = __builtin_fmaf(p, t, 0x1.547886p-5f);
    p = __builtin_fmaf(p, t, 0x1.afabc4p-1f);
    p = __builtin_fmaf(p, t, 0x1.51c9b0p+1f);
    return __builtin_fmaf(p, t, 0x1.d97fc0p+0f);
}

HIP_DETAIL_FUNCTION float own_erff(float x) {
    float magnitude = __builtin_fabsf(x);
    if (magnitude < 0.9f) {
        float z = x * x, p = 0x1.5f96d6p-14f;
        p = __builtin_fmaf(p, z, -0x1.ab10eap-11f);
        p = __builtin_fmaf(p, z, 0x1.54df2cp-8f);
        p = __builtin_fmaf(p, z, -0x1.b810ecp-6f);
        p = __builtin_fmaf(p, z, 0x1.ce2e24p-4f);
        p = __builtin_fmaf(p, z, -0x1.812744p-2f);
        p = __builtin_fmaf(p, z, 0x1.06eba8p-3f);
        return __builtin_fmaf(p, x, x);
    }
    if (x != x) return x;
    float tail = magnitude < 4.0f ? __builtin_expf(-own_erfc_exponent(magnitude)) : 0.0f;
    return __builtin_copysignf(1.0f - tail, x);
}

HIP_DETAIL_FUNCTION float own_powf(float x, float y) {
    if (y == 0.0f || x == 1.0f) return 1.0f;
    if (x != x || y != y) return x + y;
    float magnitude = __builtin_fabsf(x);
    bool whole = __builtin_truncf(y) == y;
    bool odd = whole && __builtin_fabsf(y) < 0x1p24f && ((int)y & 1) != 0;
    if (__builtin_fabsf(y) == __builtin_inff()) {
        if (magnitude == 1.0f) return 1.0f;
        return (magnitude > 1.0f) == (y > 0.0f) ? __builtin_inff() : 0.0f;
    }
    if (x < 0.0f && !whole && magnitude != __builtin_inff()) return __builtin_nanf("");
    float result = (float)own_exp((double)y * own_log((double)magnitude));
    return odd ? __builtin_copysignf(result, x) : result;
}

// sin(x) for quarter 0, cos(x) for quarter 1. The reduction is in double: exact enough to 2^30.
HIP_DETAIL_FUNCTION float own_sine(float x, int quarter) {
    double turns = __builtin_rint((double)x * 0.63661977236758134308);
    double r = __builtin_fma(-turns, 0x1.921fb54442d18p+0, (double)x);
    float t = (float)__builtin_fma(-turns, 0x1.1a62633145c07p-54, r), z = t * t;
    long long n = (long long)turns + quarter;
    float p;
    if (n & 1) {
        p = -0x1.23d7f2p-22f;
        p = __builtin_fmaf(p, z, 0x1.a00f12p-16f);
        p = __builtin_fmaf(p, z, -0x1.6c16b4p-10f);
        p = __builtin_fmaf(p, z, 0x1.555556p-5f);
        p = __builtin_fmaf(p, z, -0.5f);
        p = __builtin_fmaf(p, z, 1.0f);
    } else {
        p = 0x1.6cd83ap-19f;
        p = __builtin_fmaf(p, z, -0x1.a00f9ep-13f);
        p = __builtin_fmaf(p, z, 0x1.111108p-7f);
        p = __builtin_fmaf(p, z, -0x1.555556p-3f);
        p = __builtin_fmaf(p * z, t, t);
    }
    return n & 2 ? -p : p;
}

}  // namespace hip_detail
