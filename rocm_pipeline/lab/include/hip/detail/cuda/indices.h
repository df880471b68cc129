// What indices.h is made of: PTX's special registers.
#pragma once

namespace hip_detail {

#define HIP_DETAIL_INDEX(name, sreg)                                                           \
    HIP_DETAIL_DEVICE unsigned name(int dimension) {                                           \
        return dimension == 0   ? __nvvm_read_ptx_sreg_##sreg##_x()                            \
               : dimension == 1 ? __nvvm_read_ptx_sreg_##sreg##_y()                            \
                                : __nvvm_read_ptx_sreg_##sreg##_z();                           \
    }
HIP_DETAIL_INDEX(thread_index, tid)
HIP_DETAIL_INDEX(block_index, ctaid)
HIP_DETAIL_INDEX(block_size, ntid)
HIP_DETAIL_INDEX(grid_size, nctaid)
#undef HIP_DETAIL_INDEX

}  // namespace hip_detail
