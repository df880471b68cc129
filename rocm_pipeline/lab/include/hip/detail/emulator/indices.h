// What indices.h is made of: one dimension of an index or a size, asked of the runtime.
#pragma once

namespace hip_detail {

HIP_DETAIL_FUNCTION unsigned thread_index(int d) { return hip_emulator_indices[d]; }
HIP_DETAIL_FUNCTION unsigned block_index(int d) { return hip_emulator_indices[3 + d]; }
HIP_DETAIL_FUNCTION unsigned block_size(int d) { return hip_emulator_indices[6 + d]; }
HIP_DETAIL_FUNCTION unsigned grid_size(int d) { return hip_emulator_indices[9 + d]; }

}  // namespace hip_detail
