// What kernels call in the emulator's runtime (rocm_pipeline/lab/emulator/runtime/hooks.cpp).
//
// `site` is zero here: the build numbers every call, in program order, in the compiler's
// intermediate code. Calls that other work-items take part in are `convergent`, as on the GPU:
// the optimiser must neither move them under another condition nor copy them.
#pragma once

#define HIP_DETAIL_COLLECTIVE __attribute__((convergent))

extern "C" {

// 0-2 thread, 3-5 block, 6-8 block size, 9-11 grid size. The runtime rewrites it whenever another
// work-item goes on; to any one work-item it is constant, so the compiler may read it once.
extern const unsigned hip_emulator_indices[12];

// Waits for the block; returns how many of its work-items came with a true predicate.
HIP_DETAIL_COLLECTIVE int hip_emulator_barrier(int predicate, int site);
// Waits for all blocks.
HIP_DETAIL_COLLECTIVE void hip_emulator_grid_barrier(int site);
HIP_DETAIL_COLLECTIVE void hip_emulator_wave_barrier(int site);
HIP_DETAIL_COLLECTIVE unsigned long long hip_emulator_vote(int predicate, int site);
// The value that lane `source` came with; zero when it is not taking part (as ds_bpermute).
HIP_DETAIL_COLLECTIVE unsigned long long hip_emulator_read_lane(
    unsigned long long value, int source, int site);

// A product of matrices by the whole wave: `a`, `b` and `c` are this lane's parts, `d` becomes its
// part of a * b + c. `shape` is packed by matrix_shape (builtins_matrix.h).
HIP_DETAIL_COLLECTIVE void hip_emulator_matrix(
    const void* a, const void* b, const void* c, void* d, unsigned shape, int site);

// Ends the launch. Not merged with another one: each has its line.
[[noreturn]] __attribute__((cold, nomerge)) void hip_emulator_assertion_failed(int site);

// Memory order between blocks.
HIP_DETAIL_COLLECTIVE void hip_emulator_device_fence();

// A read-modify-write: begin returns the old bits, end stores the new ones.
unsigned long long hip_emulator_atomic_begin(void* place, int size, int site);
void hip_emulator_atomic_end(void* place, int size, unsigned long long bits);

// Runs a kernel; returns 0 when every work-item ran to its end.
int hip_emulator_launch(
    void (*kernel)(void** arguments), void** arguments, const unsigned* grid,
    const unsigned* block, size_t shared_bytes);
}
