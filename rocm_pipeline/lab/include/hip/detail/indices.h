// threadIdx, blockIdx, blockDim and gridDim, over `thread_index` and its relatives of either side.
#pragma once

namespace hip_detail_types {

#define HIP_DETAIL_INDEX(name, read)                                                           \
    struct name {                                                                              \
        __declspec(property(get = read_x)) unsigned x;                                         \
        __declspec(property(get = read_y)) unsigned y;                                         \
        __declspec(property(get = read_z)) unsigned z;                                         \
        HIP_DETAIL_FUNCTION unsigned read_x() { return hip_detail::read(0); }                  \
        HIP_DETAIL_FUNCTION unsigned read_y() { return hip_detail::read(1); }                  \
        HIP_DETAIL_FUNCTION unsigned read_z() { return hip_detail::read(2); }                  \
        HIP_DETAIL_MEMBER operator dim3() const { return dim3(read_x(), read_y(), read_z()); } \
    };
HIP_DETAIL_INDEX(thread_indices, thread_index)
HIP_DETAIL_INDEX(block_indices, block_index)
HIP_DETAIL_INDEX(block_extents, block_size)
HIP_DETAIL_INDEX(grid_extents, grid_size)
#undef HIP_DETAIL_INDEX

}  // namespace hip_detail_types

// Defined nowhere: they have members to read, and no address.
extern const HIP_DETAIL_VARIABLE hip_detail_types::thread_indices threadIdx;
extern const HIP_DETAIL_VARIABLE hip_detail_types::block_indices blockIdx;
extern const HIP_DETAIL_VARIABLE hip_detail_types::block_extents blockDim;
extern const HIP_DETAIL_VARIABLE hip_detail_types::grid_extents gridDim;
