// Integer types of <stdint.h>, and bit counting.
#pragma once

typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef __INTPTR_TYPE__ intptr_t;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef __INT64_TYPE__ int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned uint32_t;
typedef __UINT64_TYPE__ uint64_t;
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned uint;
typedef unsigned long ulong;

HIP_DETAIL_FUNCTION int __popc(unsigned x) { return __builtin_popcount(x); }
HIP_DETAIL_FUNCTION int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
HIP_DETAIL_FUNCTION int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
HIP_DETAIL_FUNCTION int __clzll(long long x) {
    return x ? __builtin_clzll((unsigned long long)x) : 64;
}
HIP_DETAIL_FUNCTION int __ffs(int x) { return __builtin_ffs(x); }
HIP_DETAIL_FUNCTION int __ffs(unsigned x) { return __builtin_ffs((int)x); }
HIP_DETAIL_FUNCTION int __ffsll(long long x) { return __builtin_ffsll(x); }
HIP_DETAIL_FUNCTION int __ffsll(unsigned long long x) { return __builtin_ffsll((long long)x); }
HIP_DETAIL_FUNCTION unsigned __brev(unsigned x) { return __builtin_bitreverse32(x); }
HIP_DETAIL_FUNCTION unsigned long long __brevll(unsigned long long x) {
    return __builtin_bitreverse64(x);
}
HIP_DETAIL_FUNCTION unsigned __umulhi(unsigned a, unsigned b) {
    return (unsigned)((unsigned long long)a * b >> 32);
}
HIP_DETAIL_FUNCTION int __mulhi(int a, int b) { return (int)((long long)a * b >> 32); }
HIP_DETAIL_FUNCTION int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
HIP_DETAIL_FUNCTION unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
HIP_DETAIL_FUNCTION float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
HIP_DETAIL_FUNCTION float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
HIP_DETAIL_FUNCTION long long __double_as_longlong(double x) {
    return __builtin_bit_cast(long long, x);
}
HIP_DETAIL_FUNCTION double __longlong_as_double(long long x) {
    return __builtin_bit_cast(double, x);
}
