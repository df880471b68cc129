// The barrier of a grid.
#pragma once

namespace hip_detail {

HIP_DETAIL_DEVICE void grid_barrier() { hip_emulator_grid_barrier(0); }

}  // namespace hip_detail
