// Fibers: one stack for each work-item, switched by hand or by the C library.
#pragma once

#include "libc.h"

constexpr unsigned most_lanes = 1024;
constexpr size_t fiber_stack_bytes = 128 * 1024;
constexpr size_t fiber_stacks_bytes = most_lanes * fiber_stack_bytes;

// Keeps what goes on here in `*save`, and goes on where `to` was kept.
extern "C" __attribute__((visibility("hidden"))) void hip_emulator_switch(void** save, void* to);

// All stacks of a block, one after another, and those of further blocks that are alive with it; a
// work-item's private memory lies here and nowhere else.
extern char *fiber_stacks, *more_fiber_stacks;
extern size_t more_fiber_stacks_bytes;
inline bool is_private(const void* place) {
    uintptr_t address = reinterpret_cast<uintptr_t>(place);
    return address - reinterpret_cast<uintptr_t>(fiber_stacks) < fiber_stacks_bytes ||
           address - reinterpret_cast<uintptr_t>(more_fiber_stacks) < more_fiber_stacks_bytes;
}

// Lets the stacks lie at a place of `fiber_stacks_bytes` reserved for them.
void place_fibers(char* stacks);
// Makes that many of them usable, at any place if they have none. Not all at once: a guard for each
// is 4 ms for the system, an eighth of a small job.
void prepare_fibers(unsigned count);
// Makes stacks for that many work-items of further blocks, none of which may be alive yet.
void prepare_more_fibers(unsigned count);

// What to switch to so that `entry` starts on the stack of that number, of the block or of the
// further ones.
void* new_fiber(unsigned number, void (*entry)());
void* new_fiber_of_more(unsigned number, void (*entry)());

// The same for any stack; what it needs itself lies at the stack's end. `entry` never returns.
void* new_context(char* stack_begin, char* stack_end, void (*entry)());
