// Barriers and fences.
#pragma once

HIP_DETAIL_DEVICE void __threadfence_block() {}
HIP_DETAIL_DEVICE void __threadfence() { hip_emulator_device_fence(); }
HIP_DETAIL_DEVICE void __threadfence_system() { hip_emulator_device_fence(); }
HIP_DETAIL_DEVICE void __syncthreads() { hip_emulator_barrier(0, 0); }
HIP_DETAIL_DEVICE void __syncwarp(unsigned long long = ~0ull) { hip_emulator_wave_barrier(0); }
HIP_DETAIL_DEVICE int __syncthreads_count(int predicate) {
    return hip_emulator_barrier(predicate != 0, 0);
}
HIP_DETAIL_DEVICE int __syncthreads_or(int predicate) {
    return hip_emulator_barrier(predicate != 0, 0) != 0;
}
HIP_DETAIL_DEVICE int __syncthreads_and(int predicate) {
    return hip_emulator_barrier(predicate == 0, 0) == 0;
}
