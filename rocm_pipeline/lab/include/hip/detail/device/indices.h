// threadIdx, blockIdx, blockDim and gridDim, read from registers and the implicit arguments.
#pragma once

namespace hip_detail {

// Sizes of the grid in blocks are the first implicit arguments (code object version 5 and later).
HIP_DETAIL_DEVICE unsigned grid_blocks(int dimension) {
    typedef const __attribute__((address_space(4))) unsigned* implicit_arguments;
    return ((implicit_arguments)__builtin_amdgcn_implicitarg_ptr())[dimension];
}

#define HIP_DETAIL_INDEX(name, get_x, get_y, get_z)                                            \
    struct name {                                                                              \
        __declspec(property(get = read_x)) unsigned x;                                         \
        __declspec(property(get = read_y)) unsigned y;                                         \
        __declspec(property(get = read_z)) unsigned z;                                         \
        HIP_DETAIL_DEVICE unsigned read_x() { return get_x; }                                  \
        HIP_DETAIL_DEVICE unsigned read_y() { return get_y; }                                  \
        HIP_DETAIL_DEVICE unsigned read_z() { return get_z; }                                  \
        __device__ operator dim3() const { return dim3(get_x, get_y, get_z); }                 \
    };
HIP_DETAIL_INDEX(
    thread_index, __builtin_amdgcn_workitem_id_x(), __builtin_amdgcn_workitem_id_y(),
    __builtin_amdgcn_workitem_id_z())
HIP_DETAIL_INDEX(
    block_index, __builtin_amdgcn_workgroup_id_x(), __builtin_amdgcn_workgroup_id_y(),
    __builtin_amdgcn_workgroup_id_z())
HIP_DETAIL_INDEX(
    block_size, __builtin_amdgcn_workgroup_size_x(), __builtin_amdgcn_workgroup_size_y(),
    __builtin_amdgcn_workgroup_size_z())
HIP_DETAIL_INDEX(grid_size, grid_blocks(0), grid_blocks(1), grid_blocks(2))
#undef HIP_DETAIL_INDEX

}  // namespace hip_detail

extern const __device__ __attribute__((weak)) hip_detail::thread_index threadIdx;
extern const __device__ __attribute__((weak)) hip_detail::block_index blockIdx;
extern const __device__ __attribute__((weak)) hip_detail::block_size blockDim;
extern const __device__ __attribute__((weak)) hip_detail::grid_size gridDim;
