// The error functions in double, and exact remainders, for both sides.
#pragma once

namespace hip_detail {

// erfc(x) = t * e^(-x^2 + P(t)) with t = 2/(2 + x), for x from 1/2 to 28; P is a Chebyshev series
// over t from 1/15 to 4/5, interpolated at its nodes.
HIP_DETAIL_FUNCTION double erfc_above_half(double x) {
    static constexpr double series[] = {
        -0x1.7d381674d8b3ep+0, 0x1.e276abd0b776dp-2, 0x1.fbc0b16263201p-7, -0x1.d52380b1d5842p-9,
        -0x1.da1cefd4581d0p-12, 0x1.244b5f0876edfp-14, 0x1.d48eff5b0a12ap-17,
        -0x1.1f196cc193aabp-19, -0x1.eb170e1c3f906p-22, 0x1.734af1ea41bffp-24,
        0x1.f1c186c11e7dfp-27, -0x1.0f1af6cb4c076p-28, -0x1.98fb7e2bea663p-32,
        0x1.8d28a79dc677fp-33, 0x1.71b6fb7d14dddp-39, -0x1.097bdf3bc3f06p-37,
        0x1.3092b1ede437ep-41, 0x1.1eba3bc263539p-42, -0x1.b0998fa99217fp-45,
        -0x1.5728f803c143bp-48, 0x1.64d7bfdb8c26cp-49, -0x1.4d68e2adb82b7p-53,
        -0x1.58247e1da0070p-54, 0x1.464b0ae0518b0p-56};
    double t = 2.0 / (2.0 + x);
    double u = (t - 13.0 / 30.0) * (30.0 / 11.0), before = 0.0, sum = 0.0;
    for (int i = sizeof(series) / sizeof(double) - 1; i > 0; --i) {
        double next = __builtin_fma(2.0 * u, sum, series[i] - before);
        before = sum;
        sum = next;
    }
    double exponent = __builtin_fma(u, sum, 0.5 * series[0] - before);
    pair square = exact_product(x, x);
    pair power = exact_sum(-square.high, exponent);
    return t * exp_of_pair(power.high, power.low - square.low);
}

// The alternating series of erf: x^(2n+1) / (n! (2n+1)).
template <int n, int last> HIP_DETAIL_FUNCTION double erf_series(double z, double factor) {
    double term = factor / (2 * n + 1);
    if constexpr (n >= last) {
        return term;
    } else {
        return __builtin_fma(-z, erf_series<n + 1, last>(z, factor / (n + 1)), term);
    }
}
HIP_DETAIL_FUNCTION double erf_below_half(double x) {
    double z = x * x, tail = -z * erf_series<1, 14>(z, 1.0);
    // 2/sqrt(pi) = 1 + 0.128..., of which the first part is exact.
    double more = 0x1.06eba8214db69p-3;
    return x + __builtin_fma(x, more, x * tail * (1.0 + more));
}

HIP_DETAIL_FUNCTION double own_erf(double x) {
    double a = __builtin_fabs(x);
    if (x != x || a < 0.5) return x != x ? x : erf_below_half(x);
    return __builtin_copysign(a > 6.0 ? 1.0 : 1.0 - erfc_above_half(a), x);
}
HIP_DETAIL_FUNCTION double own_erfc(double x) {
    double a = __builtin_fabs(x);
    if (x != x || a < 0.5) return x != x ? x : 1.0 - erf_below_half(x);
    double tail = a > 28.0 ? 0.0 : erfc_above_half(a);
    return x < 0.0 ? 2.0 - tail : tail;
}
HIP_DETAIL_FUNCTION double own_normcdf(double x) {
    return 0.5 * own_erfc(x * -0.70710678118654752440);
}

HIP_DETAIL_FUNCTION int exponent_of(double positive) {
    bool denormal = positive < 0x1p-1022;
    long long bits = __builtin_bit_cast(long long, denormal ? positive * 0x1p54 : positive);
    return (int)(bits >> 52) - 1023 - (denormal ? 54 : 0);
}

// x modulo y, with the sign of x: exact, bit by bit.
HIP_DETAIL_FUNCTION double own_fmod(double x, double y) {
    double a = __builtin_fabs(x), b = __builtin_fabs(y);
    if (!(a < __builtin_inf()) || b != b || b == 0.0) return __builtin_nan("");
    if (a < b) return x;
    while (a >= b) {
        // The largest b * 2^n that is not above a: the difference is exact.
        double scaled = __builtin_ldexp(b, exponent_of(a) - exponent_of(b));
        a -= scaled > a ? 0.5 * scaled : scaled;
    }
    return __builtin_copysign(a, x);
}
// x - n * y for the whole n nearest to x / y, even on a tie.
HIP_DETAIL_FUNCTION double own_remainder(double x, double y) {
    double b = __builtin_fabs(y);
    if (b == __builtin_inf() && __builtin_fabs(x) < b) return x;
    double r = __builtin_fabs(own_fmod(x, b < 0x1p1023 ? 2.0 * b : b));
    if (b < 0x1p-1021 ? r + r > b : r > 0.5 * b) {
        r -= b;
        if (b < 0x1p-1021 ? r + r >= b : r >= 0.5 * b) r -= b;
    }
    return __builtin_signbit(x) ? -r : r;
}

}  // namespace hip_detail
