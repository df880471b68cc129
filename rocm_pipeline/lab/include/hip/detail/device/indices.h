// What indices.h is made of: one dimension of an index or a size, from registers and the implicit
// arguments.
#pragma once

namespace hip_detail {

#define HIP_DETAIL_INDEX(name)                                                                 \
    HIP_DETAIL_DEVICE unsigned name(int dimension) {                                           \
        return dimension == 0   ? __builtin_amdgcn_##name##_x()                                \
               : dimension == 1 ? __builtin_amdgcn_##name##_y()                                \
                                : __builtin_amdgcn_##name##_z();                               \
    }
HIP_DETAIL_INDEX(workitem_id)
HIP_DETAIL_INDEX(workgroup_id)
HIP_DETAIL_INDEX(workgroup_size)
#undef HIP_DETAIL_INDEX

HIP_DETAIL_DEVICE unsigned thread_index(int dimension) { return workitem_id(dimension); }
HIP_DETAIL_DEVICE unsigned block_index(int dimension) { return workgroup_id(dimension); }
HIP_DETAIL_DEVICE unsigned block_size(int dimension) { return workgroup_size(dimension); }

// Sizes of the grid in blocks are the first implicit arguments (code object version 5 and later).
HIP_DETAIL_DEVICE unsigned grid_size(int dimension) {
    typedef const __attribute__((address_space(4))) unsigned* implicit_arguments;
    return ((implicit_arguments)__builtin_amdgcn_implicitarg_ptr())[dimension];
}

}  // namespace hip_detail
