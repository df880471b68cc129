// Exponentials, logarithms and powers in double, for both sides.
//
// A `pair` is a number in two doubles, high + low, of about 100 bits. Largest errors in units in
// the last place: docs/hip.md (measured by tests/lab/hip/test_math.py).
#pragma once

namespace hip_detail {

struct pair { double high, low; };

HIP_DETAIL_FUNCTION pair exact_sum(double a, double b) {
    double sum = a + b, other = sum - a;
    return {sum, (a - (sum - other)) + (b - other)};
}
HIP_DETAIL_FUNCTION pair exact_product(double a, double b) {
    double product = a * b;
    return {product, __builtin_fma(a, b, -product)};
}
HIP_DETAIL_FUNCTION pair product_of(pair a, pair b) {
    pair p = exact_product(a.high, b.high);
    p.low = __builtin_fma(a.high, b.low, __builtin_fma(a.low, b.high, p.low));
    return exact_sum(p.high, p.low);
}
HIP_DETAIL_FUNCTION pair sum_of(pair a, pair b) {
    pair s = exact_sum(a.high, b.high);
    return exact_sum(s.high, s.low + (a.low + b.low));
}

// 1/k + z/(k+2) + z^2/(k+4) + ... up to 1/last.
template <int k, int last> HIP_DETAIL_FUNCTION double odd_series(double z) {
    if constexpr (k >= last) {
        return 1.0 / k;
    } else {
        return __builtin_fma(z, odd_series<k + 2, last>(z), 1.0 / k);
    }
}

// 1 + r/k * (1 + r/(k+1) * (...)), the series of e^r behind its first k - 1 terms, to `last`.
template <int k, int last> HIP_DETAIL_FUNCTION double exp_series(double r) {
    if constexpr (k >= last) {
        return 1.0;
    } else {
        return __builtin_fma(r * (1.0 / k), exp_series<k + 1, last>(r), 1.0);
    }
}

// e^(high + low) with |low| far below |high|.
HIP_DETAIL_FUNCTION double exp_of_pair(double high, double low) {
    if (high != high) return high;
    if (high > 709.9) return __builtin_inf();
    if (high < -745.5) return 0.0;
    double n = __builtin_rint(high * 1.44269504088896340736);
    double r = __builtin_fma(-n, 0x1.62e42fefa39efp-1, high);
    double rest = __builtin_fma(-n, 0x1.abc9e3b39803fp-56, low);
    double t = r + rest;
    rest += r - t;
    // 1 + (t + (t^2/2 * series + rest)), so that only the last sum rounds.
    double tail = __builtin_fma(0.5 * t * t, exp_series<3, 15>(t), rest);
    return __builtin_ldexp(1.0 + (t + tail), (int)n);
}

// log(x) for a positive finite x, which may be denormal.
HIP_DETAIL_FUNCTION pair log_pair(double x) {
    bool denormal = x < 0x1p-1022;
    long long bits = __builtin_bit_cast(long long, denormal ? x * 0x1p54 : x);
    int exponent = (int)(bits >> 52) - 1023 - (denormal ? 54 : 0);
    double m = __builtin_bit_cast(double, (bits & 0xfffffffffffffll) | 0x3ff0000000000000ll);
    if (m >= 1.41421356237309504880) {
        m *= 0.5;
        exponent += 1;
    }
    // 2 * atanh(s) with s = (m - 1)/(m + 1) = s + s^3/3 + ...; m - 1 is exact.
    double f = m - 1.0;
    pair below = exact_sum(m, 1.0), s;
    s.high = f / below.high;
    double left = __builtin_fma(-s.high, below.high, f);
    s.low = __builtin_fma(-s.high, below.low, left) / below.high;
    pair square = product_of(s, s), cube = product_of(square, s);
    pair third = product_of(cube, {0x1.5555555555555p-1, 0x1.5555555555555p-55});
    double tail = 2.0 * cube.high * square.high * odd_series<5, 29>(square.high);
    pair sum = sum_of({2.0 * s.high, 2.0 * s.low}, sum_of(third, {tail, 0.0}));
    pair whole = exact_product(exponent, 0x1.62e42fefa39efp-1);
    whole.low = __builtin_fma(exponent, 0x1.abc9e3b39803fp-56, whole.low);
    return sum_of(whole, sum);
}

HIP_DETAIL_FUNCTION bool log_is_special(double x) { return !(x > 0.0 && x < __builtin_inf()); }
HIP_DETAIL_FUNCTION double special_log(double x) {
    if (x == 0.0) return -__builtin_inf();
    return x > 0.0 ? x : __builtin_nan("");
}
HIP_DETAIL_FUNCTION double log_in_base(double x, pair reciprocal) {
    return log_is_special(x) ? special_log(x) : product_of(log_pair(x), reciprocal).high;
}
HIP_DETAIL_FUNCTION double own_log2(double x) {
    return log_in_base(x, {0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56});
}
HIP_DETAIL_FUNCTION double own_log10(double x) {
    return log_in_base(x, {0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57});
}
HIP_DETAIL_FUNCTION double own_log1p(double x) {
    if (x == 0.0) return x;
    pair one_more = exact_sum(1.0, x);
    if (log_is_special(one_more.high)) return special_log(one_more.high);
    pair log = log_pair(one_more.high);
    return log.high + (log.low + one_more.low / one_more.high);
}

HIP_DETAIL_FUNCTION double own_exp2(double x) {
    if (x != x || x > 1025.0) return x + x == x ? x : x * 0x1p1023;
    if (x < -1080.0) return 0.0;
    double n = __builtin_rint(x);
    pair r = product_of({x - n, 0.0}, {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56});
    return __builtin_ldexp(exp_of_pair(r.high, r.low), (int)n);
}
HIP_DETAIL_FUNCTION double own_exp10(double x) {
    if (x != x || x > 400.0) return x + x == x ? x : x * 0x1p1023;
    if (x < -400.0) return 0.0;
    pair r = product_of({x, 0.0}, {0x1.26bb1bbb55516p+1, -0x1.f48ad494ea3e9p-53});
    return exp_of_pair(r.high, r.low);
}
HIP_DETAIL_FUNCTION double own_expm1(double x) {
    if (__builtin_fabs(x) < 0.35) return __builtin_fma(0.5 * x * x, exp_series<3, 16>(x), x);
    return exp_of_pair(x, 0.0) - 1.0;
}

HIP_DETAIL_FUNCTION double own_pow(double x, double y) {
    if (y == 0.0 || x == 1.0) return 1.0;
    if (x != x || y != y) return x + y;
    double magnitude = __builtin_fabs(x);
    bool whole = __builtin_trunc(y) == y;
    bool odd = whole && __builtin_fabs(y) < 0x1p53 && ((long long)y & 1) != 0;
    double result;
    if (magnitude == 1.0 && __builtin_fabs(y) == __builtin_inf()) return 1.0;
    if (magnitude == 0.0 || magnitude == __builtin_inf()) {
        result = (magnitude == 0.0) == (y < 0.0) ? __builtin_inf() : 0.0;
    } else if (__builtin_fabs(y) == __builtin_inf()) {
        return (magnitude > 1.0) == (y > 0.0) ? y * y : 0.0;
    } else if (x < 0.0 && !whole) {
        return __builtin_nan("");
    } else {
        pair log = log_pair(magnitude), product = exact_product(y, log.high);
        result = exp_of_pair(product.high, __builtin_fma(y, log.low, product.low));
        // Far beyond the range y * log is infinite, and its low part no number.
        if (__builtin_fabs(product.high) > 800.0)
            result = product.high > 0.0 ? __builtin_inf() : 0.0;
    }
    return odd ? __builtin_copysign(result, x) : result;
}

HIP_DETAIL_FUNCTION double own_cbrt(double x) {
    double a = __builtin_fabs(x);
    if (!(a > 0.0 && a < __builtin_inf())) return x;
    bool small = a < 0x1p-900;
    if (small) a *= 0x1p270;
    double t = own_exp(own_log(a) * (1.0 / 3.0));
    // One step of Newton's, with the residual to twice the precision.
    pair square = exact_product(t, t), cube = exact_product(square.high, t);
    double residual = (cube.high - a) + __builtin_fma(square.low, t, cube.low);
    t -= residual / (3.0 * square.high);
    return __builtin_copysign(small ? t * 0x1p-90 : t, x);
}

HIP_DETAIL_FUNCTION double own_hypot(double x, double y) {
    double a = __builtin_fabs(x), b = __builtin_fabs(y);
    if (a == __builtin_inf() || b == __builtin_inf()) return __builtin_inf();
    double large = a > b || a != a ? a : b, small = large == a ? b : a;
    if (large == 0.0 || large != large || small != small) return large + small;
    int exponent = (int)(__builtin_bit_cast(long long, large) >> 52) - 1023;
    large = __builtin_ldexp(large, -exponent);
    small = __builtin_ldexp(small, -exponent);
    return __builtin_ldexp(__builtin_sqrt(__builtin_fma(large, large, small * small)), exponent);
}

}  // namespace hip_detail
