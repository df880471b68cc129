// What wave.h is made of: a lane's number, a vote, and reading another lane's register.
#pragma once

namespace hip_detail {

HIP_DETAIL_DEVICE int lane() {
    int low = __builtin_amdgcn_mbcnt_lo(~0u, 0);
    return __AMDGCN_WAVEFRONT_SIZE__ == 32 ? low : __builtin_amdgcn_mbcnt_hi(~0u, low);
}

HIP_DETAIL_DEVICE unsigned long long vote(bool predicate) {
#if __AMDGCN_WAVEFRONT_SIZE__ == 64
    return __builtin_amdgcn_ballot_w64(predicate);
#else
    return __builtin_amdgcn_ballot_w32(predicate);
#endif
}

// Words of an inactive source lane read as zero (ds_bpermute).
template <class T> HIP_DETAIL_DEVICE T read_lane(T value, int source) {
    constexpr int count = (sizeof(T) + 3) / 4;
    int words[count] = {};
    __builtin_memcpy(words, &value, sizeof(T));
    for (int i = 0; i < count; ++i)
        words[i] = __builtin_amdgcn_ds_bpermute(source << 2, words[i]);
    __builtin_memcpy(&value, words, sizeof(T));
    return value;
}

}  // namespace hip_detail
