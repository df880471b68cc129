// Barriers and fences.
#pragma once

HIP_DETAIL_DEVICE void __threadfence_block() { __nvvm_membar_cta(); }
HIP_DETAIL_DEVICE void __threadfence() { __nvvm_membar_gl(); }
HIP_DETAIL_DEVICE void __threadfence_system() { __nvvm_membar_sys(); }
// __syncthreads is a builtin of the compiler here.

// Of the lanes that are active, as on an AMD GPU, whatever the mask says.
HIP_DETAIL_DEVICE void __syncwarp(unsigned long long = ~0ull) {
    unsigned mask;
    asm volatile("activemask.b32 %0;" : "=r"(mask));
    __nvvm_bar_warp_sync(mask);
}

HIP_DETAIL_DEVICE int __syncthreads_count(int predicate) {
    return __nvvm_bar0_popc(predicate != 0);
}
HIP_DETAIL_DEVICE int __syncthreads_or(int predicate) {
    return __nvvm_bar0_or(predicate != 0) != 0;
}
HIP_DETAIL_DEVICE int __syncthreads_and(int predicate) {
    return __nvvm_bar0_and(predicate != 0) != 0;
}
