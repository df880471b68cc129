// HIP's integer intrinsics beyond bit counting: products, funnels, bytes, averages.
#pragma once

HIP_DETAIL_FUNCTION unsigned __umul24(unsigned a, unsigned b) {
    return (a & 0xffffffu) * (b & 0xffffffu);
}
HIP_DETAIL_FUNCTION int __mul24(int a, int b) {
    unsigned left = (unsigned)((int)((unsigned)a << 8) >> 8);
    return (int)(left * (unsigned)((int)((unsigned)b << 8) >> 8));
}
HIP_DETAIL_FUNCTION unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
HIP_DETAIL_FUNCTION long long __mul64hi(long long a, long long b) {
    return (long long)((__int128)a * b >> 64);
}

// Byte i of the result is the byte of y:x that digit i of the selector names; bit 3 of a digit is
// not looked at.
HIP_DETAIL_FUNCTION unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    unsigned long long bytes = (unsigned long long)y << 32 | x;
    unsigned result = 0;
    for (unsigned i = 0; i < 4; ++i)
        result |= (unsigned)(bytes >> 8 * (selector >> 4 * i & 7u) & 0xffu) << 8 * i;
    return result;
}

// Shifts of high:low; without c the distance is taken modulo 32, with it at most 32.
HIP_DETAIL_FUNCTION unsigned __funnelshift_l(unsigned low, unsigned high, unsigned distance) {
    unsigned long long both = (unsigned long long)high << 32 | low;
    return (unsigned)(both << (distance & 31u) >> 32);
}
HIP_DETAIL_FUNCTION unsigned __funnelshift_lc(unsigned low, unsigned high, unsigned distance) {
    unsigned long long both = (unsigned long long)high << 32 | low;
    return (unsigned)(both << (distance < 32u ? distance : 32u) >> 32);
}
HIP_DETAIL_FUNCTION unsigned __funnelshift_r(unsigned low, unsigned high, unsigned distance) {
    unsigned long long both = (unsigned long long)high << 32 | low;
    return (unsigned)(both >> (distance & 31u));
}
HIP_DETAIL_FUNCTION unsigned __funnelshift_rc(unsigned low, unsigned high, unsigned distance) {
    unsigned long long both = (unsigned long long)high << 32 | low;
    return (unsigned)(both >> (distance < 32u ? distance : 32u));
}

HIP_DETAIL_FUNCTION unsigned __usad(unsigned a, unsigned b, unsigned sum) {
    return (a > b ? a - b : b - a) + sum;
}
HIP_DETAIL_FUNCTION unsigned __sad(int a, int b, unsigned sum) {
    return (a > b ? (unsigned)a - (unsigned)b : (unsigned)b - (unsigned)a) + sum;
}
HIP_DETAIL_FUNCTION int __hadd(int a, int b) { return (int)(((long long)a + b) >> 1); }
HIP_DETAIL_FUNCTION int __rhadd(int a, int b) { return (int)(((long long)a + b + 1) >> 1); }
HIP_DETAIL_FUNCTION unsigned __uhadd(unsigned a, unsigned b) {
    return (unsigned)(((unsigned long long)a + b) >> 1);
}
HIP_DETAIL_FUNCTION unsigned __urhadd(unsigned a, unsigned b) {
    return (unsigned)(((unsigned long long)a + b + 1) >> 1);
}

// `width` bits from bit `first` on; positions and widths are taken modulo 32 or 64.
HIP_DETAIL_FUNCTION unsigned __bitextract_u32(unsigned x, unsigned first, unsigned width) {
    first &= 31u, width &= 31u;
    return x >> first & ((1u << width) - 1u);
}
HIP_DETAIL_FUNCTION unsigned long long __bitextract_u64(
    unsigned long long x, unsigned first, unsigned width) {
    first &= 63u, width &= 63u;
    return x >> first & ((1ull << width) - 1ull);
}
HIP_DETAIL_FUNCTION unsigned __bitinsert_u32(
    unsigned x, unsigned inserted, unsigned first, unsigned width) {
    first &= 31u, width &= 31u;
    unsigned mask = ((1u << width) - 1u) << first;
    return (x & ~mask) | (inserted << first & mask);
}
HIP_DETAIL_FUNCTION unsigned long long __bitinsert_u64(
    unsigned long long x, unsigned long long inserted, unsigned first, unsigned width) {
    first &= 63u, width &= 63u;
    unsigned long long mask = ((1ull << width) - 1ull) << first;
    return (x & ~mask) | (inserted << first & mask);
}
