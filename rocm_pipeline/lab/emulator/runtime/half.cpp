// What the compiler calls for halves and the C library may not have.
#include "libc.h"

// double to half, rounded once. An odd last bit keeps the float in between from landing on a tie.
extern "C" EXPORTED _Float16 __truncdfhf2(double value) {
    float nearest = static_cast<float>(value);
    double back = nearest;
    if (back == value || back != back) return static_cast<_Float16>(nearest);
    uint32_t bits = __builtin_bit_cast(uint32_t, nearest);
    if (__builtin_fabs(back) > __builtin_fabs(value)) --bits;
    return static_cast<_Float16>(__builtin_bit_cast(float, bits | 1u));
}

// float to bfloat16, to nearest even.
extern "C" EXPORTED __bf16 __truncsfbf2(float value) {
    uint32_t bits = __builtin_bit_cast(uint32_t, value);
    bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    uint32_t rounded = nan ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1u);
    return __builtin_bit_cast(__bf16, static_cast<uint16_t>(rounded >> 16));
}
