// The barrier of a grid, by a counter in device memory; for NVIDIA's GPUs, too.
#pragma once

namespace hip_detail {

// One pair for the code object, whose kernels run one after another. The last block to arrive
// resets the count, so the next barrier finds it so, whatever grid it is of.
static __device__ unsigned grid_arrivals, grid_generation;

// Ends only if all blocks are on the GPU at the same time; the emulator refuses grids that may not
// be.
HIP_DETAIL_DEVICE void grid_barrier() {
    __syncthreads();
    if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0) {
        unsigned blocks = gridDim.x * gridDim.y * gridDim.z;
        unsigned generation = atomicAdd(&grid_generation, 0u);
        __threadfence();
        if (atomicAdd(&grid_arrivals, 1u) == blocks - 1u) {
            atomicExch(&grid_arrivals, 0u);
            __threadfence();
            atomicAdd(&grid_generation, 1u);
        } else {
            while (atomicAdd(&grid_generation, 0u) == generation) {}
        }
        __threadfence();
    }
    __syncthreads();
}

}  // namespace hip_detail
