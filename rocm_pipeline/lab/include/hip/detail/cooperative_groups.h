// Cooperative groups: the grid, the block, tiles of a wave, the lanes that are active.
#pragma once

#if defined(HIP_EMULATOR_EXPORT)
#include "emulator/grid_barrier.h"
#else
#include "device/grid_barrier.h"
#endif

namespace hip_detail {

HIP_DETAIL_DEVICE unsigned long long below_lane(int lane) { return (1ull << lane) - 1ull; }

// The lane of the member with that rank.
HIP_DETAIL_DEVICE int lane_of_rank(unsigned long long members, unsigned rank) {
    for (; rank > 0u && members; --rank) members &= members - 1ull;
    return members ? __builtin_ctzll(members) : 0;
}

}  // namespace hip_detail

namespace cooperative_groups {

class thread_block {
  public:
    HIP_DETAIL_MEMBER void sync() const { __syncthreads(); }
    HIP_DETAIL_MEMBER unsigned thread_rank() const {
        return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    }
    HIP_DETAIL_MEMBER unsigned size() const { return blockDim.x * blockDim.y * blockDim.z; }
    HIP_DETAIL_MEMBER unsigned num_threads() const { return size(); }
    HIP_DETAIL_MEMBER dim3 thread_index() const { return threadIdx; }
    HIP_DETAIL_MEMBER dim3 group_index() const { return blockIdx; }
    HIP_DETAIL_MEMBER dim3 group_dim() const { return blockDim; }
    HIP_DETAIL_MEMBER dim3 dim_threads() const { return blockDim; }
};
HIP_DETAIL_DEVICE thread_block this_thread_block() { return thread_block(); }

// All blocks of the launch; to wait for each other they must be few.
class grid_group {
  public:
    HIP_DETAIL_MEMBER bool is_valid() const { return true; }
    HIP_DETAIL_MEMBER void sync() const { hip_detail::grid_barrier(); }
    HIP_DETAIL_MEMBER unsigned long long num_blocks() const {
        return (unsigned long long)gridDim.x * gridDim.y * gridDim.z;
    }
    HIP_DETAIL_MEMBER unsigned long long block_rank() const {
        return blockIdx.x + (unsigned long long)gridDim.x *
                                (blockIdx.y + (unsigned long long)gridDim.y * blockIdx.z);
    }
    HIP_DETAIL_MEMBER unsigned long long thread_rank() const {
        return block_rank() * thread_block().size() + thread_block().thread_rank();
    }
    HIP_DETAIL_MEMBER unsigned long long size() const {
        return num_blocks() * thread_block().size();
    }
    HIP_DETAIL_MEMBER unsigned long long num_threads() const { return size(); }
    HIP_DETAIL_MEMBER dim3 block_index() const { return blockIdx; }
    HIP_DETAIL_MEMBER dim3 grid_dim() const { return gridDim; }
};
HIP_DETAIL_DEVICE grid_group this_grid() { return grid_group(); }

// `count` neighbouring lanes of one wave; `count` is a power of two.
template <unsigned count, class parent = void> class thread_block_tile {
    static_assert(count != 0u && (count & (count - 1u)) == 0u, "tiles are powers of two");
    static_assert(count <= (unsigned)warpSize, "UNSUPPORTED: a tile larger than a wave");

  public:
    HIP_DETAIL_MEMBER void sync() const { __syncwarp(); }
    HIP_DETAIL_MEMBER unsigned thread_rank() const { return (unsigned)__lane_id() & (count - 1u); }
    HIP_DETAIL_MEMBER constexpr unsigned size() const { return count; }
    HIP_DETAIL_MEMBER constexpr unsigned num_threads() const { return count; }
    HIP_DETAIL_MEMBER unsigned meta_group_rank() const {
        return thread_block().thread_rank() / count;
    }
    HIP_DETAIL_MEMBER unsigned meta_group_size() const {
        return (thread_block().size() + count - 1u) / count;
    }

    template <class T> HIP_DETAIL_MEMBER T shfl(T value, int rank) const {
        return __shfl(value, rank, (int)count);
    }
    template <class T> HIP_DETAIL_MEMBER T shfl_up(T value, unsigned distance) const {
        return __shfl_up(value, distance, (int)count);
    }
    template <class T> HIP_DETAIL_MEMBER T shfl_down(T value, unsigned distance) const {
        return __shfl_down(value, distance, (int)count);
    }
    template <class T> HIP_DETAIL_MEMBER T shfl_xor(T value, unsigned mask) const {
        return __shfl_xor(value, (int)mask, (int)count);
    }
    HIP_DETAIL_MEMBER unsigned long long ballot(int predicate) const {
        return __ballot(predicate) >> first_lane() & members();
    }
    HIP_DETAIL_MEMBER int any(int predicate) const { return ballot(predicate) != 0ull; }
    HIP_DETAIL_MEMBER int all(int predicate) const { return ballot(!predicate) == 0ull; }

  private:
    HIP_DETAIL_MEMBER int first_lane() const { return __lane_id() & ~((int)count - 1); }
    HIP_DETAIL_MEMBER static constexpr unsigned long long members() {
        return count == 64u ? ~0ull : (1ull << (count & 63u)) - 1ull;
    }
};
template <unsigned count, class parent>
HIP_DETAIL_DEVICE thread_block_tile<count> tiled_partition(const parent&) {
    return thread_block_tile<count>();
}

// The lanes of a wave that came to coalesced_threads() together.
class coalesced_group {
  public:
    HIP_DETAIL_MEMBER explicit coalesced_group(unsigned long long lanes) : members(lanes) {}
    HIP_DETAIL_MEMBER void sync() const { __syncwarp(); }
    HIP_DETAIL_MEMBER unsigned size() const { return (unsigned)__popcll(members); }
    HIP_DETAIL_MEMBER unsigned num_threads() const { return size(); }
    HIP_DETAIL_MEMBER unsigned thread_rank() const {
        return (unsigned)__popcll(members & hip_detail::below_lane(__lane_id()));
    }
    template <class T> HIP_DETAIL_MEMBER T shfl(T value, int rank) const {
        return __shfl(value, hip_detail::lane_of_rank(members, (unsigned)rank % size()));
    }
    template <class T> HIP_DETAIL_MEMBER T shfl_up(T value, unsigned distance) const {
        unsigned rank = thread_rank();
        return shfl(value, (int)(rank >= distance ? rank - distance : rank));
    }
    template <class T> HIP_DETAIL_MEMBER T shfl_down(T value, unsigned distance) const {
        unsigned rank = thread_rank();
        return shfl(value, (int)(rank + distance < size() ? rank + distance : rank));
    }
    // Bit r is the predicate of the member with rank r.
    HIP_DETAIL_MEMBER unsigned long long ballot(int predicate) const {
        unsigned long long votes = __ballot(predicate), packed = 0ull, rest = members;
        for (int rank = 0; rest; ++rank, rest &= rest - 1ull)
            packed |= (votes >> __builtin_ctzll(rest) & 1ull) << rank;
        return packed;
    }
    HIP_DETAIL_MEMBER int any(int predicate) const { return ballot(predicate) != 0ull; }
    HIP_DETAIL_MEMBER int all(int predicate) const { return ballot(!predicate) == 0ull; }

  private:
    unsigned long long members;
};
HIP_DETAIL_DEVICE coalesced_group coalesced_threads() { return coalesced_group(__activemask()); }

template <class group> HIP_DETAIL_DEVICE void sync(const group& g) { g.sync(); }
template <class group> HIP_DETAIL_DEVICE unsigned thread_rank(const group& g) {
    return g.thread_rank();
}
template <class group> HIP_DETAIL_DEVICE unsigned group_size(const group& g) { return g.size(); }

#define HIP_DETAIL_OPERATOR(name, expression)                                                  \
    template <class T> struct name {                                                           \
        HIP_DETAIL_MEMBER T operator()(T a, T b) const { return expression; }                  \
    };
HIP_DETAIL_OPERATOR(plus, a + b)
HIP_DETAIL_OPERATOR(less, b < a ? b : a)
HIP_DETAIL_OPERATOR(greater, a < b ? b : a)
HIP_DETAIL_OPERATOR(bit_and, a & b)
HIP_DETAIL_OPERATOR(bit_or, a | b)
HIP_DETAIL_OPERATOR(bit_xor, a ^ b)
#undef HIP_DETAIL_OPERATOR

// The values of all lanes of the tile, combined in the order of a butterfly.
template <unsigned count, class T, class combine>
HIP_DETAIL_DEVICE T reduce(const thread_block_tile<count>& tile, T value, combine op) {
    for (unsigned step = count / 2u; step > 0u; step /= 2u)
        value = op(value, tile.shfl_xor(value, step));
    return value;
}
template <class T, class combine>
HIP_DETAIL_DEVICE T reduce(const coalesced_group& group, T value, combine op) {
    T total = group.shfl(value, 0);
    for (unsigned rank = 1u; rank < group.size(); ++rank)
        total = op(total, group.shfl(value, (int)rank));
    return total;
}
template <unsigned count, class T, class combine>
HIP_DETAIL_DEVICE T inclusive_scan(const thread_block_tile<count>& tile, T value, combine op) {
    for (unsigned step = 1u; step < count; step *= 2u) {
        T before = tile.shfl_up(value, step);
        if (tile.thread_rank() >= step) value = op(before, value);
    }
    return value;
}

}  // namespace cooperative_groups
