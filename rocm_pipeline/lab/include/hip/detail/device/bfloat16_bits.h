// Rounding to bfloat16, nearest even, by the compiler (an instruction on gfx950 and gfx12).
#pragma once

namespace hip_detail {

HIP_DETAIL_FUNCTION unsigned short bfloat16_bits(float value) {
    return __builtin_bit_cast(unsigned short, (__bf16)value);
}

}  // namespace hip_detail
