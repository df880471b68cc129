// What wave.h is made of: a lane's number, a vote, and reading another lane's register.
#pragma once

namespace hip_detail {

HIP_DETAIL_DEVICE int lane() {
    unsigned in_plane = threadIdx.y + blockDim.y * threadIdx.z;
    unsigned in_block = threadIdx.x + blockDim.x * in_plane;
    return (int)(in_block % ROCM_PIPELINE_WAVE);
}

HIP_DETAIL_DEVICE unsigned long long vote(bool predicate) {
    return hip_emulator_vote(predicate, 0);
}

template <class T> HIP_DETAIL_DEVICE T read_lane(T value, int source) {
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    bits = hip_emulator_read_lane(bits, source, 0);
    __builtin_memcpy(&value, &bits, sizeof(T));
    return value;
}

}  // namespace hip_detail
