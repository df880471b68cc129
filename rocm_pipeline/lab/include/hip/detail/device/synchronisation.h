// Barriers and fences.
#pragma once

HIP_DETAIL_DEVICE void __threadfence_block() {
    __builtin_amdgcn_fence(__ATOMIC_SEQ_CST, "workgroup");
}
HIP_DETAIL_DEVICE void __threadfence() { __builtin_amdgcn_fence(__ATOMIC_SEQ_CST, "agent"); }

HIP_DETAIL_DEVICE void __threadfence_system() { __builtin_amdgcn_fence(__ATOMIC_SEQ_CST, ""); }
HIP_DETAIL_DEVICE void __syncthreads() {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup");
    __builtin_amdgcn_s_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup");
}

HIP_DETAIL_DEVICE void __syncwarp(unsigned long long = ~0ull) {
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "wavefront");
    __builtin_amdgcn_wave_barrier();
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "wavefront");
}

namespace hip_detail {

// Number of work-items of the block with a true predicate; takes 4 bytes of LDS.
HIP_DETAIL_DEVICE int block_count(bool predicate) {
    __shared__ int total;
    bool first = threadIdx.x + threadIdx.y + threadIdx.z == 0;
    if (first) total = 0;
    __syncthreads();
    if (predicate)
        __hip_atomic_fetch_add(&total, 1, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_WORKGROUP);
    __syncthreads();
    int result = total;
    // The next call must not clear the total before everyone has read it.
    __syncthreads();
    return result;
}

}  // namespace hip_detail

HIP_DETAIL_DEVICE int __syncthreads_count(int predicate) {
    return hip_detail::block_count(predicate != 0);
}
HIP_DETAIL_DEVICE int __syncthreads_or(int predicate) {
    return hip_detail::block_count(predicate != 0) != 0;
}
HIP_DETAIL_DEVICE int __syncthreads_and(int predicate) {
    return hip_detail::block_count(predicate == 0) == 0;
}
