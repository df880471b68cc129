// The AMDGPU builtins that compute: approximations, bytes, bit fields, dot products.
#pragma once

namespace hip_detail {

typedef _Float16 two_halves __attribute__((vector_size(4)));

HIP_DETAIL_DEVICE float fraction(float x) {
    // Below one, even where the subtraction rounds up.
    float result = x - __builtin_floorf(x);
    return __builtin_fminf(result, 0x1.fffffep-1f);
}
HIP_DETAIL_DEVICE float middle_of(float a, float b, float c) {
    float low = __builtin_fminf(a, b), high = __builtin_fmaxf(a, b);
    return __builtin_fmaxf(low, __builtin_fminf(high, c));
}
// Bytes of high:low; selectors 8 to 11 spread a sign, 12 is zero and what is above it all ones.
HIP_DETAIL_DEVICE unsigned bytes_permuted(unsigned high, unsigned low, unsigned selector) {
    unsigned long long both = (unsigned long long)high << 32 | low;
    unsigned result = 0;
    for (unsigned i = 0; i < 4; ++i) {
        unsigned chosen = selector >> 8 * i & 0xffu, byte = 0xffu;
        if (chosen < 8u) byte = (unsigned)(both >> 8 * chosen) & 0xffu;
        else if (chosen < 12u) byte = both >> (16 * (chosen - 8u) + 15u) & 1u ? 0xffu : 0u;
        else if (chosen == 12u) byte = 0u;
        result |= byte << 8 * i;
    }
    return result;
}
HIP_DETAIL_DEVICE unsigned bit_field(unsigned x, unsigned first, unsigned width) {
    first &= 31u, width &= 31u;
    return x >> first & ((1u << width) - 1u);
}
HIP_DETAIL_DEVICE int signed_bit_field(int x, unsigned first, unsigned width) {
    first &= 31u, width &= 31u;
    if (width == 0u) return 0;
    return first + width < 32u ? (int)((unsigned)x << (32u - first - width)) >> (32u - width)
                               : x >> first;
}
HIP_DETAIL_DEVICE unsigned byte_differences(unsigned a, unsigned b, unsigned sum) {
    for (unsigned i = 0; i < 32u; i += 8u) {
        unsigned left = a >> i & 0xffu, right = b >> i & 0xffu;
        sum += left > right ? left - right : right - left;
    }
    return sum;
}

// The sum of products of `bits` wide integers in a word, added to `c`.
template <int bits, bool left_signed, bool right_signed, bool clamp>
HIP_DETAIL_DEVICE int integer_dot(unsigned a, unsigned b, int c) {
    static_assert(!clamp, "UNSUPPORTED: a dot product that clamps");
    unsigned sum = (unsigned)c;
    for (int i = 0; i < 32; i += bits) {
        int left = (int)(a << (32 - bits - i)) >> (32 - bits);
        int right = (int)(b << (32 - bits - i)) >> (32 - bits);
        if (!left_signed) left &= (1 << bits) - 1;
        if (!right_signed) right &= (1 << bits) - 1;
        sum += (unsigned)(left * right);
    }
    return (int)sum;
}
template <bool clamp> HIP_DETAIL_DEVICE float half_dot(two_halves a, two_halves b, float c) {
    static_assert(!clamp, "UNSUPPORTED: a dot product that clamps");
    return (float)((double)a[0] * (double)b[0] + (double)a[1] * (double)b[1] + (double)c);
}

}  // namespace hip_detail

#define __builtin_amdgcn_rcpf(x) hip_detail::fast_divide(1.0f, x)
#define __builtin_amdgcn_rsqf(x) hip_detail::rsqrt_of(x)
#define __builtin_amdgcn_sqrtf(x) __builtin_sqrtf(hip_detail::without_denormals(x))
#define __builtin_amdgcn_exp2f(x) hip_detail::fast_exp2(x)
#define __builtin_amdgcn_logf(x) hip_detail::fast_log2(x)
#define __builtin_amdgcn_fractf(x) hip_detail::fraction(x)
#define __builtin_amdgcn_fmed3f(x, y, z) hip_detail::middle_of(x, y, z)
#define __builtin_amdgcn_perm(high, low, selector) hip_detail::bytes_permuted(high, low, selector)
#define __builtin_amdgcn_alignbit(high, low, bits) __funnelshift_r(low, high, bits)
#define __builtin_amdgcn_alignbyte(high, low, bytes) __funnelshift_r(low, high, ((bytes) & 3) * 8)
#define __builtin_amdgcn_ubfe(x, first, width) hip_detail::bit_field(x, first, width)
#define __builtin_amdgcn_sbfe(x, first, width) \
    ((unsigned)hip_detail::signed_bit_field((int)(x), first, width))
#define __builtin_amdgcn_sad_u8(a, b, sum) hip_detail::byte_differences(a, b, sum)
#define __builtin_amdgcn_sdot4(a, b, c, clamp) \
    hip_detail::integer_dot<8, true, true, (clamp)>(a, b, c)
#define __builtin_amdgcn_udot4(a, b, c, clamp) \
    ((unsigned)hip_detail::integer_dot<8, false, false, (clamp)>(a, b, c))
#define __builtin_amdgcn_sdot8(a, b, c, clamp) \
    hip_detail::integer_dot<4, true, true, (clamp)>(a, b, c)
#define __builtin_amdgcn_udot8(a, b, c, clamp) \
    ((unsigned)hip_detail::integer_dot<4, false, false, (clamp)>(a, b, c))
#define __builtin_amdgcn_sudot4(left_signed, a, right_signed, b, c, clamp) \
    hip_detail::integer_dot<8, (left_signed), (right_signed), (clamp)>(a, b, c)
#define __builtin_amdgcn_fdot2(a, b, c, clamp) hip_detail::half_dot<(clamp)>(a, b, c)
