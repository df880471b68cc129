// Rounding to bfloat16, nearest even, in integers: a CPU compiler would call a library for it.
#pragma once

namespace hip_detail {

HIP_DETAIL_FUNCTION unsigned short bfloat16_bits(float value) {
    unsigned bits = __builtin_bit_cast(unsigned, value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)(bits >> 16 | 0x40u);
    return (unsigned short)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

}  // namespace hip_detail
