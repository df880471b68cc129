// Votes and shuffles, over `lane`, `vote` and `read_lane` of either side.
//
// Widths are powers of two up to the wave size. A shuffle that would leave its segment returns
// the lane's own value, as in HIP.
#pragma once

HIP_DETAIL_DEVICE int __lane_id() { return hip_detail::lane(); }
HIP_DETAIL_DEVICE unsigned long long __ballot(int predicate) {
    return hip_detail::vote(predicate != 0);
}
HIP_DETAIL_DEVICE int __any(int predicate) { return hip_detail::vote(predicate != 0) != 0; }
HIP_DETAIL_DEVICE int __all(int predicate) { return hip_detail::vote(predicate == 0) == 0; }
HIP_DETAIL_DEVICE unsigned long long __activemask() { return hip_detail::vote(true); }

template <class T> HIP_DETAIL_DEVICE T __shfl(T value, int source, int width = warpSize) {
    static_assert(sizeof(T) <= 8, "shuffles take values of up to 8 bytes");
    int segment = hip_detail::lane() & ~(width - 1);
    return hip_detail::read_lane(value, segment + (source & (width - 1)));
}

template <class T> HIP_DETAIL_DEVICE T __shfl_up(T value, unsigned distance, int width = warpSize) {
    static_assert(sizeof(T) <= 8, "shuffles take values of up to 8 bytes");
    int self = hip_detail::lane(), source = self - (int)distance;
    return hip_detail::read_lane(value, source < (self & ~(width - 1)) ? self : source);
}

template <class T>
HIP_DETAIL_DEVICE T __shfl_down(T value, unsigned distance, int width = warpSize) {
    static_assert(sizeof(T) <= 8, "shuffles take values of up to 8 bytes");
    int self = hip_detail::lane();
    bool leaves = (self & (width - 1)) + (int)distance >= width;
    return hip_detail::read_lane(value, leaves ? self : self + (int)distance);
}

template <class T> HIP_DETAIL_DEVICE T __shfl_xor(T value, int mask, int width = warpSize) {
    static_assert(sizeof(T) <= 8, "shuffles take values of up to 8 bytes");
    int self = hip_detail::lane(), source = self ^ mask;
    bool leaves = source >= ((self + width) & ~(width - 1));
    return hip_detail::read_lane(value, leaves ? self : source);
}

// The _sync forms. HIP's masks have 64 bits even where a wave has 32 lanes, and so here: a 32-bit
// mask from CUDA code is refused. The mask itself changes nothing; the active lanes take part.
#define HIP_DETAIL_MASK_CHECK(Mask) \
    static_assert(sizeof(Mask) == 8, "HIP lane masks have 64 bits: use 0xffffffffffffffffull")

template <class Mask, class T>
HIP_DETAIL_DEVICE T __shfl_sync(Mask, T value, int source, int width = warpSize) {
    HIP_DETAIL_MASK_CHECK(Mask);
    return __shfl(value, source, width);
}
template <class Mask, class T>
HIP_DETAIL_DEVICE T __shfl_up_sync(Mask, T value, unsigned distance, int width = warpSize) {
    HIP_DETAIL_MASK_CHECK(Mask);
    return __shfl_up(value, distance, width);
}
template <class Mask, class T>
HIP_DETAIL_DEVICE T __shfl_down_sync(Mask, T value, unsigned distance, int width = warpSize) {
    HIP_DETAIL_MASK_CHECK(Mask);
    return __shfl_down(value, distance, width);
}
template <class Mask, class T>
HIP_DETAIL_DEVICE T __shfl_xor_sync(Mask, T value, int lane_mask, int width = warpSize) {
    HIP_DETAIL_MASK_CHECK(Mask);
    return __shfl_xor(value, lane_mask, width);
}
template <class Mask>
HIP_DETAIL_DEVICE unsigned long long __ballot_sync(Mask, int predicate) {
    HIP_DETAIL_MASK_CHECK(Mask);
    return __ballot(predicate);
}
template <class Mask> HIP_DETAIL_DEVICE int __any_sync(Mask, int predicate) {
    HIP_DETAIL_MASK_CHECK(Mask);
    return __any(predicate);
}
template <class Mask> HIP_DETAIL_DEVICE int __all_sync(Mask, int predicate) {
    HIP_DETAIL_MASK_CHECK(Mask);
    return __all(predicate);
}
#undef HIP_DETAIL_MASK_CHECK
