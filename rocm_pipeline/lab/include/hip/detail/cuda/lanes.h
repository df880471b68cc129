// What wave.h is made of: a lane's number, a vote, and reading another lane's register.
//
// HIP's shuffles and votes are of the lanes that are active; here these are named by a mask, read
// where the shuffle stands. What an inactive source lane gives is undefined.
#pragma once

namespace hip_detail {

HIP_DETAIL_DEVICE int lane() { return __nvvm_read_ptx_sreg_laneid(); }

HIP_DETAIL_DEVICE unsigned active_lanes() {
    unsigned mask;
    asm volatile("activemask.b32 %0;" : "=r"(mask));
    return mask;
}

HIP_DETAIL_DEVICE unsigned long long vote(bool predicate) {
    return (unsigned)__nvvm_vote_ballot_sync(active_lanes(), predicate);
}

template <class T> HIP_DETAIL_DEVICE T read_lane(T value, int source) {
    constexpr int count = (sizeof(T) + 3) / 4;
    int words[count] = {};
    __builtin_memcpy(words, &value, sizeof(T));
    unsigned mask = active_lanes();
    for (int i = 0; i < count; ++i)
        words[i] = __nvvm_shfl_sync_idx_i32(mask, words[i], source, 31);
    __builtin_memcpy(&value, words, sizeof(T));
    return value;
}

}  // namespace hip_detail
