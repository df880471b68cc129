// The AMDGPU builtins that move registers between lanes, order work or name a work-item.
//
// A lane that does not take part gives no value: what depends on it in the registers of an inactive
// lane is refused when it is compiled.
#pragma once

namespace hip_detail {

// What lane `source` came with, where it takes part and the move is `valid`; else zero or `old`.
template <class T>
HIP_DETAIL_DEVICE T moved_or(T old, T value, int source, bool valid, bool zero) {
    bool active = (vote(true) >> (source & (ROCM_PIPELINE_WAVE - 1)) & 1) != 0;
    T moved = read_lane(value, source);
    if (valid && active) return moved;
    return zero ? T() : old;
}

HIP_DETAIL_DEVICE int first_lane_of(int value) {
    return read_lane(value, __builtin_ctzll(vote(true)));
}
// Where several lanes push to one, the last of them wins.
HIP_DETAIL_DEVICE int push_to_lane(int address, int value) {
    unsigned long long active = vote(true);
    int self = lane(), result = 0;
    for (int i = 0; i < ROCM_PIPELINE_WAVE; ++i) {
        int target = read_lane(address, i), pushed = read_lane(value, i);
        if ((active >> i & 1) && (target >> 2 & (ROCM_PIPELINE_WAVE - 1)) == self) result = pushed;
    }
    return result;
}
template <int pattern> HIP_DETAIL_DEVICE int swizzled(int value) {
    int self = lane();
    int source = pattern & 0x8000
        ? (self & ~3) | (pattern >> 2 * (self & 3) & 3)
        : (self & ~31) | (((self & 31 & (pattern & 31)) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31));
    return read_lane(value, source);
}

// The lane that a data-parallel-primitive control reads, -1 for none.
template <int control> HIP_DETAIL_DEVICE int dpp_source(int self) {
    int row = self & ~15, in_row = self & 15;
    if constexpr (control < 0x100) return (self & ~3) | (control >> 2 * (self & 3) & 3);
    if constexpr (control > 0x100 && control < 0x110)
        return in_row + (control & 15) < 16 ? self + (control & 15) : -1;
    if constexpr (control > 0x110 && control < 0x120)
        return in_row >= (control & 15) ? self - (control & 15) : -1;
    if constexpr (control > 0x120 && control < 0x130)
        return row | ((in_row - (control & 15)) & 15);
    if constexpr (control == 0x140) return row | (15 - in_row);
    if constexpr (control == 0x141) return (self & ~7) | (7 - (self & 7));
    static_assert(
        control < 0x130 || control == 0x140 || control == 0x141,
        "UNSUPPORTED: of DPP, quad_perm, row_shl, row_shr, row_ror, row_mirror and "
        "row_half_mirror run here; use __shfl for other moves");
}
template <int control, int rows, int banks, bool bound, class T>
HIP_DETAIL_DEVICE T dpp_moved(T old, T value) {
    int self = lane(), source = dpp_source<control>(self);
    T result = moved_or(old, value, source < 0 ? self : source, source >= 0, bound);
    bool enabled = (rows >> (self >> 4 & 3) & 1) && (banks >> (self >> 2 & 3) & 1);
    return enabled ? result : old;
}
template <int other_row, bool invalid, bool bound>
HIP_DETAIL_DEVICE unsigned row_permuted(
    unsigned old, unsigned value, unsigned low, unsigned high) {
    static_assert(!invalid, "UNSUPPORTED: reading the registers of lanes that do not take part");
    int self = lane();
    unsigned selected = (self & 8 ? high : low) >> 4 * (self & 7) & 15u;
    return moved_or(old, value, ((self & ~15) ^ other_row) | (int)selected, true, bound);
}

HIP_DETAIL_DEVICE void fence_of(const char* scope) {
    // "agent", and "" for the system; the others stay inside a block.
    if (scope[0] == 'a' || scope[0] == 0) hip_emulator_device_fence();
}
HIP_DETAIL_DEVICE unsigned lanes_below(unsigned mask, unsigned base, int first) {
    int count = lane() - first;
    unsigned below = count <= 0 ? 0u : count >= 32 ? ~0u : (1u << count) - 1u;
    return base + (unsigned)__builtin_popcount(mask & below);
}
template <int width> HIP_DETAIL_DEVICE unsigned long vote_of(bool predicate) {
    static_assert(width == ROCM_PIPELINE_WAVE, "UNSUPPORTED: a ballot of the other wave size");
    return vote(predicate);
}

// Functions, and not constants: for the GPU's compiler these are none either.
HIP_DETAIL_DEVICE unsigned lanes_of_wave() { return ROCM_PIPELINE_WAVE; }
HIP_DETAIL_DEVICE void ignore(int) {}

}  // namespace hip_detail

#define __builtin_amdgcn_readfirstlane(value) hip_detail::first_lane_of(value)
#define __builtin_amdgcn_readlane(value, source) hip_detail::read_lane((int)(value), source)
#define __builtin_amdgcn_ds_bpermute(address, value) \
    hip_detail::read_lane((int)(value), (address) >> 2)
#define __builtin_amdgcn_ds_permute(address, value) hip_detail::push_to_lane(address, value)
#define __builtin_amdgcn_ds_swizzle(value, pattern) hip_detail::swizzled<(pattern)>(value)
#define __builtin_amdgcn_update_dpp(old, value, control, rows, banks, bound) \
    hip_detail::dpp_moved<(control), (rows), (banks), (bound)>(old, value)
#define __builtin_amdgcn_permlane16(old, value, low, high, invalid, bound) \
    hip_detail::row_permuted<0, (invalid), (bound)>(old, value, low, high)
#define __builtin_amdgcn_permlanex16(old, value, low, high, invalid, bound) \
    hip_detail::row_permuted<16, (invalid), (bound)>(old, value, low, high)
#define __builtin_amdgcn_mbcnt_lo(mask, base) hip_detail::lanes_below(mask, base, 0)
#define __builtin_amdgcn_mbcnt_hi(mask, base) hip_detail::lanes_below(mask, base, 32)
#define __builtin_amdgcn_ballot_w32(predicate) ((unsigned)hip_detail::vote_of<32>(predicate))
#define __builtin_amdgcn_ballot_w64(predicate) hip_detail::vote_of<64>(predicate)
#define __builtin_amdgcn_wavefrontsize() hip_detail::lanes_of_wave()

#define __builtin_amdgcn_s_barrier() ((void)hip_emulator_barrier(0, 0))
#define __builtin_amdgcn_wave_barrier() hip_emulator_wave_barrier(0)
#define __builtin_amdgcn_fence(memory_order, scope) hip_detail::fence_of(scope)
#define __builtin_amdgcn_sched_barrier(mask) hip_detail::ignore(mask)
#define __builtin_amdgcn_sched_group_barrier(mask, size, group) \
    hip_detail::ignore((mask) + (size) + (group))
#define __builtin_amdgcn_s_setprio(priority) hip_detail::ignore(priority)
#define __builtin_amdgcn_s_sleep(time) hip_detail::ignore(time)

#define __builtin_amdgcn_workitem_id_x() hip_detail::thread_index(0)
#define __builtin_amdgcn_workitem_id_y() hip_detail::thread_index(1)
#define __builtin_amdgcn_workitem_id_z() hip_detail::thread_index(2)
#define __builtin_amdgcn_workgroup_id_x() hip_detail::block_index(0)
#define __builtin_amdgcn_workgroup_id_y() hip_detail::block_index(1)
#define __builtin_amdgcn_workgroup_id_z() hip_detail::block_index(2)
