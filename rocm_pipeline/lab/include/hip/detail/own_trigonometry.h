// Trigonometric and hyperbolic functions and their inverses in double, for both sides.
#pragma once

namespace hip_detail {

// x = quarters * pi/2 + high + low, with |high| not much above pi/4.
struct reduced_angle { double high, low; int quarter; };

// For |x| < 2^45: pi/2 in three parts is long enough.
HIP_DETAIL_FUNCTION reduced_angle reduce_small(double x) {
    double n = __builtin_rint(x * 0.63661977236758134308);
    pair first = exact_product(n, 0x1.921fb54442d18p+0);
    pair second = exact_product(n, 0x1.1a62633145c07p-54);
    pair angle = exact_sum(x - first.high, -first.low);
    pair sum = exact_sum(angle.high, -second.high);
    double low = (sum.low + angle.low) - second.low;
    low = __builtin_fma(n, 0x1.f1976b7ed8fbcp-110, low);
    angle = exact_sum(sum.high, low);
    return {angle.high, angle.low, (int)((long long)n & 3)};
}

// For larger x: its 53 bits times those 192 bits of 2/pi that decide the angle.
HIP_DETAIL_FUNCTION reduced_angle reduce_large(double x) {
    static constexpr unsigned long long two_over_pi[] = {
        0ull, 0xa2f9836e4e441529ull, 0xfc2757d1f534ddc0ull, 0xdb6295993c439041ull,
        0xfe5163abdebbc561ull, 0xb7246e3a424dd2e0ull, 0x06492eea09d1921cull,
        0xfe1deb1cb129a73eull, 0xe88235f52ebb4484ull, 0xe99c7026b45f7e41ull,
        0x3991d639835339f4ull, 0x9c845f8bbdf9283bull, 0x1ff897ffde05980full,
        0xef2f118b5a0a6d1full, 0x6d367ecf27cb09b7ull, 0x4f463f669e5fea2dull,
        0x7527bac7ebe5f17bull, 0x3d0739f78a5292eaull, 0x6bfb5fb11f8d5d08ull,
        0x56033046fc7b6babull};
    typedef unsigned __int128 wide;
    long long bits = __builtin_bit_cast(long long, __builtin_fabs(x));
    unsigned long long mantissa = ((unsigned long long)bits & 0xfffffffffffffull) | 1ull << 52;
    // The first word of the table is zero: bit 64 of it is worth 1/2.
    int start = (int)(bits >> 52) - 1023 - 52 - 2 + 64, word = start >> 6, shift = start & 63;
    unsigned long long part[3];
    for (int i = 0; i < 3; ++i) {
        unsigned long long next = two_over_pi[word + i + 1];
        part[i] = two_over_pi[word + i] << shift | (shift ? next >> (64 - shift) : 0);
    }
    wide low = (wide)part[2] * mantissa;
    wide middle = (wide)part[1] * mantissa + (unsigned long long)(low >> 64);
    unsigned long long top =
        part[0] * mantissa + (unsigned long long)(middle >> 64), rest = (unsigned long long)middle;
    int quarter = (int)(top >> 62);
    // The fraction of a quarter, as a signed number: beyond one half it belongs to the next.
    wide fraction = ((wide)top << 64 | rest) << 2;
    bool beyond = (fraction >> 127) != 0;
    if (beyond) fraction = -fraction, quarter += 1;
    unsigned long long upper = (unsigned long long)(fraction >> 64);
    int lost = upper ? __builtin_clzll(upper) : 64;
    fraction <<= lost;
    double f = (double)(unsigned long long)(fraction >> 75);
    double g = (double)(unsigned long long)(fraction >> 22 & 0x1fffffffffffffull);
    pair turn = {__builtin_ldexp(f, -53 - lost), __builtin_ldexp(g, -106 - lost)};
    pair angle = product_of(turn, {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54});
    if (beyond) angle = {-angle.high, -angle.low};
    if (x < 0.0) return {-angle.high, -angle.low, -quarter & 3};
    return {angle.high, angle.low, quarter & 3};
}

HIP_DETAIL_FUNCTION reduced_angle reduce(double x) {
    return __builtin_fabs(x) < 0x1p45 ? reduce_small(x) : reduce_large(x);
}

// 1 - z/(k(k+1)) * (1 - z/((k+2)(k+3)) * ...): behind x for k = 2, behind 1 - z/2 for k = 3.
template <int k, int last> HIP_DETAIL_FUNCTION double circle_series(double z) {
    if constexpr (k >= last) {
        return 1.0;
    } else {
        return __builtin_fma(-z * (1.0 / (k * (k + 1))), circle_series<k + 2, last>(z), 1.0);
    }
}
HIP_DETAIL_FUNCTION double sine_of(double x, double low) {
    double z = x * x;
    return x + (low * (1.0 - 0.5 * z) - x * z * (1.0 / 6.0) * circle_series<4, 20>(z));
}
HIP_DETAIL_FUNCTION double cosine_of(double x, double low) {
    double z = x * x, half = 0.5 * z, most = 1.0 - half;
    double tail = z * z * (1.0 / 24.0) * circle_series<5, 21>(z) - x * low;
    return most + (((1.0 - most) - half) + tail);
}
HIP_DETAIL_FUNCTION double sine_at(const reduced_angle& angle, int more_quarters) {
    int quarter = angle.quarter + more_quarters;
    double value = quarter & 1 ? cosine_of(angle.high, angle.low) : sine_of(angle.high, angle.low);
    return quarter & 2 ? -value : value;
}

HIP_DETAIL_FUNCTION bool no_angle(double x) { return !(__builtin_fabs(x) < __builtin_inf()); }
HIP_DETAIL_FUNCTION double own_sin(double x) {
    if (x == 0.0) return x;
    return no_angle(x) ? __builtin_nan("") : sine_at(reduce(x), 0);
}
HIP_DETAIL_FUNCTION double own_cos(double x) {
    return no_angle(x) ? __builtin_nan("") : sine_at(reduce(x), 1);
}
HIP_DETAIL_FUNCTION double own_tan(double x) {
    if (x == 0.0) return x;
    if (no_angle(x)) return __builtin_nan("");
    reduced_angle angle = reduce(x);
    double sine = sine_of(angle.high, angle.low), cosine = cosine_of(angle.high, angle.low);
    return angle.quarter & 1 ? -cosine / sine : sine / cosine;
}

// Of pi * x: half turns are exact before they are multiplied.
HIP_DETAIL_FUNCTION reduced_angle reduce_half_turns(double x) {
    double n = __builtin_rint(2.0 * x), left = __builtin_fma(-0.5, n, x);
    pair angle = product_of({left, 0.0}, {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53});
    return {angle.high, angle.low, (int)(n - 4.0 * __builtin_floor(n * 0.25))};
}
HIP_DETAIL_FUNCTION double own_sinpi(double x) {
    if (no_angle(x)) return __builtin_nan("");
    if (__builtin_trunc(x) == x) return __builtin_copysign(0.0, x);
    return sine_at(reduce_half_turns(x), 0);
}
HIP_DETAIL_FUNCTION double own_cospi(double x) {
    return no_angle(x) ? __builtin_nan("") : sine_at(reduce_half_turns(x), 1);
}

HIP_DETAIL_FUNCTION double own_atan(double x) {
    if (x != x || x == 0.0) return x;
    double a = __builtin_fabs(x);
    bool inverse = a > 1.0;
    double t = inverse ? 1.0 / a : a;
    bool upper = t > 0.41421356237309504880;
    if (upper) t = inverse ? (1.0 - a) / (1.0 + a) : (t - 1.0) / (t + 1.0);
    double z = t * t, rest = z * odd_series<3, 45>(-z);
    pair base = {0.0, 0.0};
    if (upper) base = {0x1.921fb54442d18p-1, 0x1.1a62633145c07p-55};
    double result = base.high + (__builtin_fma(-t, rest, base.low) + t);
    if (inverse)
        result = 0x1.921fb54442d18p+0 -
                 (base.high - (__builtin_fma(t, rest, 0x1.1a62633145c07p-54 - base.low) - t));
    return __builtin_copysign(result, x);
}
HIP_DETAIL_FUNCTION double own_atan2(double y, double x) {
    if (x != x || y != y) return x + y;
    double a = __builtin_fabs(y), b = __builtin_fabs(x), angle;
    bool infinite = b == __builtin_inf();
    if (a == __builtin_inf()) {
        angle = infinite ? 0x1.921fb54442d18p-1 : 0x1.921fb54442d18p+0;
    } else if (a == 0.0 || infinite) {
        angle = 0.0;
    } else if (b == 0.0) {
        angle = 0x1.921fb54442d18p+0;
    } else {
        angle = own_atan(a / b);
    }
    if (__builtin_signbit(x)) angle = 0x1.921fb54442d18p+1 - (angle - 0x1.1a62633145c07p-53);
    return __builtin_copysign(angle, y);
}
HIP_DETAIL_FUNCTION double own_asin(double x) {
    return own_atan2(x, __builtin_sqrt((1.0 - x) * (1.0 + x)));
}
HIP_DETAIL_FUNCTION double own_acos(double x) {
    return own_atan2(__builtin_sqrt((1.0 - x) * (1.0 + x)), x);
}

HIP_DETAIL_FUNCTION double own_sinh(double x) {
    double a = __builtin_fabs(x), result;
    if (a < 700.0) {
        double t = own_expm1(a);
        result = 0.5 * (t + t / (t + 1.0));
    } else {
        double root = exp_of_pair(0.5 * a, 0.0);
        result = 0.5 * root * root;
    }
    return __builtin_copysign(result, x);
}
HIP_DETAIL_FUNCTION double own_cosh(double x) {
    double a = __builtin_fabs(x);
    if (a >= 700.0) {
        double root = exp_of_pair(0.5 * a, 0.0);
        return 0.5 * root * root;
    }
    double t = exp_of_pair(a, 0.0);
    return 0.5 * t + 0.5 / t;
}
HIP_DETAIL_FUNCTION double own_tanh(double x) {
    double a = __builtin_fabs(x);
    if (a > 22.0) return __builtin_copysign(1.0, x);
    double t = own_expm1(2.0 * a);
    return __builtin_copysign(t / (t + 2.0), x);
}
HIP_DETAIL_FUNCTION double own_asinh(double x) {
    double a = __builtin_fabs(x);
    double result = a > 0x1p28 ? own_log(a) + 0x1.62e42fefa39efp-1
                               : own_log1p(a + a * a / (1.0 + __builtin_sqrt(a * a + 1.0)));
    return __builtin_copysign(result, x);
}
HIP_DETAIL_FUNCTION double own_acosh(double x) {
    if (x > 0x1p28) return own_log(x) + 0x1.62e42fefa39efp-1;
    double t = x - 1.0;
    return own_log1p(t + __builtin_sqrt(2.0 * t + t * t));
}
HIP_DETAIL_FUNCTION double own_atanh(double x) {
    double a = __builtin_fabs(x);
    return __builtin_copysign(0.5 * own_log1p(2.0 * a / (1.0 - a)), x);
}

}  // namespace hip_detail
