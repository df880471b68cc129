// Fibers: one stack for each work-item of a block, switched by hand.
#pragma once

#include "libc.h"

constexpr unsigned most_lanes = 1024;
constexpr size_t fiber_stack_bytes = 128 * 1024;
constexpr size_t fiber_stacks_bytes = most_lanes * fiber_stack_bytes;

// Saves the callee-saved registers and the stack pointer to `*save`, and goes on where `to` was
// saved.
extern "C" __attribute__((visibility("hidden"))) void hip_emulator_switch(void** save, void* to);

// All stacks, one after another; a work-item's private memory lies here and nowhere else.
extern char* fiber_stacks;
inline bool is_private(const void* place) {
    uintptr_t begin = reinterpret_cast<uintptr_t>(fiber_stacks);
    uintptr_t offset = reinterpret_cast<uintptr_t>(place) - begin;
    return offset < fiber_stacks_bytes;
}

// Makes the stacks at a place of `fiber_stacks_bytes` reserved for them.
void make_fibers(char* stacks);
// Makes them anywhere if there are none.
void prepare_fibers();
// A stack pointer which, switched to, starts `entry` on the stack of that number.
void* new_fiber(unsigned number, void (*entry)());
